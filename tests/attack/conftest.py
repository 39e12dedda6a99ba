"""Attacks on the whole program, one file each: test_NN_what.py. They use the servers of tests/system."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

from fixtures import new_server, server  # noqa: E402, F401
