"""Suites that others wrote, run against the real program. They are read from HAUBERK_SUITES; where that is
absent the tests skip."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

from fixtures import new_server, server  # noqa: E402, F401


@pytest.fixture(scope="session")
def suites():
    """The folder of the suites."""
    folder = pathlib.Path(os.environ.get("HAUBERK_SUITES", ""))
    if not os.environ.get("HAUBERK_SUITES") or not folder.is_dir():
        pytest.skip("HAUBERK_SUITES names no folder")
    return folder
