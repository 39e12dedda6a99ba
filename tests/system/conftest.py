"""Gives the tests of this folder their servers."""
from fixtures import new_server, server  # noqa: F401
