# SPDX-License-Identifier: MIT
"""run_objects.py NAME python|mpd: runs programs/objects_NAME.py with the one's objects or the other's."""
import faulthandler
import importlib
import pathlib
import sys

import mpd_objects
import transcript

sys.path.insert(0, str(pathlib.Path(__file__).parent / "programs"))

faulthandler.dump_traceback_later(2 * transcript.PATIENCE)
program = importlib.import_module(f"objects_{sys.argv[1]}").program
program({"python": transcript.python, "mpd": mpd_objects}[sys.argv[2]])
