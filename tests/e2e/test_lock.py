# SPDX-License-Identifier: MIT
"""Locks and rlocks over the wire: one holder, hand-off in order, a holder's death is told."""
import socket

import pytest
from harness import Client, RpcError, until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401

KINDS = ["lock", "rlock"]


def acquire(client, kind="lock", **params):
    return client.request(f"{kind}.acquire", name="l", **params)


@pytest.mark.parametrize("kind", KINDS)
def test_hand_off_in_order(mpd, connect, kind):
    clients = [connect() for _ in range(6)]
    tokens = [clients[0].reply(acquire(clients[0], kind))["token"]]
    numbers = []
    for n, c in enumerate(clients[1:], 1):
        numbers.append(acquire(c, kind))
        waited(mpd, "l", n)
    for n, c in enumerate(clients[1:]):
        clients[n].call(f"{kind}.release", name="l")
        tokens.append(c.reply(numbers[n])["token"])
        assert [h["token"] for h in info(mpd, "l")["holds"]] == [tokens[-1]]
        assert mpd.rpc(f"{kind}.locked", name="l") == {"locked": True}
    clients[-1].call(f"{kind}.release", name="l")
    assert mpd.rpc(f"{kind}.locked", name="l") == {"locked": False}
    assert tokens == sorted(set(tokens))


def test_who_may_release(mpd, connect):
    a, b = connect(), connect()
    token = a.call("lock.acquire", name="l", tag="one")["token"]
    wrong = refused(b, "lock.release", name="l")
    assert wrong.symbol == "NOT_OWNER" and wrong.data["owner"]["tag"] == "one"
    assert refused(b, "lock.release", name="l", token=token + 1).symbol == "STALE_TOKEN"
    assert a.call("lock.release", name="l", tag="another") == {}
    assert refused(a, "lock.release", name="l").symbol == "NOT_HELD"
    assert refused(a, "lock.release", name="l", token=token).symbol == "STALE_TOKEN"
    token = a.call("lock.acquire", name="l")["token"]
    assert b.call("lock.release", name="l", token=token) == {}
    a.call("lock.acquire", name="l")
    assert b.call("lock.release", name="l", force=True) == {}
    a.call("lock.create", name="python", any_owner=True)
    a.call("lock.acquire", name="python")
    assert b.call("lock.release", name="python") == {}


def test_rlock_is_its_threads(mpd, connect):
    a, b = connect(), connect()
    first = a.call("rlock.acquire", name="l", tag="t")
    number = acquire(b, "rlock")
    waited(mpd, "l", 1)
    assert a.call("rlock.acquire", name="l", tag="t") == {"token": first["token"], "depth": 2}  # past who waits
    assert refused(a, "rlock.release", name="l").symbol == "NOT_OWNER"
    assert refused(a, "rlock.acquire", name="l", timeout=0).symbol == "WOULD_BLOCK"
    assert [a.call("rlock.release", name="l", tag="t")["depth"] for _ in range(2)] == [1, 0]
    assert b.reply(number)["depth"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_timeout_cancel_delete(mpd, connect, kind):
    a, b, c = connect(), connect(), connect()
    a.reply(acquire(a, kind))
    late = refused(b, f"{kind}.acquire", name="l", timeout=0.05)
    assert late.symbol == "TIMEOUT" and late.data["owner"]["pid"] and "l" in late.message
    assert refused(b, f"{kind}.acquire", name="l", timeout=0).symbol == "WOULD_BLOCK"
    first = acquire(b, kind)
    waited(mpd, "l", 1)
    second = acquire(c, kind)
    waited(mpd, "l", 2)
    b.call("cancel", id=first)
    assert error(b, first).symbol == "CANCELLED"
    assert refused(a, "object.delete", name="l").symbol == "BUSY"
    a.call("object.delete", name="l", force=True)
    assert error(c, second).symbol == "DELETED"
    assert refused(a, f"{kind}.release", name="l").symbol == "NOT_FOUND"


@pytest.mark.parametrize("owner", ["conn", "process"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_holder(mpd, puppet, connect, kind, owner):
    p, a, b = puppet(), connect(), connect()
    p.reply(acquire(p, kind, tag="main", owner=owner))
    number = acquire(a, kind)
    waited(mpd, "l", 1)
    p.kill()
    told = a.reply(number)["abandoned"]
    assert (told["pid"], told["tag"]) == (p.pid, "main") and told["owner"].startswith(owner)
    if owner == "process" or "signal" in told:  # a connection may end before its process has
        assert told["signal"] == "KILL"
    a.call(f"{kind}.release", name="l")
    assert "abandoned" not in b.reply(acquire(b, kind))  # it was told


def test_killed_waiter(mpd, puppet, connect):
    a, p, b = connect(), puppet(), connect()
    a.reply(acquire(a))
    acquire(p)
    waited(mpd, "l", 1)
    number = acquire(b)
    waited(mpd, "l", 2)
    p.kill()
    a.call("lock.release", name="l")
    assert "abandoned" not in b.reply(number)


def test_unread_grant_passes_on(mpd, connect):
    """A lock that was granted to one who never read of it was never its."""
    a, b, c = connect(), connect(), connect()
    a.reply(acquire(a))
    acquire(b)
    waited(mpd, "l", 1)
    number = acquire(c)
    waited(mpd, "l", 2)
    a.call("lock.release", name="l")
    until(lambda: b.sock.recv(1, socket.MSG_PEEK))  # it lies there
    b.close()
    assert "abandoned" not in c.reply(number)


@pytest.mark.parametrize("kind", KINDS)
def test_strict(mpd, puppet, connect, kind):
    p, a = puppet(), connect()
    a.call(f"{kind}.create", name="l", robust="strict")
    p.reply(acquire(p, kind))
    number = acquire(a, kind)
    waited(mpd, "l", 1)
    p.kill()
    assert a.reply(number)["inconsistent"] is True
    assert a.call(f"{kind}.repair", name="l") == {}
    a.call(f"{kind}.release", name="l")
    p2, b = puppet(), connect()
    p2.reply(acquire(p2, kind))
    number = acquire(a, kind)
    waited(mpd, "l", 1)
    p2.kill()
    assert a.reply(number)["inconsistent"] is True
    number = acquire(b, kind)
    waited(mpd, "l", 1)
    a.call(f"{kind}.release", name="l")
    assert error(b, number).symbol == "NOT_RECOVERABLE"
    assert refused(b, f"{kind}.acquire", name="l").symbol == "NOT_RECOVERABLE"
    assert refused(b, f"{kind}.repair", name="l").symbol == "NOT_HELD"


def test_kept_by_the_dead(mpd, puppet, connect):
    p, a = puppet(), connect()
    a.call("lock.create", name="l", owner_death="keep")
    token = p.reply(acquire(p))["token"]
    p.kill()
    until(lambda: info(mpd, "l")["holds"][0]["owner"] is None)
    assert refused(a, "lock.acquire", name="l", timeout=0).symbol == "WOULD_BLOCK"
    assert refused(a, "lock.release", name="l").symbol == "NOT_OWNER"
    again(mpd)
    a = connect()
    assert a.call("lock.release", name="l", token=token) == {}


def test_shapes(mpd, connect):
    c = connect()
    c.call("lock.acquire", name="l")
    assert refused(c, "lock.acquire", name="m", no_create=True).symbol == "NOT_FOUND"
    assert refused(c, "rlock.acquire", name="l").symbol == "WRONG_KIND"
    for shape in ({"robust": "strict"}, {"any_owner": True}, {"owner_death": "keep"}):
        assert refused(c, "lock.create", name="l", exist_ok=True, **shape).symbol == "SHAPE_MISMATCH"
    assert c.call("lock.create", name="l", exist_ok=True) == {"created": False}
    assert refused(c, "lock.create", name="l").symbol == "EXISTS"
    assert refused(c, "lock.repair", name="m").symbol == "NOT_FOUND"
    assert c.call("lock.repair", name="l") == {}


@pytest.mark.parametrize("kind", KINDS)
def test_killed_engine(mpd, connect, kind):
    a, b = Client(mpd), Client(mpd)
    token = a.call(f"{kind}.acquire", name="l")["token"]
    if kind == "rlock":
        assert a.call("rlock.acquire", name="l")["depth"] == 2
    b.call("mpd.ping")
    number = b.post(f"{kind}.acquire", name="l")
    waited(mpd, "l", 1)
    lost = connect()
    lost.call(f"{kind}.acquire", name="lost")
    again(mpd)
    assert info(mpd, "l")["holds"][0]["token"] == token
    with pytest.raises(RpcError) as wrong:
        b.call(f"{kind}.release", name="l")
    assert wrong.value.symbol == "NOT_OWNER"
    if kind == "rlock":
        assert a.call("rlock.release", name="l") == {"depth": 1}
    a.call(f"{kind}.release", name="l")
    assert b.wait(number)["token"] > token
    with mpd.connect() as c:
        assert c.call(f"{kind}.acquire", name="lost")["abandoned"]["owner"] == "connection"
    a.close()
    b.close()
