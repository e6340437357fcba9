# SPDX-License-Identifier: MIT
"""Conditions over the wire: the lock goes and comes back with the wait, and no notify is lost."""
import pytest
from harness import Client, until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401


def waiting_for(mpd, n, name="c"):
    until(lambda: info(mpd, name)["state"]["waiting"] == n, what=f"{n} wait to be notified")


def locked_wait(client, name="c", **params):
    client.call("condition.acquire", name=name)
    return client.request("condition.wait", name=name, **params)


def notify(client, name="c", n=1):
    client.call("condition.acquire", name=name)
    woken = client.call("condition.notify", name=name, n=n)["notified"]
    client.call("condition.release", name=name)
    return woken


def test_wait_and_notify_in_order(mpd, connect):
    clients = [connect() for _ in range(4)]
    waiting = []
    for n, c in enumerate(clients):
        waiting.append(locked_wait(c))
        waiting_for(mpd, n + 1)
    d = connect()
    assert notify(d, n=2) == 2
    for c, w in list(zip(clients, waiting))[:2]:
        got = c.reply(w)
        assert got["notified"] is True and got["depth"] == 1
        assert c.call("condition.release", name="c") == {"depth": 0}
    d.call("condition.acquire", name="c")
    assert d.call("condition.notify_all", name="c") == {"notified": 2}
    d.call("condition.release", name="c")
    for c, w in list(zip(clients, waiting))[2:]:
        assert c.reply(w)["notified"] is True
        c.call("condition.release", name="c")
    assert notify(d) == 0


def test_lock_comes_back_as_it_was(mpd, connect):
    a, b = connect(), connect()
    for depth in (1, 2, 3):
        assert a.call("condition.acquire", name="c")["depth"] == depth
    waiting = a.request("condition.wait", name="c")
    waiting_for(mpd, 1)
    b.call("condition.acquire", name="c")  # all of it was let go
    b.call("condition.notify", name="c")
    assert info(mpd, "c")["waiters"] == 1  # for the lock
    b.call("condition.release", name="c")
    assert a.reply(waiting)["depth"] == 3
    assert [a.call("condition.release", name="c")["depth"] for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize("timeout", [0, 0.03])
def test_timeout_waits_for_the_lock(mpd, connect, timeout):
    a, b = connect(), connect()
    assert a.call("condition.acquire", name="c")
    assert a.call("condition.wait", name="c", timeout=timeout)["notified"] is False
    waiting_b = b.request("condition.acquire", name="c")
    waited(mpd, "c", 1)
    waiting_a = a.request("condition.wait", name="c", timeout=timeout)
    b.reply(waiting_b)  # let in while A waits, and for as long as it likes
    until(lambda: info(mpd, "c")["state"]["waiting"] == 0)
    assert b.call("condition.notify", name="c") == {"notified": 0}
    b.call("condition.release", name="c")
    assert a.reply(waiting_a)["notified"] is False
    assert a.call("condition.release", name="c") == {"depth": 0}


def test_cancel_ends_with_the_lock(mpd, connect):
    a, b = connect(), connect()
    waiting = locked_wait(a)
    waiting_for(mpd, 1)
    b.call("condition.acquire", name="c")
    a.send_line({"method": "cancel", "params": {"id": waiting}})
    until(lambda: info(mpd, "c")["state"]["waiting"] == 0)
    assert b.call("condition.notify", name="c") == {"notified": 0}
    b.call("condition.release", name="c")
    assert error(a, waiting).symbol == "CANCELLED"
    assert a.call("condition.release", name="c") == {"depth": 0}


def test_cancelled_after_the_notify(mpd, connect):
    """The notify is the next one's then."""
    a, b, c = connect(), connect(), connect()
    first = locked_wait(a)
    waiting_for(mpd, 1)
    second = locked_wait(b)
    waiting_for(mpd, 2)
    c.call("condition.acquire", name="c")
    c.call("condition.notify", name="c")
    a.send_line({"method": "cancel", "params": {"id": first}})
    until(lambda: info(mpd, "c")["state"]["waiting"] == 0)
    c.call("condition.release", name="c")
    assert error(a, first).symbol == "CANCELLED"
    a.call("condition.release", name="c")
    assert b.reply(second)["notified"] is True


@pytest.mark.parametrize("when", ["waiting", "notified"])
def test_killed_waiter(mpd, puppet, connect, when):
    p, b, c = puppet(), connect(), connect()
    locked_wait(p)
    waiting_for(mpd, 1)
    waiting = locked_wait(b)
    waiting_for(mpd, 2)
    c.call("condition.acquire", name="c")
    if when == "notified":
        c.call("condition.notify", name="c")
    p.kill()
    waited(mpd, "c", 1)
    if when == "waiting":
        assert c.call("condition.notify", name="c") == {"notified": 1}
    c.call("condition.release", name="c")
    assert b.reply(waiting)["notified"] is True


def test_errors(mpd, connect):
    a, b = connect(), connect()
    for verb in ("wait", "notify", "notify_all", "release"):
        assert refused(a, "condition." + verb, name="c").symbol == "NOT_FOUND"
    assert refused(a, "condition.acquire", name="c", no_create=True).symbol == "NOT_FOUND"
    a.call("condition.create", name="c")
    for verb in ("wait", "notify", "notify_all"):
        assert refused(a, "condition." + verb, name="c").symbol == "NOT_OWNER"
    assert refused(a, "condition.release", name="c").symbol == "NOT_HELD"
    a.call("condition.acquire", name="c")
    for verb in ("wait", "notify", "notify_all", "release"):
        wrong = refused(b, "condition." + verb, name="c")
        assert wrong.symbol == "NOT_OWNER" and wrong.data["owner"]["owner"] == "connection"
    assert refused(a, "condition.wait", name="c", tag="another thread").symbol == "NOT_OWNER"
    assert refused(a, "condition.notify", name="c", n=-1).symbol == "PARAMS"
    assert refused(a, "condition.create", name="c").symbol == "EXISTS"
    a.call("lock.acquire", name="l")
    assert refused(a, "condition.create", name="c", lock="l", exist_ok=True).symbol == "SHAPE_MISMATCH"
    assert refused(a, "condition.create", name="d", lock="c").symbol == "WRONG_KIND"
    assert refused(a, "condition.create", name="d", lock="none").symbol == "NOT_FOUND"


@pytest.mark.parametrize("kind", ["lock", "rlock"])
def test_with_another_lock(mpd, connect, kind):
    a, b = connect(), connect()
    a.call(f"{kind}.create", name="l")
    for name in ("c", "d"):
        a.call("condition.create", name=name, lock="l")
    a.call(f"{kind}.acquire", name="l")
    waiting = a.request("condition.wait", name="c")
    waiting_for(mpd, 1)
    b.call("condition.acquire", name="d")  # one lock, two conditions
    assert b.call("condition.notify", name="d") == {"notified": 0}
    assert b.call("condition.notify", name="c") == {"notified": 1}
    b.call(f"{kind}.release", name="l")
    token = a.reply(waiting)["token"]
    assert info(mpd, "l")["holds"][0]["token"] == token
    for doomed in ("c", "l"):
        waiting = a.request("condition.wait", name="c")
        waiting_for(mpd, 1)
        b.call("object.delete", name=doomed)
        assert error(a, waiting).symbol == "DELETED"
        if doomed == "c":
            a.call("condition.create", name="c", lock="l")
            a.call(f"{kind}.acquire", name="l")
    for verb in ("acquire", "release", "wait", "notify"):
        assert refused(a, "condition." + verb, name="c").symbol == "DELETED"


def test_strict_lock_of_a_dead_holder(mpd, puppet, connect):
    p, a = puppet(), connect()
    a.call("lock.create", name="l", robust="strict")
    a.call("condition.create", name="c", lock="l")
    waiting = locked_wait(a)
    waiting_for(mpd, 1)
    p.call("condition.acquire", name="c")
    p.call("condition.notify", name="c")
    p.kill()
    got = a.reply(waiting)
    assert got["notified"] is True and got["inconsistent"] is True and got["abandoned"]["pid"] == p.pid


def test_killed_engine(mpd, connect):
    """Nobody is left waiting for a notify that may have been: who sends its wait again has its lock back."""
    a, b, c = Client(mpd), Client(mpd), Client(mpd)
    for client in (a, b):
        client.call("condition.acquire", name="c")
        client.waiting = client.post("condition.wait", name="c")
        waited(mpd, "c", 1 if client is a else 2)
    token = c.call("condition.acquire", name="c")["token"]
    again(mpd)
    assert info(mpd, "c")["holds"][0]["token"] == token
    assert c.call("condition.release", name="c") == {"depth": 0}
    for client in (a, b):
        assert client.wait(client.waiting)["notified"] is True
        assert client.call("condition.release", name="c") == {"depth": 0}
    for client in (a, b, c):
        client.close()
