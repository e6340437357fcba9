# SPDX-License-Identifier: MIT
"""Semaphores over the wire: every permit comes back, and none is made."""
import pytest
from harness import Client
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401


def value(mpd, name="s"):
    return mpd.rpc("semaphore.value", name=name)["value"]


def test_take_and_return(mpd, connect):
    a, b = connect(), connect()
    assert a.call("semaphore.create", name="s", value=3) == {"created": True}
    first = a.call("semaphore.acquire", name="s")
    assert first["value"] == 2
    second = a.call("semaphore.acquire", name="s", n=2)
    assert second["value"] == 0 and second["token"] > first["token"]
    waiting = b.request("semaphore.acquire", name="s", n=2)
    waited(mpd, "s", 1)
    assert a.call("semaphore.release", name="s") == {"value": 1}  # of the newest hold
    assert [h["count"] for h in info(mpd, "s")["holds"]] == [1, 1]
    assert a.call("semaphore.release", name="s", token=first["token"]) == {"value": 2}
    assert b.reply(waiting)["value"] == 0
    assert refused(a, "semaphore.release", name="s", token=first["token"]).symbol == "STALE_TOKEN"
    assert info(mpd, "s")["state"] == {"value": 0, "initial": 3, "bounded": False, "unowned": False}
    assert info(mpd, "s")["summary"] == "0 of 3 free"


def test_who_wants_many_is_not_starved(mpd, connect):
    a, b, c = connect(), connect(), connect()
    a.call("semaphore.acquire", name="s", value=2)
    many = b.request("semaphore.acquire", name="s", n=2)
    waited(mpd, "s", 1)
    one = c.request("semaphore.acquire", name="s")
    waited(mpd, "s", 2)
    assert value(mpd) == 1  # is there, and kept for who came first
    assert refused(connect(), "semaphore.acquire", name="s", timeout=0).symbol == "WOULD_BLOCK"
    a.call("semaphore.release", name="s")
    assert b.reply(many)["value"] == 0
    b.call("semaphore.release", name="s")
    assert c.reply(one)["value"] == 0


@pytest.mark.parametrize("shape, n, symbol", [
    ({"value": 1, "bounded": True}, 1, "OVER_RELEASE"), ({"value": 1}, 1, "NOT_HELD"),
    ({"value": 0, "unowned": True, "bounded": True}, 1, "OVER_RELEASE"),
    ({"value": 2**31 - 1, "unowned": True}, 1, "RANGE")])
def test_more_than_there_was(mpd, shape, n, symbol):
    mpd.rpc("semaphore.create", name="s", **shape)
    assert mpd.rpc_error("semaphore.release", name="s", n=n).symbol == symbol
    assert value(mpd) == shape["value"]


def test_others_permits(mpd, connect):
    a, b = connect(), connect()
    for bounded in (False, True):
        name = f"s{bounded}"
        a.call("semaphore.acquire", name=name, value=3, bounded=bounded, n=2)
        assert refused(b, "semaphore.release", name=name).symbol == "NOT_HELD"
        wrong = refused(a, "semaphore.release", name=name, n=3)
        assert wrong.symbol == ("OVER_RELEASE" if bounded else "NOT_HELD")
        assert a.call("semaphore.release", name=name, n=2, tag="another thread") == {"value": 3}


def test_errors(mpd, connect):
    c = connect()
    for method in ("acquire", "release", "value"):
        assert refused(c, "semaphore." + method, name="s").symbol == "NOT_FOUND"
    c.call("semaphore.acquire", name="s", value=2)
    assert refused(c, "semaphore.acquire", name="s", n=3).symbol == "RANGE"
    for shape in ({"value": 3}, {"bounded": True}, {"unowned": True}):
        assert refused(c, "semaphore.acquire", name="s", **shape).symbol == "SHAPE_MISMATCH"
    assert refused(c, "semaphore.create", name="s", value=2).symbol == "EXISTS"
    assert refused(c, "semaphore.create", name="s", value=1, exist_ok=True).symbol == "SHAPE_MISMATCH"
    assert c.call("semaphore.create", name="s", value=2, exist_ok=True) == {"created": False}
    assert refused(c, "lock.acquire", name="s").symbol == "WRONG_KIND"
    for params in ({"n": 0}, {"n": -1}, {"value": -1}):
        assert refused(c, "semaphore.acquire", name="s", **params).symbol == "PARAMS"
    assert refused(c, "object.delete", name="s").symbol == "BUSY"
    other = connect()
    waiting = other.request("semaphore.acquire", name="s", n=2)
    waited(mpd, "s", 1)
    c.call("object.delete", name="s", force=True)
    assert error(other, waiting).symbol == "DELETED"


def test_timeout_and_cancel(mpd, connect):
    a, b, c = connect(), connect(), connect()
    a.call("semaphore.acquire", name="s", value=1)
    late = refused(b, "semaphore.acquire", name="s", timeout=0.05)
    assert late.symbol == "TIMEOUT" and late.data["waited"] >= 0.05 and late.data["owner"]["owner"] == "connection"
    first = b.request("semaphore.acquire", name="s")
    waited(mpd, "s", 1)
    second = c.request("semaphore.acquire", name="s")
    waited(mpd, "s", 2)
    b.call("cancel", id=first)
    assert error(b, first).symbol == "CANCELLED"
    a.call("semaphore.release", name="s")
    assert c.reply(second)["value"] == 0


def test_unowned_is_a_number(mpd, connect):
    a, b = connect(), connect()
    a.call("semaphore.create", name="s", value=0, unowned=True)
    waiting = [b.request("semaphore.acquire", name="s") for _ in range(3)]
    waited(mpd, "s", 3)
    assert a.call("semaphore.release", name="s", n=4) == {"value": 4}  # handed on when the turn ends
    assert [b.reply(w) for w in waiting] == [{"value": 3}, {"value": 2}, {"value": 1}]
    assert info(mpd, "s")["holders"] == 0
    b.close()
    assert value(mpd) == 1  # what a client took is gone with it
    again(mpd)
    assert value(mpd) == 1


def test_killed_holder(mpd, puppet, connect):
    p, c = puppet(), connect()
    p.call("semaphore.acquire", name="s", value=3, n=2)
    p.call("semaphore.acquire", name="s")
    waiting = c.request("semaphore.acquire", name="s", n=3)
    waited(mpd, "s", 1)
    p.kill()
    assert c.reply(waiting)["value"] == 0


def test_killed_engine(mpd, connect):
    a, b = Client(mpd), Client(mpd)
    a.call("semaphore.acquire", name="s", value=2)
    token = a.call("semaphore.acquire", name="s")["token"]
    b.call("mpd.ping")
    waiting = b.post("semaphore.acquire", name="s", n=1)
    waited(mpd, "s", 1)
    connect().call("semaphore.acquire", name="other", value=1)
    again(mpd)
    assert value(mpd) == 0
    assert value(mpd, "other") == 1  # its connection is gone, and had no session
    assert a.call("semaphore.release", name="s", token=token) == {"value": 1}
    assert b.wait(waiting)["value"] == 0
    a.close()
    b.close()
