# SPDX-License-Identifier: MIT
"""
docs/examples/ holds the small programs that teach multiprocessing, written for the shell. Each prints what its head
says it prints, and what the same program in Python (tests/parity/programs/tutorial_*.py) prints here and now, and
leaves nothing behind.
"""
import re
import subprocess

import pytest

from harness import ROOT, SLOW, until

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.sh"))
TWINS = ROOT / "tests" / "parity" / "programs"


def twin(path):
    return TWINS / f"tutorial_{path.stem}.py"


def promised(path):
    """What the head of an example says it prints."""
    head = re.search(r"^# It prints, as (.*) does:\n((?:#     .*\n)+)", path.read_text(), re.M)
    assert head.group(1) == str(twin(path).relative_to(ROOT))
    return re.sub(r"^#     ", "", head.group(2), flags=re.M)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_python_does(mpd, tmp_path, path):
    shell = mpd.shell('exec "$@"', path)
    python = subprocess.run(["/usr/bin/python3", "-E", twin(path), tmp_path], capture_output=True, text=True,
                            timeout=60 * SLOW, check=False)
    assert (shell.code, shell.err) == (0, "")
    assert (python.returncode, python.stderr) == (0, "")
    assert shell.out == promised(path)
    assert python.stdout == promised(path)
    assert mpd.rpc("object.list")["objects"] == []
    until(lambda: mpd.status()["processes"]["alive"] == 0)


def test_every_tutorial_is_there_twice():
    assert EXAMPLES and {twin(path) for path in EXAMPLES} == set(TWINS.glob("tutorial_*.py"))


def test_every_tutorial_is_listed():
    listed = re.findall(r"^\| \[(\w+\.sh)\]\(\1\) \|", (EXAMPLES[0].parent / "README.md").read_text(), re.M)
    assert sorted(listed) == [path.name for path in EXAMPLES]
