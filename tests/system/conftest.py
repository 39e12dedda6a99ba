"""Gives the tests of this folder their servers."""
from fixtures import active_directory, new_server, server  # noqa: F401
