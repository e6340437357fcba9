# SPDX-License-Identifier: MIT
"""
The same program with the objects of Python's multiprocessing and with the daemon's: programs/objects_NAME.py is run
twice, at the same time, and must say the same, line by line. What is expected is what Python says: nothing of it is
typed in here. mpd_objects.py gives the daemon's objects Python's names; processes are Python's in both runs. MPD_SEED
repeats what objects_random.py asks.

What cannot be the same, and is left out of the programs:

    where                  Python                                  mpd, and why
    ---------------------  --------------------------------------  ---------------------------------------------------
    acquire of one's own   waits for ever                          DEADLOCK at once, with the cycle; with a timeout it
      Lock, no timeout                                               is the same
    a holder that dies     Lock, RLock, Semaphore: held for ever   goes to the next; the adapter asks for
                                                                     owner_death=keep and unowned, where it is the same
    barrier, a party dies  the others wait for ever                BROKEN at once
    Barrier(0)             made; every wait hangs                  refused
    queue, consumer dies   the item is lost, the lock may stay     the item goes back
    task_done              counts puts, of anybody's items,        settles the caller's own oldest claim: what was not
                             before they were gotten                 gotten, or was by another process, cannot be done
    Queue.close            the process's own end                   the same in the adapter; the daemon's queue.close is
                                                                     for all
    Queue.empty, get(False)  a feeder thread may not have sent     the item is there when put returns: the programs
      just after a put         it yet                                wait where Python needs it
    SimpleQueue.put, send  waits when 64 KiB are not received      when 1 MiB or 1024 messages (pipe), never (queue)
    closed Connection with ConnectionResetError for the other      what was sent is received, then EOF
      unread messages
    order of waiters       none                                    first come, first served: programs sort
    an item                what pickle can: tuples, sets, classes  what JSON can: tuples are lists, keys are strings,
                                                                     no NaN, no infinity, no lone surrogates, depth 32;
                                                                     bytes only as the whole item
    1 == True              in lists: equal                         a number and a truth value differ in JSON
    list.sort              key=, lists, tuples, truth values       numbers or strings, as asked for over a wire
    a proxy in a proxy     nested manager objects                  values are JSON: nest by name
    "0", None as an index  TypeError                               the wire has indices as numbers or text, and no index
                                                                     is all
    Value, Array in ctypes infinity, NaN, 10**400, ctypes classes  JSON has none; a code is one of b B h H i I l L q Q
                                                                     f d c u
    arr[0:2] = [1, "x"]    TypeError after 1 was set               all or nothing
    v.value, lock held     waits for the value's own lock          each read and write is atomic and does not wait;
                                                                     get_lock() is between those who ask for it
    lock=False             a raw value without a lock              every value has its lock
"""
import os
import pathlib
import secrets
import signal
import subprocess

import pytest

from harness import SLOW, spawn

HERE = pathlib.Path(__file__).parent
KINDS = {  # of objects that each program must have made
    "array": {"array"},
    "barrier": {"barrier"},
    "condition": {"condition", "lock", "rlock"},
    "dict": {"dict"},
    "event": {"event"},
    "joinable": {"queue"},
    "list": {"list"},
    "lock": {"lock"},
    "namespace": {"namespace"},
    "pipe": {"pipe"},
    "queue": {"queue"},
    "random": {"array", "dict", "list", "value"},
    "rlock": {"rlock"},
    "semaphore": {"semaphore"},
    "simplequeue": {"queue"},
    "threads": {"barrier", "condition", "event", "lock", "queue", "rlock", "semaphore"},
    "timeouts": {"array", "barrier", "condition", "event", "lock", "pipe", "queue", "rlock", "semaphore", "value"},
    "together": {"array", "barrier", "condition", "dict", "event", "list", "lock", "namespace", "pipe", "queue",
                 "rlock", "semaphore", "value"},
    "value": {"value"},
}


def begin(name, kind, env):
    return spawn(["/usr/bin/python3", HERE / "run_objects.py", name, kind], stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True,
                 env={**env, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"})


def end(proc):
    """What a program said, once it has ended: its exit status, its lines, its errors. No process of it is left."""
    try:
        out, err = proc.communicate(timeout=100 * SLOW)
    except subprocess.TimeoutExpired:
        os.killpg(proc.pid, signal.SIGKILL)
        out, err = proc.communicate()
    return proc.returncode, out.split("\n"), err


def differences(expected, seen):
    """The lines that differ, each with its number and both versions."""
    longest = max(len(expected), len(seen))
    padded = [lines + ["(nothing)"] * (longest - len(lines)) for lines in (expected, seen)]
    return [f"line {n}\n  multiprocessing  {a}\n  mpd              {b}"
            for n, (a, b) in enumerate(zip(*padded), 1) if a != b]


def compare(mpd, name, **env):
    env = {**mpd.ctl_env(), "MPD_SEED": os.environ.get("MPD_SEED") or str(secrets.randbelow(1 << 30)), **env}
    procs = [begin(name, kind, env) for kind in ("python", "mpd")]
    (code, expected, trouble), (other, seen, err) = [end(proc) for proc in procs]
    assert code == 0 and len(expected) > 10, trouble
    wrong = differences(expected, seen)
    told = f"{len(wrong)} of {len(expected)} lines differ, MPD_SEED={env['MPD_SEED']}"
    assert not wrong, "\n".join([told, *wrong[:40], err[-6000:]])
    assert other == 0, err
    assert KINDS[name] <= {each["kind"] for each in mpd.rpc("object.list")["objects"]}


def test_every_program_is_run():
    assert sorted(KINDS) == sorted(path.stem.removeprefix("objects_") for path in HERE.glob("programs/objects_*.py"))


@pytest.mark.parametrize("name", sorted(KINDS))
def test_python_says_the_same(mpd, name):
    compare(mpd, name)


@pytest.mark.soak
def test_python_says_the_same_for_long(mpd):
    for _ in range(20):
        compare(mpd, "random", MPD_STEPS="4000")
