# SPDX-License-Identifier: MIT
"""Barriers over the wire: all go on together, or none does and everyone is told why."""
import pytest
from harness import Client, RpcError, until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401


def state(mpd):
    return mpd.rpc("barrier.info", name="b")


def waiters(mpd, clients, **params):
    """A wait of each of them, in this order."""
    numbers = []
    for n, client in enumerate(clients, 1):
        numbers.append(client.request("barrier.wait", name="b", **params))
        waited(mpd, "b", n)
    return numbers


def causes(clients, numbers):
    wrong = [error(c, n) for c, n in zip(clients, numbers)]
    assert {w.symbol for w in wrong} == {"BROKEN"}
    return {w.data["cause"] for w in wrong}


def test_generations(mpd, connect):
    clients = [connect() for _ in range(4)]
    mpd.rpc("barrier.create", name="b", parties=4)
    for generation in range(3):
        numbers = waiters(mpd, clients[:3])
        assert state(mpd) == {"parties": 4, "n_waiting": 3, "broken": False, "generation": generation, "registered": 0}
        assert clients[3].call("barrier.wait", name="b") == {"index": 3, "generation": generation}
        assert [c.reply(n) for c, n in zip(clients, numbers)] == [{"index": i, "generation": generation}
                                                                  for i in range(3)]
    assert state(mpd)["n_waiting"] == 0


def test_action(mpd, connect):
    """The last runs it; the others, and who comes again meanwhile, wait for its end."""
    clients = [connect() for _ in range(3)]
    a, b, last = clients
    mpd.rpc("barrier.create", name="b", parties=3, action=True)
    numbers = waiters(mpd, [a, b])
    assert last.call("barrier.wait", name="b") == {"index": 2, "generation": 0, "run_action": True}
    assert info(mpd, "b")["waiters"] == 2 and state(mpd)["n_waiting"] == 0
    assert refused(a, "barrier.action_done", name="b", generation=0).symbol == "NOT_OWNER"
    assert refused(last, "barrier.action_done", name="b", generation=1).symbol == "NOT_HELD"
    early = []
    for n in (3, 4, 5):
        early.append(last.request("barrier.wait", name="b"))
        waited(mpd, "b", n)
    assert last.call("barrier.action_done", name="b", generation=0) == {}
    assert [c.reply(n)["index"] for c, n in zip([a, b], numbers)] == [0, 1]
    assert last.reply(early[2]) == {"index": 2, "generation": 1, "run_action": True}
    assert refused(last, "barrier.action_done", name="b", generation=0).symbol == "STALE_TOKEN"
    last.call("barrier.action_done", name="b", generation=1, ok=True)
    assert [last.reply(n)["index"] for n in early[:2]] == [0, 1]
    assert refused(last, "barrier.action_done", name="b", generation=2).symbol == "NOT_HELD"


def test_failed_action(mpd, connect):
    a, b = connect(), connect()
    number = a.request("barrier.wait", name="b", parties=2)
    waited(mpd, "b", 1)
    assert b.call("barrier.wait", name="b", action=True)["run_action"] is True
    assert b.call("barrier.action_done", name="b", generation=0, ok=False) == {}
    assert causes([a], [number]) == {"action"}
    assert refused(b, "barrier.action_done", name="b", generation=0).data["cause"] == "action"


def test_killed_in_its_action(mpd, puppet, connect):
    a, p = connect(), puppet()
    number = a.request("barrier.wait", name="b", parties=2)
    waited(mpd, "b", 1)
    assert p.call("barrier.wait", name="b", action=True)["run_action"] is True
    p.kill()
    wrong = error(a, number)
    assert wrong.data["cause"] == "death" and wrong.data["who"]["pid"] == p.pid


@pytest.mark.parametrize("cause", ["timeout", "abort", "reset", "death", "registered", "cancel", "hung up"])
def test_broken_for_all(mpd, puppet, connect, cause):
    a, b, other = connect(), connect(), puppet()
    mpd.rpc("barrier.create", name="b", parties=4)
    numbers = waiters(mpd, [a, b])
    if cause == "timeout":
        wrong = refused(other, "barrier.wait", name="b", timeout=0.05)
        assert wrong.symbol == "BROKEN" and wrong.data["who"]["pid"] == other.pid
    elif cause in ("abort", "reset"):
        assert other.call("barrier." + cause, name="b") == {}
    elif cause == "registered":
        assert other.call("barrier.register", name="b") == {}
        assert state(mpd)["registered"] == 1
        other.kill()
    else:
        number = other.request("barrier.wait", name="b")
        waited(mpd, "b", 3)
        if cause == "death":
            other.kill()
        elif cause == "cancel":
            other.request("cancel", id=number)
            assert error(other, number).symbol == "CANCELLED"
        else:
            other.close()
    told = {"registered": "death", "hung up": "death"}.get(cause, cause)
    wrong = [error(c, n) for c, n in zip([a, b], numbers)]
    assert [w.data["cause"] for w in wrong] == [told] * 2
    if told not in ("abort", "reset"):
        assert {w.data["who"]["pid"] for w in wrong} == {other.pid}
        assert str(other.pid) in wrong[0].message
    assert state(mpd)["broken"] is (cause != "reset")
    if cause != "reset":
        assert state(mpd)["cause"] == told
        assert refused(a, "barrier.wait", name="b").data["cause"] == told
        assert mpd.rpc("barrier.reset", name="b") == {}
    numbers = waiters(mpd, [a, b, connect()])[:2]
    assert connect().call("barrier.wait", name="b")["index"] == 3
    assert [c.reply(n)["index"] for c, n in zip([a, b], numbers)] == [0, 1]


def test_completed_is_not_broken(mpd, puppet, connect):
    """Who dies after all have come takes nobody with it."""
    p, a = puppet(), connect()
    p.request("barrier.wait", name="b", parties=2)
    waited(mpd, "b", 1)
    assert a.call("barrier.wait", name="b") == {"index": 1, "generation": 0}
    p.kill()
    until(lambda: info(mpd, "b")["waiters"] == 0)
    assert state(mpd)["broken"] is False


def test_timeouts(mpd, connect):
    a, b = connect(), connect()
    mpd.rpc("barrier.create", name="b", parties=2, timeout=0.05)
    assert refused(a, "barrier.wait", name="b").data["cause"] == "timeout"
    mpd.rpc("barrier.reset", name="b")
    number = a.request("barrier.wait", name="b", timeout=60)
    waited(mpd, "b", 1)
    assert b.call("barrier.wait", name="b", timeout=0) == {"index": 1, "generation": 1}
    assert a.reply(number)["index"] == 0
    assert refused(a, "barrier.wait", name="b", timeout=0).symbol == "BROKEN"


def test_registered_parties(mpd, connect):
    a, b = connect(), connect()
    assert refused(a, "barrier.register", name="b").symbol == "NOT_FOUND"
    a.call("barrier.register", name="b", parties=2)
    a.call("barrier.register", name="b")
    assert state(mpd)["registered"] == 1
    assert refused(b, "barrier.unregister", name="b").symbol == "NOT_HELD"
    assert refused(b, "object.delete", name="b").symbol == "BUSY"
    assert a.call("barrier.unregister", name="b") == {}
    a.close()
    b.call("object.delete", name="b")


def test_errors(mpd, connect):
    c = connect()
    for verb, params in (("wait", {}), ("info", {}), ("reset", {}), ("abort", {}), ("unregister", {}),
                         ("action_done", {"generation": 0})):
        assert refused(c, "barrier." + verb, name="b", **params).symbol == "NOT_FOUND"
    for parties in (0, -1, 10**7):
        assert refused(c, "barrier.wait", name="b", parties=parties).symbol == "PARAMS"
        assert refused(c, "barrier.create", name="b", parties=parties).symbol == "PARAMS"
    c.call("barrier.create", name="b", parties=2)
    assert refused(c, "barrier.wait", name="b", parties=3).symbol == "SHAPE_MISMATCH"
    assert refused(c, "barrier.create", name="b", parties=2).symbol == "EXISTS"
    for shape in ({"parties": 3}, {"parties": 2, "action": True}, {"parties": 2, "timeout": 1}):
        assert refused(c, "barrier.create", name="b", exist_ok=True, **shape).symbol == "SHAPE_MISMATCH"
    number = c.request("barrier.wait", name="b")
    waited(mpd, "b", 1)
    mpd.rpc("object.delete", name="b")
    assert error(c, number).symbol == "DELETED"


def test_killed_engine(mpd):
    """A generation in which somebody waited is broken, whoever sends its wait again; others go on."""
    a, b = Client(mpd), Client(mpd)
    mpd.rpc("barrier.create", name="idle", parties=1)
    mpd.rpc("barrier.wait", name="idle")
    a.call("barrier.register", name="idle")
    a.call("mpd.ping")
    number = a.post("barrier.wait", name="b", parties=2)
    waited(mpd, "b", 1)
    again(mpd)
    assert state(mpd)["cause"] == "engine"
    mpd.rpc("barrier.reset", name="b")
    with pytest.raises(RpcError) as wrong:
        a.wait(number)
    assert wrong.value.symbol == "BROKEN" and wrong.value.data["cause"] == "engine"
    assert mpd.rpc("barrier.info", name="idle") == {"parties": 1, "n_waiting": 0, "broken": False, "generation": 1,
                                                    "registered": 1}
    number = a.post("barrier.wait", name="b")
    waited(mpd, "b", 1)
    assert b.call("barrier.wait", name="b")["index"] == 1
    assert a.wait(number)["index"] == 0
    a.close()
    b.close()
