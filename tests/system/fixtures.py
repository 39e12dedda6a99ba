"""Servers for the tests: one that all share who do not disturb it, and new ones for those who do."""
import pytest

import hauberk
import samba_ad


# The sanitizer build finds faults of memory; only the release build has the whole sandbox.
@pytest.fixture(scope="session", params=["ASAN", "RELEASE"])
def server(request):
    shared = hauberk.Server(getattr(hauberk, request.param))
    try:
        shared.start().populate("ann", "bob", "carol", "dave")
        shared.must("account", "add", "gone@example.org", secret=hauberk.PASSWORD)
        shared.must("account", "disable", "gone@example.org")
        yield shared
        shared.stop()
    finally:
        shared.kill()


@pytest.fixture
def new_server():
    """Makes a server of the test's own; it is stopped, and its log checked, at the test's end."""
    made = []

    def make(*args, start=True, **more):
        made.append(hauberk.Server(*args, **more))
        return made[-1].start() if start else made[-1]

    try:
        yield make
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.kill()


@pytest.fixture(scope="session")
def active_directory():
    """The one domain controller of a run: provisioning takes seconds."""
    domain = samba_ad.SambaAD()
    try:
        yield domain
    finally:
        domain.stop()
