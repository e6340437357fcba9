# SPDX-License-Identifier: MIT
"""
The same small program under Python's multiprocessing and in shell with mpctl: programs/NAME.py and programs/NAME.sh run
beside each other and must say the same. What is expected is what Python says: nothing of it is typed in here.

Two kinds of lines are not compared letter by letter: `ratio X` may differ by a third, and mpctl's `message TEXT` has to
hold Python's, and may say more.
"""
import pathlib
import subprocess

import pytest

from harness import SLOW

PROGRAMS = pathlib.Path(__file__).parent / "programs"
ELSEWHERE = ("objects_", "tutorial_")  # test_objects.py's, and those of tests/e2e/test_examples.py
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py") if not path.stem.startswith(ELSEWHERE))


def agree(python, shell):
    kind, _, said = python.partition(" ")
    other, _, answered = shell.partition(" ")
    if kind == other == "ratio":
        return abs(float(said) - float(answered)) <= max(float(said), float(answered)) / 3 * SLOW
    if kind == other == "message":
        return said in answered
    return python == shell


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same(mpd, tmp_path, name):
    folders = [tmp_path / kind for kind in ("python", "shell")]
    for folder in folders:
        folder.mkdir()
    python = subprocess.run(["/usr/bin/python3", str(PROGRAMS / f"{name}.py"), str(folders[0])], text=True,
                            capture_output=True, timeout=60 * SLOW, check=False)
    shell = mpd.shell('exec bash "$@"', PROGRAMS / f"{name}.sh", folders[1], timeout=60)
    assert python.returncode == 0 and python.stdout, python.stderr
    expected, seen = python.stdout.splitlines(), shell.out.splitlines()
    print(f"{'multiprocessing':60}mpctl")
    for pair in zip(expected, seen):
        print(f"{pair[0]:60}{pair[1]}")
    different = [pair for pair in zip(expected, seen) if not agree(*pair)]
    assert not different and len(expected) == len(seen), f"{different or seen}\n{shell.err}"
