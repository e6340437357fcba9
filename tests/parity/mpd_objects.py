# SPDX-License-Identifier: MIT
"""
The daemon's objects with the names, signatures and exceptions of Python's multiprocessing: what the programs of the
parity tests are given instead of that module.

As in Python, what is held is a process's, and an rlock a thread's: the owner is "process", the tag is the thread. Plain
locks and semaphores have no owners there, so any_owner, unowned and owner_death=keep are asked for.
"""
import base64
import multiprocessing
import os
import queue
import threading
import time

from mpd_values import Array, Manager, Value  # noqa: F401  (the rest of the names)
from mpd_wire import Acquired, Named, RLock, limit, who


# --- locks, semaphores, events --------------------------------------------------------------------------------------

class Lock(Acquired):
    kind, refusals = "lock", {"NOT_HELD": ValueError}

    def __init__(self):
        super().__init__(any_owner=True, owner_death="keep")


class Semaphore(Acquired):
    kind, bounded = "semaphore", False
    refusals = {"OVER_RELEASE": ValueError}

    def __init__(self, value=1):
        super().__init__({"PARAMS": OSError, "RANGE": OSError}, value=value, bounded=self.bounded, unowned=True)

    def get_value(self):
        return self.call("value")["value"]


class BoundedSemaphore(Semaphore):
    bounded = True


class Event(Named):
    kind = "event"

    def set(self):
        self.call("set", **who())

    def clear(self):
        self.call("clear")

    def is_set(self):
        return self.call("is_set")["set"]

    def wait(self, timeout=None):
        return self.call("wait", **who(), **limit(True, timeout))["set"]


# --- conditions, barriers -------------------------------------------------------------------------------------------

class Condition(Named):
    kind = "condition"

    def __init__(self, lock=None):
        self._lock = lock or RLock()
        super().__init__(lock=self._lock.name)
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def _own(self, verb, **params):
        return self.call(verb, {"NOT_OWNER": AssertionError, "NOT_HELD": AssertionError}, **who(), **params)

    def wait(self, timeout=None):
        return self._own("wait", **limit(True, timeout))["notified"]

    def wait_for(self, predicate, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while not (seen := predicate()) and (end is None or time.monotonic() < end):
            self.wait(None if end is None else end - time.monotonic())
        return seen

    def notify(self, n=1):
        self._own("notify", n=n)

    def notify_all(self):
        self._own("notify_all")


class Barrier(Named):
    kind = "barrier"

    def __init__(self, parties, action=None, timeout=None):
        self._action = action
        super().__init__(parties=parties, action=action is not None, **limit(True, timeout))

    def wait(self, timeout=None):
        seen = self.call("wait", {"BROKEN": threading.BrokenBarrierError}, **who(), **limit(True, timeout))
        if seen.get("run_action"):
            ran = False
            try:
                self._action()
                ran = True
            finally:
                self.call("action_done", generation=seen["generation"], ok=ran, **who())
        return seen["index"]

    def reset(self):
        self.call("reset")

    def abort(self):
        self.call("abort")

    parties = property(lambda self: self.call("info")["parties"])
    n_waiting = property(lambda self: self.call("info")["n_waiting"])
    broken = property(lambda self: self.call("info")["broken"])


# --- queues, pipes --------------------------------------------------------------------------------------------------

def base64ed(item):
    """A pipe's bytes go as text in the request."""
    return {"item": {"b64": base64.b64encode(item).decode()} if isinstance(item, bytes) else item}


def raw(item):
    """A queue's bytes go behind the request."""
    return {"payload": item} if isinstance(item, bytes) else {"item": item}


def decoded(item):
    return base64.b64decode(item["b64"]) if isinstance(item, dict) and set(item) == {"b64"} else item


class Handle(Named):
    """What a process can close for itself; those that it forks later get it closed."""

    closed, refusal = False, ValueError

    def call(self, verb, raises=(), **params):
        if self.closed:
            raise self.refusal("handle is closed")
        return super().call(verb, raises, **params)

    def close(self):
        self.closed = True


class SimpleQueue(Handle):
    kind, refusal, shape = "queue", OSError, {"simple": True}

    def __init__(self):
        super().__init__(**self.shape)

    def put(self, item):
        self.call("put", **raw(item), **who())

    def get(self):
        return decoded(self.call("get", **who())["item"])

    def empty(self):
        return self.call("empty")["empty"]


class Queue(SimpleQueue):
    refusal, shape = ValueError, {}

    def __init__(self, maxsize=0):
        self.shape = {**self.shape, "maxsize": max(0, maxsize)}
        super().__init__()

    def put(self, item, block=True, timeout=None):
        self.call("put", {"FULL": queue.Full}, **raw(item), **who(), **limit(block, timeout))

    def get(self, block=True, timeout=None):
        return decoded(self.call("get", {"EMPTY": queue.Empty}, **who(), **limit(block, timeout))["item"])

    def put_nowait(self, item):
        self.put(item, False)

    def get_nowait(self):
        return self.get(False)

    def qsize(self):
        return self.call("size")["size"]

    def full(self):
        return self.call("full")["full"]

    def join_thread(self):
        """Nothing is under way: put returns when the daemon has the item."""

    cancel_join_thread = join_thread


class JoinableQueue(Queue):
    shape = {"joinable": True}

    def task_done(self):
        self.call("task_done", {"OVER_RELEASE": ValueError}, **who())

    def join(self):
        self.call("join")


_ends = {}  # the ends of pipes that this process holds, by name


class Connection(Handle):
    """An end of a pipe, held by every process that has a copy of it until it closes that, or ends."""

    kind, refusal = "pipe", OSError

    def __init__(self, name):
        self.name = name
        self.hold()

    def hold(self):
        _ends[self.name] = self
        self.call("hold", owner="process")

    def close(self):
        if _ends.pop(self.name, None):
            self.call("drop", owner="process")
        super().close()

    def _send(self, **what):
        self.call("send", {"BROKEN_PIPE": BrokenPipeError, "RANGE": OSError}, **who(), **what)

    def _recv(self, **how):
        return self.call("recv", {"EOF": EOFError, "RANGE": OSError}, **who(), **how)

    def send(self, item):
        self._send(**base64ed(item))

    def recv(self):
        return decoded(self._recv()["item"])

    def send_bytes(self, data):
        self._send(payload=data)

    def recv_bytes(self):
        return self._recv(want="raw")["payload"]

    def poll(self, timeout=0.0):
        return self.call("poll", {"RANGE": OSError}, **who(), **limit(True, timeout))["ready"]


class BothEnds(Named):
    kind = "pipe"


def Pipe(duplex=True):
    pipe = BothEnds(duplex=duplex)
    return Connection(f"{pipe.name}:0"), Connection(f"{pipe.name}:1")


class Process(multiprocessing.get_context("fork").Process):
    """As open files are a child's from the fork on: start() returns when it holds the ends that its parent holds."""

    def start(self):
        self._held, self._tell = os.pipe()
        super().start()
        os.close(self._tell)
        os.read(self._held, 1)
        os.close(self._held)

    def run(self):
        for end in list(_ends.values()):
            end.hold()
        os.close(self._held)
        os.close(self._tell)
        super().run()
