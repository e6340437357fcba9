# SPDX-License-Identifier: MIT
"""
The daemon's objects with the names, signatures and exceptions of Python's multiprocessing: what the programs of the
parity tests are given instead of that module. The socket is MPCTL_SOCKET's.

 1. As in Python, what is held is a process's, and an rlock a thread's: the owner is "process", the tag is the thread.
    Plain locks and semaphores have no owners there, so any_owner, unowned and owner_death=keep are asked for.
 2. Every thread of every process has a connection of its own: what waits on one hinders nobody, and a forked child
    never speaks on its parent's.
 3. The daemon decides: what it refuses is raised as the exception that Python has for that, and nothing is checked
    here that it could check. Only what Python knows of one process alone (a closed handle) is known here.
"""
import base64
import itertools
import json
import multiprocessing
import os
import queue
import socket
import threading
import time


class Refused(Exception):
    """An error for which Python has no exception."""


class _Wire(threading.local):
    """This thread's connection."""

    pid = stream = None

    def exchange(self, line, payload):
        """One request and its answer: (reply, the bytes that followed it)."""
        if self.pid != os.getpid():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(os.environ["MPCTL_SOCKET"])
                self.pid, self.stream = os.getpid(), sock.makefile("rwb")
        self.stream.write(line + b"\n" + payload)
        self.stream.flush()
        reply = json.loads(self.stream.readline() or b'{"error": {"message": "the connection was closed"}}')
        return reply, self.stream.read(reply.get("raw", 0))


_wire = _Wire()
_numbers = itertools.count(1)  # of requests and of objects


def call(method, raises=(), payload=None, **params):
    """
    The result of a request, with the bytes that came after it as "payload". RAISES says which exceptions the errors
    are. Every other request escapes what is not ASCII: that must make no difference.
    """
    number = next(_numbers)
    request = {"id": number, "method": method, "params": params}
    if payload is not None:
        request["raw"] = len(payload)
    reply, followed = _wire.exchange(json.dumps(request, ensure_ascii=number % 2 == 0).encode(), payload or b"")
    if "error" in reply:
        error = reply["error"]
        symbol = (error.get("data") or {}).get("symbol")
        raise dict(raises).get(symbol, Refused)(f"{method}: {symbol}: {error['message']}")
    return {**reply["result"], "payload": followed}


def who():
    return {"owner": "process", "tag": str(threading.get_ident())}


def limit(block=True, timeout=None):
    """Python's two words for how long to wait."""
    if not block:
        return {"timeout": 0}
    return {} if timeout is None else {"timeout": max(0, timeout)}


class Named:
    """An object of the daemon's. The name is new, and known to whom the Python object comes by fork."""

    kind = None

    def __init__(self, raises=(), **shape):
        self.name = f"{self.kind}.{os.getpid()}.{next(_numbers)}"
        self.call("create", raises, **shape)

    def call(self, verb, raises=(), **params):
        return call(f"{self.kind}.{verb}", raises, **{"name": self.name, **params})


# --- locks, semaphores, events --------------------------------------------------------------------------------------

class Acquired(Named):
    """What is acquired and released."""

    verbs = ("acquire", "release")
    refusals = {}

    def acquire(self, block=True, timeout=None):
        try:
            self.call(self.verbs[0], {"WOULD_BLOCK": TimeoutError, "TIMEOUT": TimeoutError}, **who(),
                      **limit(block, timeout))
        except TimeoutError:
            return False
        return True

    def release(self):
        self.call(self.verbs[1], self.refusals, **who())

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()


class Lock(Acquired):
    kind, refusals = "lock", {"NOT_HELD": ValueError}

    def __init__(self):
        super().__init__(any_owner=True, owner_death="keep")


class RLock(Acquired):
    kind, refusals = "rlock", {"NOT_HELD": AssertionError, "NOT_OWNER": AssertionError}

    def __init__(self):
        super().__init__(owner_death="keep")


class ValueLock(RLock):
    """The rlock that every value and every array has."""

    verbs = ("lock", "unlock")

    def __init__(self, kind, name):  # pylint: disable=super-init-not-called
        self.kind, self.name = kind, name


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

def encoded(item):
    return {"b64": base64.b64encode(item).decode()} if isinstance(item, bytes) else item


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
        self.call("put", item=encoded(item), **who())

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
        self.call("put", {"FULL": queue.Full}, item=encoded(item), **who(), **limit(block, timeout))

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

    def __init__(self, name):  # pylint: disable=super-init-not-called
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
        self._send(item=encoded(item))

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


# --- values, arrays -------------------------------------------------------------------------------------------------

class Typed(Named):
    """A ctype, as JSON and back: characters are strings, what is a float in C is one here."""

    def __init__(self, code, **shape):
        self._code = code
        super().__init__({"PARAMS": TypeError, "RANGE": ValueError}, type=code, wrap=True, **shape)
        self._lock = ValueLock(self.kind, self.name)
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def get_lock(self):
        return self._lock

    @staticmethod
    def into(value):
        """Python's True is a 1, and its bytes are characters."""
        if isinstance(value, bytes):
            return value.decode("latin-1")
        return int(value) if isinstance(value, bool) else value

    def back(self, value):
        if self._code in "fd":
            return float(value)
        return value.encode("latin-1") if self._code == "c" else value

    def all_back(self, values):
        """What Python makes of many: a string of characters, else a list."""
        values = [self.back(value) for value in values]
        return {"u": "", "c": b""}[self._code].join(values) if self._code in "uc" else values


class Value(Typed):
    kind = "value"

    def __init__(self, code, *value):
        super().__init__(code, **{"value": self.into(each) for each in value})

    @property
    def value(self):
        return self.back(self.call("get")["value"])

    @value.setter
    def value(self, value):
        self.call("set", {"PARAMS": TypeError}, value=self.into(value))


def where(i):
    """An index or a slice, as the wire has it."""
    if isinstance(i, slice):
        return ":".join("" if part is None else str(part) for part in (i.start, i.stop, i.step))
    return i


def refusals(i):
    """What is wrong with an index or a slice, or with what is to go there."""
    return {"RANGE": ValueError if isinstance(i, slice) else IndexError, "PARAMS": TypeError}


class Array(Typed):
    kind = "array"

    def __init__(self, code, size_or_values):
        if isinstance(size_or_values, int):
            super().__init__(code, size=size_or_values)
        else:
            super().__init__(code, values=self.all_into(size_or_values))

    def all_into(self, values):
        if isinstance(values, bytes):
            return list(values.decode("latin-1"))
        return [self.into(value) for value in values]

    def __len__(self):
        return self.call("len")["len"]

    def __getitem__(self, i):
        seen = self.call("get", refusals(i), i=where(i))
        return self.all_back(seen["values"]) if isinstance(i, slice) else self.back(seen["value"])

    def __setitem__(self, i, value):
        value = self.all_into(value) if isinstance(i, slice) else self.into(value)
        self.call("set", refusals(i), i=where(i), value=value)


# --- the manager's --------------------------------------------------------------------------------------------------

class DictProxy(Named):
    kind = "dict"
    missing = {"RANGE": KeyError}

    def __init__(self, *args, **kwargs):
        super().__init__(items=dict(*args, **kwargs))

    def __getitem__(self, key):
        return self.call("get", self.missing, key=key)["value"]

    def __setitem__(self, key, value):
        self.call("set", key=key, value=value)

    def __delitem__(self, key):
        self.call("del", self.missing, key=key)

    def __contains__(self, key):
        return self.call("contains", key=key)["contains"]

    def __len__(self):
        return self.call("len")["len"]

    def __iter__(self):
        return iter(self.keys())

    def __str__(self):
        return str(self.copy())

    def get(self, key, default=None):
        return self.call("get", key=key, default_value=default)["value"]

    def pop(self, key, *default):
        return self.call("pop", self.missing, key=key, **{"default_value": each for each in default})["value"]

    def popitem(self):
        seen = self.call("popitem", self.missing)
        return seen["key"], seen["value"]

    def setdefault(self, key, default=None):
        return self.call("setdefault", key=key, value=default)["value"]

    def update(self, *args, **kwargs):
        self.call("update", items=dict(*args, **kwargs))

    def keys(self):
        return self.call("keys")["keys"]

    def values(self):
        return self.call("values")["values"]

    def items(self):
        return [(key, value) for key, value in self.call("items")["items"]]

    def copy(self):
        return self.call("copy")["items"]

    def clear(self):
        self.call("clear")


class ListProxy(Named):
    kind = "list"

    def __init__(self, values=()):
        super().__init__(values=list(values))

    def __getitem__(self, i):
        return self.call("get", refusals(i), i=where(i))["values" if isinstance(i, slice) else "value"]

    def __setitem__(self, i, value):
        self.call("set", refusals(i), i=where(i), value=list(value) if isinstance(i, slice) else value)

    def __delitem__(self, i):
        self.call("del", refusals(i), i=where(i))

    def __contains__(self, value):
        return self.call("contains", value=value)["contains"]

    def __len__(self):
        return self.call("len")["len"]

    def __str__(self):
        return str(self[:])

    def __add__(self, more):
        return self[:] + more

    def __mul__(self, n):
        return self[:] * n

    __rmul__ = __mul__

    def __iadd__(self, more):
        self.extend(more)
        return self

    def __imul__(self, n):
        self.call("repeat", n=n)
        return self

    def append(self, value):
        self.call("append", value=value)

    def extend(self, values):
        self.call("extend", values=list(values))

    def insert(self, i, value):
        self.call("insert", i=i, value=value)

    def pop(self, *i):
        return self.call("pop", {"RANGE": IndexError}, **{"i": each for each in i})["value"]

    def remove(self, value):
        self.call("remove", {"RANGE": ValueError}, value=value)

    def index(self, value, *bounds):
        return self.call("index", {"RANGE": ValueError}, value=value, **dict(zip(("start", "stop"), bounds)))["index"]

    def count(self, value):
        return self.call("count", value=value)["count"]

    def reverse(self):
        self.call("reverse")

    def sort(self, reverse=False):
        self.call("sort", {"PARAMS": TypeError}, reverse=reverse)


class Attributes(Named):
    kind = "namespace"
    missing = {"RANGE": AttributeError}


class NamespaceProxy:
    """Attributes that begin with an underscore are the proxy's own, as Python's are."""

    def __init__(self, **items):
        self._object = Attributes(items=items)

    def __getattr__(self, key):
        if key.startswith("_"):
            raise AttributeError(key)
        return self._object.call("get", Attributes.missing, key=key)["value"]

    def __setattr__(self, key, value):
        if key.startswith("_"):
            object.__setattr__(self, key, value)
        else:
            self._object.call("set", key=key, value=value)

    def __delattr__(self, key):
        if key.startswith("_"):
            object.__delattr__(self, key)
        else:
            self._object.call("del", Attributes.missing, key=key)


class Manager:
    dict, list, Namespace = DictProxy, ListProxy, NamespaceProxy

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()

    def shutdown(self):
        """What it made stays: the manager is the daemon."""
