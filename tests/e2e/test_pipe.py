# SPDX-License-Identifier: MIT
"""Pipes over the wire: two ends, their owners, their ends; what nobody read comes back."""
import json
import os

import pytest
from harness import until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401


@pytest.fixture
def client(mpd, connect):
    c = connect()
    c.call("pipe.create", name="p")
    return c


def send(client, end, item, **params):
    return client.call("pipe.send", name=f"p:{end}", item=item, **params)


def recv(client, end, **params):
    return client.call("pipe.recv", name=f"p:{end}", timeout=0, **params)["item"]


def test_both_ways_in_order(mpd, client, connect):
    other = connect()
    for n in range(5):
        send(client, 0, {"n": n})
        send(other, 1, [n])
    assert [recv(other, 1)["n"] for _ in range(5)] == list(range(5))
    assert [recv(client, 0) for _ in range(5)] == [[n] for n in range(5)]
    assert refused(client, "pipe.recv", name="p:0", timeout=0).symbol == "WOULD_BLOCK"
    assert refused(client, "pipe.recv", name="p:0", timeout=0.05).symbol == "TIMEOUT"


def test_receivers_wait_in_turn(mpd, client, connect):
    receivers = [connect() for _ in range(3)]
    numbers = []
    for n, c in enumerate(receivers, 1):
        numbers.append(c.request("pipe.recv", name="p:1"))
        waited(mpd, "p", n)
    for n in range(3):
        send(client, 0, n)
    assert [c.reply(number)["item"] for c, number in zip(receivers, numbers)] == [0, 1, 2]


def test_one_way(mpd, connect):
    c = connect()
    c.call("pipe.create", name="p", duplex=False)
    assert refused(c, "pipe.send", name="p:0", item=1).symbol == "RANGE"
    assert refused(c, "pipe.recv", name="p:1").symbol == "RANGE"
    send(c, 1, "x")
    assert recv(c, 0) == "x"
    assert refused(c, "pipe.create", name="p", exist_ok=True).symbol == "SHAPE_MISMATCH"


def test_an_end_must_be_named(mpd, client):
    for verb in ("send", "recv", "poll", "hold", "drop"):
        assert refused(client, f"pipe.{verb}", name="p", **({"item": 1} if verb == "send" else {})).symbol == "PARAMS"


def test_poll(mpd, client, connect):
    assert client.call("pipe.poll", name="p:1", timeout=0) == {"ready": False}
    assert client.call("pipe.poll", name="p:1", timeout=0.05) == {"ready": False}
    other = connect()
    polling = [other.request("pipe.poll", name="p:1") for _ in range(3)]
    waited(mpd, "p", 3)
    send(client, 0, "x")
    assert [other.reply(number) for number in polling] == [{"ready": True}] * 3
    assert recv(other, 1) == "x"


def test_the_end_of_an_end(mpd, client, connect, puppet):
    """It is at its end when all who held it are gone; what was sent before is received first."""
    first, second = puppet(), puppet()
    for holder in (first, second):
        holder.call("pipe.hold", name="p:0")
    send(first, 0, "last words")
    first.kill()
    send(client, 1, "heard by nobody")
    receiver = connect()
    assert recv(receiver, 1) == "last words"
    waiting = receiver.request("pipe.recv", name="p:1")
    waited(mpd, "p", 1)
    second.kill()
    assert error(receiver, waiting).symbol == "EOF"
    assert refused(client, "pipe.send", name="p:1", item="x").symbol == "BROKEN_PIPE"
    assert client.call("pipe.poll", name="p:1", timeout=0) == {"ready": True}
    again(mpd)
    assert refused(connect(), "pipe.recv", name="p:1").symbol == "EOF"


def test_hold_and_drop(mpd, client, connect):
    other = connect()
    assert refused(client, "pipe.drop", name="p:0").symbol == "NOT_HELD"
    client.call("pipe.hold", name="p:0")
    client.call("pipe.hold", name="p:0")
    assert info(mpd, "p")["holders"] == 1
    assert refused(other, "pipe.drop", name="p:0").symbol == "NOT_HELD"
    client.call("pipe.drop", name="p:0")
    assert refused(other, "pipe.recv", name="p:1").symbol == "EOF"
    other.call("pipe.hold", name="p:0")  # somebody holds it again
    assert refused(client, "pipe.recv", name="p:1", timeout=0).symbol == "WOULD_BLOCK"


def test_a_process_holds_it_over_an_engines_death(mpd, client, connect):
    client.call("pipe.hold", name="p:0", owner="process")
    connect().call("pipe.hold", name="p:1")
    send(client, 0, "kept")
    again(mpd)
    c = connect()
    assert [end["holders"] for end in info(mpd, "p")["state"]["ends"]] == [1, 0]
    assert recv(c, 1) == "kept"
    assert refused(c, "pipe.send", name="p:0", item="x").symbol == "BROKEN_PIPE"


def test_closing(mpd, client, connect):
    other = connect()
    send(client, 0, 1)
    waiting = client.request("pipe.recv", name="p:0")
    waited(mpd, "p", 1)
    other.call("pipe.close", name="p:0")
    assert error(client, waiting).symbol == "CLOSED"
    assert refused(client, "pipe.send", name="p:0", item=1).symbol == "CLOSED"
    assert recv(other, 1) == 1
    assert refused(other, "pipe.recv", name="p:1").symbol == "EOF"
    other.call("pipe.close", name="p")
    assert refused(other, "pipe.recv", name="p:1").symbol == "CLOSED"


def test_a_full_pipe_makes_the_sender_wait(mpd, client, connect):
    sender = connect()
    numbers = [sender.request("pipe.send", name="p:0", item="x" * 600_000) for _ in range(3)]
    assert sender.reply(numbers[0]) == {}
    waited(mpd, "p", 2)
    assert refused(client, "pipe.send", name="p:0", item=1, timeout=0).symbol == "WOULD_BLOCK"
    for number in numbers[1:]:
        assert len(recv(client, 1)) == 600_000
        assert sender.reply(number) == {}
    big = "y" * (3 << 20)  # alone it may be as long as a line
    assert len(recv(client, 1)) == 600_000
    send(client, 0, big)
    assert recv(client, 1) == big


def test_bytes(mpd, client):
    data = os.urandom(100_000)
    client.sock.sendall(b'{"id":"s","method":"pipe.send","params":{"name":"p:0"},"raw":%d}\n' % len(data) + data)
    client.sock.sendall(b'{"id":"r","method":"pipe.recv","params":{"name":"p:1","want":"raw"}}\n')
    with client.sock.makefile("rb") as stream:
        assert json.loads(stream.readline()) == {"jsonrpc": "2.0", "id": "s", "result": {}}
        head = json.loads(stream.readline())
        assert head["raw"] == len(data) and head["result"] == {"bytes": True}
        assert stream.read(len(data)) == data


def test_what_a_dead_receiver_had_read_is_gone(mpd, client, puppet):
    for n in range(3):
        send(client, 0, n)
    victim = puppet()
    assert victim.call("pipe.recv", name="p:1") == {"item": 0}
    victim.kill()
    until(lambda: info(mpd, "p")["holders"] == 0)
    assert [recv(client, 1) for _ in range(2)] == [1, 2]


def test_deletion(mpd, client, connect):
    other = connect()
    waiting = other.request("pipe.recv", name="p:1")
    waited(mpd, "p", 1)
    client.call("object.delete", name="p")
    assert error(other, waiting).symbol == "EOF"
