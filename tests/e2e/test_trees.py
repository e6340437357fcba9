# SPDX-License-Identifier: MIT
"""
The whole tree goes, and nothing else: the escape zoo against kill, terminate, stop and the end of the main process,
where trees are cgroups and where they are found by scanning. Who belongs to a tree is known here by a mark on the
command line, which the daemon does not look at.
"""
import os
import pathlib
import signal
import time

import pytest

from harness import PATIENCE, SLOW, alive, all_stats, stat_of, until

ZOO = r"""
import os, signal, sys

animal, mark, told = sys.argv[1:4]
ends = int(sys.argv[4])  # the main process leaves its family behind when so many of it are up; 0: never
ready, tell = os.pipe()

def up():
    with open(told, "w") as f:
        f.write("up\n")
    os.write(tell, b".")

def live():
    while True:
        signal.pause()

def child(life):
    pid = os.fork()
    if pid == 0:
        try:
            life()
        finally:
            os._exit(0)
    return pid

def setsid():
    os.setsid()
    up()
    live()

def double_fork():
    os.setsid()
    child(lambda: (up(), live()))

def fork_loop():
    up()
    while True:
        if os.fork():
            os._exit(0)

def fork_loop_in_sessions():
    up()
    while True:
        if os.fork():
            os._exit(0)
        os.setsid()

def stopped():
    up()
    os.kill(os.getpid(), signal.SIGSTOP)
    live()

def deaf():
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(sig, signal.SIG_IGN)
    up()
    live()

def family():
    for _ in range(3):
        child(lambda: (child(lambda: (up(), live())), live()))
    live()

def scrubbed():
    os.setsid()
    child(lambda: os.execve(sys.executable, [sys.executable, "-c", sys.orig_argv[2], "plain", mark, told, "0"], {}))

def plain():
    up()
    live()

pid = child(globals()[animal])
if animal in ("double_fork", "scrubbed"):
    os.waitpid(pid, 0)
for _ in range(ends):
    os.read(ready, 1)
if ends:
    os._exit(6)
live()
"""
# How many of each say that they are up.
BEINGS = {"plain": 1, "setsid": 1, "double_fork": 1, "fork_loop": 1, "fork_loop_in_sessions": 1, "stopped": 1,
          "deaf": 1, "family": 3}
OBEDIENT = ["plain", "setsid", "double_fork", "family"]


def marked(mark):
    """The living processes that carry the mark."""
    found = []
    for stat in all_stats():
        try:
            words = pathlib.Path(f"/proc/{stat.pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat.state not in "ZX" and mark.encode() in words:
            found.append(stat.pid)
    return found


class Zoo:
    def __init__(self, mpd, fifo):
        self.mpd, self.told, self.serial = mpd, fifo("told"), 0

    def __call__(self, animal, ends=False, **params):
        """Starts a process of this name whose child is the animal, and returns the mark of its tree."""
        self.serial += 1
        mark = f"mark-{os.getpid()}-{time.monotonic_ns()}-{self.serial}"
        argv = ["/usr/bin/python3", "-c", ZOO, animal, mark, str(self.told.path)]
        argv.append(str(BEINGS.get(animal, 1) if ends else 0))
        self.mpd.rpc("process.start", argv=argv, **{"name": animal, **params})
        self.told.lines(BEINGS.get(animal, 1))
        if animal == "stopped" and not ends:
            until(lambda: any(stat_of(pid).state == "T" for pid in marked(mark)))
        return mark


@pytest.fixture
def zoo(tree_mpd, fifo):
    return Zoo(tree_mpd, fifo)


def gone(mark, timeout=PATIENCE):
    until(lambda: not marked(mark), timeout, f"the end of the tree {mark}")


@pytest.mark.parametrize("animal", sorted(BEINGS))
def test_kill_leaves_nothing_when_it_returns(tree_mpd, zoo, animal):
    mark = zoo(animal)
    result = tree_mpd.rpc("process.kill", targets=[animal])
    assert marked(mark) == []
    assert result["done"] is True and result["processes"][0]["exitcode"] == -9


@pytest.mark.parametrize("animal", OBEDIENT)
def test_terminate_reaches_the_whole_tree(tree_mpd, zoo, animal):
    mark = zoo(animal)
    result = tree_mpd.rpc("process.terminate", targets=[animal], wait=True)
    assert result["processes"][0]["exitcode"] == -15
    gone(mark)


def test_terminate_is_a_request_that_the_deaf_do_not_follow(tree_mpd, zoo):
    """What ignores TERM lives on until its main process has ended: only then it is a leftover, and is killed."""
    mark = zoo("deaf", kill_mode="process")
    tree_mpd.rpc("process.terminate", targets=["deaf"], wait=True)
    assert len(marked(mark)) == 1


@pytest.mark.parametrize("animal", sorted(BEINGS))
def test_stop_ends_with_the_whole_tree_gone(tree_mpd, zoo, animal):
    mark = zoo(animal, stop_timeout=0.3)
    result = tree_mpd.rpc("process.stop", targets=[animal])
    assert result["done"] is True
    gone(mark)


@pytest.mark.parametrize("animal", sorted(BEINGS))
def test_leftovers_are_killed_when_the_main_process_ends(tree_mpd, zoo, animal):
    mark = zoo(animal, ends=True)
    ended = tree_mpd.join(animal)["processes"][0]
    assert ended["exitcode"] == 6
    gone(mark)


def test_leftovers_may_stay_and_are_counted(tree_mpd, zoo):
    mark = zoo("setsid", ends=True, kill_mode="process")
    ended = tree_mpd.join("setsid")["processes"][0]
    assert (ended["exitcode"], ended["state"]) == (6, "exited")
    assert ended["leftover"] >= 1 and len(marked(mark)) == 1
    tree_mpd.stop()
    assert marked(mark) == [], "the shutdown ends them"


def test_kill_reaches_the_leftovers(tree_mpd, zoo):
    mark = zoo("setsid", ends=True, kill_mode="process")
    tree_mpd.join("setsid")
    tree_mpd.rpc("process.kill", targets=["setsid"])
    assert marked(mark) == []
    assert tree_mpd.process("setsid")["exitcode"] == 6


def test_kill_mode_group_spares_what_left_the_group(tree_mpd, zoo):
    mark = zoo("setsid", kill_mode="group", stop_timeout=1)
    assert len(marked(mark)) == 2
    tree_mpd.rpc("process.stop", targets=["setsid"])
    assert len(marked(mark)) == 1


def test_the_main_process_alone(tree_mpd, zoo):
    for method in ("process.terminate", "process.kill"):
        mark = zoo("family", kill_mode="process")
        tree_mpd.rpc(method, targets=["family"], tree=False, wait=True)
        assert len(marked(mark)) == 7


def test_a_stopped_main_process_is_killed(tree_mpd, zoo):
    mark = zoo("family")
    main = tree_mpd.process("family")["pid"]
    os.kill(main, signal.SIGSTOP)
    tree_mpd.rpc("process.kill", targets=["family"])
    assert marked(mark) == []


def test_the_neighbour_is_spared(tree_mpd, zoo):
    first, second = zoo("family", name="first"), zoo("family", name="second")
    tree_mpd.rpc("process.kill", targets=["first"])
    assert marked(first) == [] and len(marked(second)) == 8


def test_a_child_by_mpctl_is_no_part_of_the_tree(tree_mpd, fifo):
    told = fifo("told")
    tree_mpd.inside(f"mpctl start --name child -- sleep 1000; echo up > {told.path}; sleep 1000", name="parent")
    told.line()
    tree_mpd.rpc("process.kill", targets=["parent"])
    assert tree_mpd.process("child")["alive"] is True


def test_status_shows_the_tree(tree_mpd, zoo):
    mark = zoo("family")
    assert sorted(tree_mpd.process("family")["tree"]) == sorted(marked(mark))


def test_what_no_tree_explains_is_a_stray(tree_mpd, zoo):
    """Without session, parent and environment only a cgroup knows it. By scan it is shown, and ended at shutdown."""
    mark = zoo("scrubbed")
    until(lambda: len(marked(mark)) == 3, what="the escaped one and its child")
    tree_mpd.rpc("process.kill", targets=["scrubbed"])
    if tree_mpd.status()["tree"] == "cgroup":
        assert marked(mark) == []
    else:
        until(lambda: tree_mpd.status()["strays"] >= 1)
    tree_mpd.stop()
    assert marked(mark) == []


def test_shutdown_leaves_no_animal(tree_mpd, zoo):
    marks = [zoo(animal, stop_timeout=0.3) for animal in sorted(BEINGS)]
    tree_mpd.stop()
    assert [m for mark in marks for m in marked(mark)] == []


def test_a_tree_of_many_is_gone_quickly(tree_mpd):
    tree_mpd.begin("/bin/bash", "-c", "for i in $(seq 100); do sleep 1000 & done; wait", name="many")
    tree = until(lambda: (t := tree_mpd.process("many")["tree"]) and len(t) == 101 and t)
    before = time.monotonic()
    tree_mpd.rpc("process.kill", targets=["many"])
    assert time.monotonic() - before < 2 * SLOW
    assert not any(alive(pid) for pid in tree)
