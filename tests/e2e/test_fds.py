# SPDX-License-Identifier: MIT
"""Descriptors: exactly those that are meant, in processes and in the daemon, and none more after much work."""
import os
import socket

import pytest

from harness import ConnectionLost, open_fds, until


class Count:
    """The daemon's descriptors now; settled() waits until there are no more again (what just ended may still be closing
    when they are counted first)."""

    def __init__(self, mpd):
        self.mpd, self.engine = mpd, mpd.engine_pid()
        self.start = self.now()

    def now(self):
        return len(open_fds(self.mpd.pid)), len(open_fds(self.engine))

    def settled(self):
        until(lambda: all(now <= start for now, start in zip(self.now(), self.start)),
              what=f"descriptors {self.start} again (keeper {self.now()[0]}, engine {self.now()[1]})")


@pytest.fixture
def count(mpd):
    mpd.begin("/bin/true", name="warm")  # what is opened once at first use is open
    mpd.join("warm")
    return Count(mpd)


def test_start_and_join(mpd, count):
    with mpd.connect() as connection:
        for n in range(200):
            connection.call("process.start", argv=["/bin/true"], name=f"p{n}")
            connection.call("process.join", targets=[f"p{n}"])
    count.settled()


def test_ends_that_nobody_joins(mpd, count):
    with mpd.connect() as connection:
        for n in range(100):
            connection.call("process.start", argv=["/bin/true"])
    until(lambda: mpd.status()["processes"]["alive"] == 0)
    count.settled()


def test_starts_that_fail(mpd, count):
    for params in ({"argv": ["/no/such"]}, {"argv": ["/bin/true"], "cwd": "/no/such"},
                   {"argv": ["/bin/true"], "stdout": {"file": "/no/such/file"}}, {"argv": ["x" * 300]}):
        for _ in range(25):
            assert mpd.rpc_error("process.start", **params).symbol == "SPAWN"
    count.settled()


def test_killed_trees(mpd, count):
    for _ in range(20):
        mpd.begin("/bin/sh", "-c", "sleep 1000 & sleep 1000", name="x")
        mpd.rpc("process.kill", targets=["x"])
    count.settled()


def test_connections_that_come_and_go(mpd, count):
    for n in range(100):
        with mpd.connect() as connection:
            connection.send_line(b'{"id":1,"method":"mpd.ping"}' if n % 2 else b'{"half')
            if n % 3:
                connection.sock.shutdown(socket.SHUT_WR)
    count.settled()


def test_descriptors_that_no_line_claims(mpd, count):
    with mpd.connect() as connection:
        for n in range(50):
            with open("/dev/null", "rb") as null:
                connection.send_fds({"id": n, "method": "mpd.ping"}, [null.fileno()] * 3)
            connection.recv()
        with open("/dev/null", "rb") as null:
            try:
                connection.send_fds(b'{"id":99,"method":"mpd.ping"}', [null.fileno()] * 100)
                connection.recv()
            except ConnectionLost:
                pass  # so many at once may cost the connection
    count.settled()


def test_descriptors_of_a_start_that_is_refused(mpd, count):
    with mpd.connect() as connection, open("/dev/null", "rb") as null:
        for n in range(50):
            connection.send_fds({"id": n, "fds": 2, "method": "process.start",
                                 "params": {"argv": ["/no/such"], "stdin": "fd", "stdout": "fd"}}, [null.fileno()] * 2)
            assert connection.recv()["error"]["data"]["symbol"] == "SPAWN"
            connection.send_fds({"id": n, "fds": 1, "method": "process.start",
                                 "params": {"argv": ["/bin/true"], "stdin": "fd", "stdout": "fd"}}, [null.fileno()])
            assert "error" in connection.recv()
    count.settled()


def test_waits_that_are_cut_off(mpd, count):
    mpd.begin("/bin/sleep", "1000", name="nap")
    middle = Count(mpd)
    for _ in range(50):
        with mpd.connect() as connection:
            connection.request("process.join", targets=["nap"])
    middle.settled()
    mpd.rpc("process.kill", targets=["nap"])
    count.settled()


def test_a_new_engine_has_as_many(mpd):
    for n in range(20):
        mpd.begin("/bin/sleep", "1000", name=f"p{n}")
    count = Count(mpd)
    for _ in range(3):
        mpd.kill_engine()
        count.engine = mpd.engine_pid()
        count.settled()
    mpd.rpc("process.kill", all=True)


def test_a_process_has_exactly_three(mpd):
    """Also beside others, with pipes of theirs, descriptors of clients and dead engines around."""
    fd = os.open("/dev/null", os.O_RDONLY)
    for n in range(5):
        mpd.begin("/bin/sleep", "1000", name=f"p{n}")
    mpd.kill_engine()
    with mpd.connect() as connection:
        made = connection.call("process.start", fds=[fd], argv=["/bin/sleep", "1000"], stdin="fd")
        other = connection.call("process.start", argv=["/bin/sleep", "1000"], stdout="null", stderr="stdout")
    os.close(fd)
    for pid in (made["pid"], other["pid"]):
        assert open_fds(pid) == [0, 1, 2]
        kinds = [os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)]
        assert kinds[0] == "/dev/null" and all(kind.startswith(("pipe:", "/dev/null")) for kind in kinds[1:])
