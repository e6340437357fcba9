# SPDX-License-Identifier: MIT
"""The fixtures of harness.py for this folder's tests."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import fifo, make_mpd, mpd, pytest_runtest_makereport, tree_mpd  # noqa: E402,F401
