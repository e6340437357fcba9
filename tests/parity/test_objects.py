# SPDX-License-Identifier: MIT
"""
The same program with the objects of Python's multiprocessing and with the daemon's: programs/objects_NAME.py is run
twice, at the same time, and must say the same, line by line. What is expected is what Python says: nothing of it is
typed in here. mpd_objects.py gives the daemon's objects Python's names; processes are Python's in both runs. MPD_SEED
repeats what objects_random.py asks.

What cannot be the same, and is left out of the programs:

    where                  Python                                  mpd, and why
    ---------------------  --------------------------------------  ---------------------------------------------------
    a ring of waits        all wait for ever                       DEADLOCK for who closes it; not where anybody may
                                                                     release (Lock) or one of them ends by itself
    a holder that dies     Lock, RLock, Semaphore: held for ever   goes to the next; the adapter asks for
                                                                     owner_death=keep and unowned, where it is the same
    who dies while it      waits, or all who come later wait,      dropped; the next gets what it was to get
      waits for an item      for ever
      or a notify
    barrier, a party dies  the others wait for ever                BROKEN at once
    Barrier(0)             made; every wait hangs                  refused
    queue, consumer dies   the item is lost                        the item goes back, unless it was done
    task_done              counts puts, of anybody's items         settles the caller's own oldest claim: what was not
                                                                     gotten, or was by another process, cannot be done
    Queue.close            the process's own end                   the same in the adapter; queue.close is for all
    Queue.empty, get(False)  a thread may not have sent it yet     the item is there when put returns: the programs
      just after a put                                               wait where Python needs it
    SimpleQueue.put, send  waits when 64 KiB are not received      when 1 MiB or 1024 messages (pipe), never (queue)
    Connection closed      ConnectionResetError for the other      what was sent is received, then EOFError
      with messages in it
    order of waiters       none                                    first come, first served: programs sort
    an item                what pickle can: tuples, sets, classes  what JSON can: tuples are lists, keys are strings
                                                                     (of dicts: without NUL), no NaN, no infinity, no
                                                                     lone surrogates, depth 32; bytes as a whole item
    1 == True              in lists: equal                         a number and a truth value differ in JSON
    list.sort              key=, lists, tuples, truth values       numbers or strings
    a proxy in a proxy     nested manager objects                  values are JSON: nest by name
    "0", None as an index  TypeError                               the wire has indices as numbers or text; none is all
    Value, Array in ctypes infinity, NaN, 10**400, ctypes classes  JSON has none; a code is one of b B h H i I l L q Q
                                                                     f d c u; what is too large for f or d: RANGE
    arr[0:2] = [1, "x"]    TypeError after 1 was set               all or nothing
    v.value, lock held     waits for the value's own lock          each read and write is atomic and does not wait;
                                                                     get_lock() is between those who ask for it
    lock=False             a raw value without a lock              every value has its lock
    notify(-1)             notifies nobody                         refused

Those that one process can see are looked at here, so that the table stays true.
"""
import os
import pathlib
import secrets
import signal
import subprocess
import threading

import pytest

import mpd_objects
from harness import SLOW, spawn
from mpd_wire import Refused

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
    "random": {"array", "dict", "event", "list", "lock", "pipe", "queue", "rlock", "semaphore", "value"},
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


def nested(depth):
    return [nested(depth - 1)] if depth else []


REFUSED = {
    "Barrier(0)": ("PARAMS", lambda mp: mp.Barrier(0)),
    "notify(-1)": ("PARAMS", lambda mp: (condition := mp.Condition()).acquire() and condition.notify(-1)),
    "NaN": ("PARSE", lambda mp: mp.Queue().put(float("nan"))),
    "infinity": ("PARSE", lambda mp: mp.Queue().put([float("inf")])),
    "a lone surrogate": ("PARSE", lambda mp: mp.Queue().put("\ud800")),
    "depth": ("PARSE", lambda mp: mp.Queue().put(nested(32))),
    "a key with NUL": ("PARAMS", lambda mp: mp.Manager().dict({"a\0": 1})),
    "too large for f": ("RANGE", lambda mp: setattr(mp.Value("f"), "value", 1e300)),
    "too large for d": ("RANGE", lambda mp: setattr(mp.Value("d"), "value", 10**400)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(mpd, monkeypatch, what):
    monkeypatch.setenv("MPCTL_SOCKET", str(mpd.socket))
    symbol, call = REFUSED[what]
    with pytest.raises(Refused, match=symbol):
        call(mpd_objects)


def test_what_is_different(mpd, monkeypatch):
    monkeypatch.setenv("MPCTL_SOCKET", str(mpd.socket))
    queue, manager, value = mpd_objects.JoinableQueue(), mpd_objects.Manager(), mpd_objects.Value("i", 1)
    queue.put((1, {2: 3}))
    assert not queue.empty()
    with pytest.raises(ValueError, match="OVER_RELEASE"):
        queue.task_done()
    assert queue.get(False) == [1, {"2": 3}]
    assert [manager.list([1, True]).count(each) for each in (1, True)] == [1, 1]
    with pytest.raises(TypeError, match="PARAMS"):
        manager.list([[2], [1]]).sort()
    array = mpd_objects.Array("i", 2)
    with pytest.raises(TypeError, match="PARAMS"):
        array[:] = [1, "x"]
    assert array[:] == [0, 0]
    here, there = mpd_objects.Pipe()
    here.send("unread")
    there.send("last")
    there.close()
    assert here.recv() == "last"
    with pytest.raises(EOFError):
        here.recv()
    with value.get_lock():
        thread = threading.Thread(target=setattr, args=(value, "value", 2))
        thread.start()
        thread.join()
    assert value.value == 2


@pytest.mark.soak
def test_python_says_the_same_for_long(mpd):
    for _ in range(8):
        compare(mpd, "random", MPD_STEPS="4000")
