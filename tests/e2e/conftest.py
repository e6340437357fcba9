# SPDX-License-Identifier: MIT
"""The fixtures of harness.py for this folder's tests."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import (  # noqa: E402,F401
    fifo, full, make_mpd, mpd, pytest_configure, pytest_runtest_makereport, pytest_terminal_summary, tree_mpd)
