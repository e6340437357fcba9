# SPDX-License-Identifier: MIT
"""Sessions and objects: what is sent again is done once, and a grant that was undone is not told of again."""
import json
import select

import pytest
from harness import PATIENCE, until
from puppets import again, connect, info, waited  # noqa: F401

SESSION = "5e" * 16


@pytest.fixture
def resume(connect):
    """resume() makes a connection of the one session."""
    def make():
        c = connect()
        c.call("mpd.hello", session=SESSION)
        return c
    return make


def send(client, number, method, /, **params):
    client.sock.sendall(json.dumps({"id": number, "method": method, "params": params}).encode() + b"\n")


def lies_there(client):
    """Its answer has come, and nobody has read it."""
    assert select.select([client.sock], [], [], PATIENCE)[0]


def test_an_unread_grant_is_undone_and_asked_for_anew(mpd, resume, connect):
    connect().call("queue.put", name="q", items=[1, 2])
    first = resume()
    send(first, "get", "queue.get", name="q")
    lies_there(first)
    send(first, "lock", "lock.acquire", name="l")
    until(lambda: mpd.rpc("object.list", pattern="l")["objects"])
    send(first, "put", "queue.put", name="done", item="once")
    until(lambda: mpd.rpc("object.list", pattern="done")["objects"])
    first.close()
    until(lambda: mpd.rpc("queue.size", name="q") == {"size": 2})
    until(lambda: mpd.rpc("lock.locked", name="l") == {"locked": False})
    other = connect()
    token = other.call("lock.acquire", name="l")["token"]
    second = resume()
    send(second, "lock", "lock.acquire", name="l")
    waited(mpd, "l", 1)  # it is not told of the lock that it does not have
    send(second, "get", "queue.get", name="q")
    assert second.reply("get")["item"] == 1
    send(second, "put", "queue.put", name="done", item="once")
    second.reply("put")
    assert mpd.rpc("queue.size", name="done") == {"size": 1}
    other.call("lock.release", name="l")
    assert second.reply("lock")["token"] > token


def test_what_was_read_is_not_done_again(mpd, resume, connect):
    connect().call("queue.put", name="q", items=[1, 2])
    first = resume()
    send(first, "get", "queue.get", name="q")
    item = first.reply("get")
    first.close()
    second = resume()
    send(second, "get", "queue.get", name="q")
    assert second.reply("get") == item
    assert mpd.rpc("queue.size", name="q") == {"size": 1}


def test_over_an_engines_death(mpd, resume, connect):
    """Holds are kept for the session; what is sent again has its first answer."""
    connect().call("queue.put", name="q", items=[1, 2])
    first = resume()
    send(first, "lock", "lock.acquire", name="l")
    send(first, "get", "queue.get", name="q", ack="manual")
    lock, got = first.reply("lock"), first.reply("get")
    again(mpd)
    assert mpd.rpc("lock.locked", name="l") == {"locked": True}
    second = resume()
    send(second, "lock", "lock.acquire", name="l")
    send(second, "get", "queue.get", name="q", ack="manual")
    assert second.reply("lock") == lock and second.reply("get") == got
    assert second.call("queue.ack", name="q", claim=got["claim"]) == {}
    assert second.call("lock.release", name="l") == {}
    assert mpd.rpc("queue.size", name="q") == {"size": 1}


def test_who_does_not_come_back_has_nothing(mpd, resume, connect):
    connect().call("queue.put", name="q", item=1)
    first = resume()
    first.call("lock.acquire", name="l")
    first.call("queue.get", name="q", ack="manual")
    again(mpd)
    c = connect()
    assert c.call("queue.get", name="q")["redelivered"] == 1  # after the grace
    assert "abandoned" in c.call("lock.acquire", name="l")
