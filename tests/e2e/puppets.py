# SPDX-License-Identifier: MIT
"""What the tests of objects share: clients that can be killed, errors that must come, waits that must have begun."""
import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from harness import PATIENCE, RpcError, readable, spawn, until, wait_dead

PUPPET = """
import os, select, socket, sys
wire = socket.socket(socket.AF_UNIX)
wire.connect(sys.argv[1])
while True:
    for fd in select.select([0, wire.fileno()], [], [])[0]:
        data = os.read(fd, 65536)
        if not data:
            sys.exit(0)
        os.write(1, data) if fd else wire.sendall(data)
"""


class Puppet:
    """A process with a connection of its own, to be killed."""

    def __init__(self, mpd):
        self.proc = spawn([sys.executable, "-c", PUPPET, mpd.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid, self.number, self.buffer, self.replies = self.proc.pid, 0, b"", {}

    def request(self, method, /, **params):
        self.number += 1
        line = {"id": self.number, "method": method, "params": params}
        self.proc.stdin.write(json.dumps(line).encode() + b"\n")
        self.proc.stdin.flush()
        return self.number

    def reply(self, number):
        while number not in self.replies:
            assert readable(self.proc.stdout, timeout=PATIENCE), "no reply came"
            data = os.read(self.proc.stdout.fileno(), 65536)
            assert data, "the connection ended"
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            self.replies.update((message["id"], message) for message in map(json.loads, lines))
        message = self.replies.pop(number)
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"]

    def call(self, method, /, **params):
        return self.reply(self.request(method, **params))

    def kill(self):
        """With SIGKILL; returns once it is dead."""
        os.kill(self.pid, signal.SIGKILL)
        assert wait_dead(self.pid)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.proc.stdin.close()
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()


@pytest.fixture
def puppet(mpd):
    """puppet() makes a Puppet of the daemon `mpd`."""
    made = []

    def make():
        made.append(Puppet(mpd))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def connect(mpd):
    """connect() makes a Connection to `mpd`, each an owner of its own."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(mpd.connect())


def error(client, number):
    """The RpcError that the request with this id must be answered with."""
    with pytest.raises(RpcError) as raised:
        client.reply(number)
    return raised.value


def refused(client, method, /, **params):
    """The RpcError that this call must end with."""
    return error(client, client.request(method, **params))


def info(mpd, name):
    return mpd.rpc("object.info", name=name)


def waited(mpd, name, n):
    """Returns once N requests wait for the object, which may not be there yet."""
    def waiters():
        return [row["waiters"] for row in mpd.rpc("object.list", pattern=name)["objects"]]

    until(lambda: waiters() == [n], what=f"{n} wait for {name}")


def again(mpd):
    """Kills the engine and waits for the next one."""
    old = mpd.kill_engine()
    until(lambda: mpd.find_engine() not in (None, old))
    return mpd.engine_pid()
