# SPDX-License-Identifier: MIT
"""
The wire as the parity tests' objects speak it: one request after the other. The socket is MPCTL_SOCKET's.

 1. Every thread of every process has a connection of its own: what waits on one hinders nobody, and a forked child
    never speaks on its parent's.
 2. The daemon decides: what it refuses is raised as the exception that Python has for that, and nothing is checked
    here that it could check.
"""
import itertools
import json
import os
import socket
import threading


class Refused(Exception):
    """An error for which Python has no exception."""


class _Wire(threading.local):
    """This thread's connection."""

    peers = stream = None

    def exchange(self, line, payload):
        """One request and its answer: (reply, the bytes that followed it)."""
        peers = os.getpid(), os.environ["MPCTL_SOCKET"]
        if self.peers != peers:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(peers[1])
                self.peers, self.stream = peers, sock.makefile("rwb")
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
    line = json.dumps(request, ensure_ascii=number % 2 == 0).encode(errors="surrogatepass")
    reply, followed = _wire.exchange(line, payload or b"")
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


class RLock(Acquired):
    kind, refusals = "rlock", {"NOT_HELD": AssertionError, "NOT_OWNER": AssertionError}

    def __init__(self):
        super().__init__(owner_death="keep")
