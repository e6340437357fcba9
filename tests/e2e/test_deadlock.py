# SPDX-License-Identifier: MIT
"""Deadlocks over the wire: who closes the ring is told at once, with all of it; and nobody is accused who can go on."""
import pytest
from harness import MPCTL, until
from puppets import connect, error, info, puppet, refused, waited  # noqa: F401


class Lock:
    """How each kind of thing that can be held is held, and let go."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.verbs = "condition" if kind == "condition" else kind

    def make(self, client):
        if self.kind == "semaphore":
            client.call("semaphore.create", name=self.name, value=1)

    def ask(self, client, **params):
        return client.request(f"{self.verbs}.acquire", name=self.name, **params)

    def take(self, client, **params):
        return client.reply(self.ask(client, **params))

    def let_go(self, client, **params):
        return client.call(f"{self.verbs}.release", name=self.name, **params)


def ring(connect, kinds):
    """As many owners as kinds; each has one thing. Returns the pairs."""
    locks = [Lock(f"x{i}", kind) for i, kind in enumerate(kinds)]
    clients = [connect() for _ in locks]
    for client, lock in zip(clients, locks):
        lock.make(client)
        lock.take(client)
    return clients, locks


def graph(mpd):
    return mpd.rpc("graph.get")


KINDS = ["lock", "rlock", "semaphore", "condition"]


@pytest.mark.parametrize("kinds", [["lock"] * 2, ["rlock"] * 2, ["semaphore"] * 2, ["condition"] * 2,
                                   ["lock", "rlock", "semaphore"], ["condition", "semaphore", "lock"],
                                   KINDS * 5], ids=lambda k: f"{len(k)}-{k[0]}")
def test_ring(mpd, connect, kinds):
    clients, locks = ring(connect, kinds)
    numbers = []
    for i, client in enumerate(clients[:-1]):
        numbers.append(locks[i + 1].ask(client))
        waited(mpd, locks[i + 1].name, 1)
    assert graph(mpd)["deadlocks"] == [] and len(graph(mpd)["waits"]) == len(kinds) - 1
    wrong = error(clients[-1], locks[0].ask(clients[-1]))
    assert wrong.symbol == "DEADLOCK"
    cycle = wrong.data["cycle"]
    assert sorted(e["object"] for e in cycle) == sorted(lock.name for lock in locks)
    assert {(e["object"], e["kind"]) for e in cycle} == {(lock.name, lock.kind) for lock in locks}
    locks[-1].let_go(clients[-1])  # it still has what it had, and the others go on when that is free
    for i in reversed(range(len(numbers))):
        clients[i].reply(numbers[i])
        locks[i + 1].let_go(clients[i])
        locks[i].let_go(clients[i])


def test_alone(mpd, connect):
    c = connect()
    c.call("lock.acquire", name="l")
    wrong = refused(c, "lock.acquire", name="l")
    assert wrong.symbol == "DEADLOCK" and len(wrong.data["cycle"]) == 1
    assert refused(c, "lock.acquire", name="l", timeout=0).symbol == "WOULD_BLOCK"
    assert refused(c, "lock.acquire", name="l", timeout=0.05).symbol == "TIMEOUT"


def test_a_wait_that_ends_by_itself(mpd, connect):
    """A ring with a deadline in it is told of, and ends with that."""
    (a, b), (x, y) = ring(connect, ["lock", "lock"])
    timed = y.ask(a, timeout=0.3)
    waited(mpd, "x1", 1)
    waiting = x.ask(b)
    told = until(lambda: graph(mpd)["deadlocks"])
    assert sorted(e["object"] for e in told[0]["cycle"]) == ["x0", "x1"]
    late = error(a, timed)
    assert late.symbol == "TIMEOUT" and len(late.data["cycle"]) == 2
    x.let_go(a)
    b.reply(waiting)


def test_another_thread_can_act(mpd, connect):
    """A holds x in one thread and y in another that waits for nothing."""
    a, b = connect(), connect()
    a.call("lock.acquire", name="x", tag="1")
    a.call("lock.acquire", name="free", tag="2")
    b.call("lock.acquire", name="y")
    waiting_b = b.request("lock.acquire", name="x")
    waited(mpd, "x", 1)
    waiting_a = a.request("lock.acquire", name="y", tag="1")
    waited(mpd, "y", 1)
    assert graph(mpd)["deadlocks"] == []
    a.call("lock.release", name="x", tag="2")
    b.reply(waiting_b)
    b.call("lock.release", name="y")
    a.reply(waiting_a)


def test_any_owner(mpd, connect):
    """What anybody may release has no ring."""
    a, b, c = connect(), connect(), connect()
    for client, name in ((a, "x"), (b, "y")):
        client.call("lock.create", name=name, any_owner=True)
        client.call("lock.acquire", name=name)
    waiting_a = a.request("lock.acquire", name="y")
    waited(mpd, "y", 1)
    waiting_b = b.request("lock.acquire", name="x")
    waited(mpd, "x", 1)
    c.call("lock.release", name="y")
    a.reply(waiting_a)
    c.call("lock.release", name="x")
    b.reply(waiting_b)


def test_a_permit_elsewhere(mpd, connect):
    """One of the semaphore's holders can still release."""
    a, b, free = connect(), connect(), connect()
    a.call("semaphore.acquire", name="s", value=2)
    free.call("semaphore.acquire", name="s")
    b.call("lock.acquire", name="l")
    waiting_a = a.request("lock.acquire", name="l")
    waited(mpd, "l", 1)
    waiting_b = b.request("semaphore.acquire", name="s")
    waited(mpd, "s", 1)
    assert graph(mpd)["deadlocks"] == []
    free.call("semaphore.release", name="s")
    b.reply(waiting_b)
    b.call("lock.release", name="l")
    a.reply(waiting_a)


def test_unowned(mpd, connect):
    a, b = connect(), connect()
    a.call("semaphore.acquire", name="s", value=1, unowned=True)
    b.call("lock.acquire", name="l")
    a.request("lock.acquire", name="l")
    waited(mpd, "l", 1)
    waiting = b.request("semaphore.acquire", name="s")
    waited(mpd, "s", 1)
    mpd.rpc("semaphore.release", name="s")
    b.reply(waiting)


def test_a_ring_of_others(mpd, connect):
    """Who only waits for stuck ones is no part of their ring."""
    (a, b), (x, y) = ring(connect, ["lock", "lock"])
    y.ask(a, timeout=60)
    waited(mpd, "x1", 1)
    x.ask(b)
    until(lambda: graph(mpd)["deadlocks"])
    c = connect()
    c.call("lock.acquire", name="own")
    number = x.ask(c)
    waited(mpd, "x0", 2)
    assert len(graph(mpd)["deadlocks"]) == 1
    c.call("cancel", id=number)
    assert error(c, number).symbol == "CANCELLED"


def test_waiting_to_be_notified_is_no_ring(mpd, connect):
    a, b = connect(), connect()
    a.call("lock.acquire", name="l")
    a.call("condition.acquire", name="c")
    waiting = a.request("condition.wait", name="c")
    until(lambda: info(mpd, "c")["state"]["waiting"] == 1)
    b.call("condition.acquire", name="c")
    number = b.request("lock.acquire", name="l")
    waited(mpd, "l", 1)
    assert graph(mpd)["deadlocks"] == []
    mpd.rpc("condition.release", name="c", token=info(mpd, "c")["holds"][0]["token"])
    third = connect()
    third.call("condition.acquire", name="c")
    third.call("condition.notify", name="c")
    third.call("condition.release", name="c")
    assert a.reply(waiting)["notified"] is True
    a.call("lock.release", name="l")
    b.reply(number)


# --- joins ---------------------------------------------------------------------------------------------------------

def test_join_closes_the_ring(mpd, connect):
    c = connect()
    c.call("lock.acquire", name="l")
    mpd.inside("exec mpctl lock l -- true", name="B")
    waited(mpd, "l", 1)
    wrong = refused(c, "process.join", targets=["B"])
    assert wrong.symbol == "DEADLOCK"
    assert [e.get("process") or e["object"] for e in wrong.data["cycle"]] == ["B", "l"]
    number = c.request("process.join", targets=["B"], timeout=60)
    until(lambda: any(w["what"] == "process.join" for w in graph(mpd)["waits"]))
    assert len(graph(mpd)["deadlocks"]) == 1  # told, for it ends by itself
    c.call("lock.release", name="l")
    assert c.reply(number)["processes"][0]["exitcode"] == 0
    assert graph(mpd) == {"waits": [], "deadlocks": []}


def test_acquire_closes_the_ring(mpd, fifo):
    """`mpctl lock l -- mpctl join B`, and then B wants l."""
    go, said = fifo("go"), fifo("said")
    b = mpd.inside(f"read line < {go.path}; exec mpctl lock l -- true 2> {said.path}", name="B")
    a = mpd.inside(f"exec mpctl lock l -- {MPCTL} join B", name="A")
    until(lambda: any(w["what"] == "process.join" for w in graph(mpd)["waits"]))
    assert graph(mpd)["waits"][0]["waiter"]["process"] == "A"
    with open(go.path, "w") as let:
        let.write("\n")
    line = said.line()
    assert "would wait for ever" in line and "the end of" in line and str(a["pid"]) in line and str(b["pid"]) in line
    ended = {p["name"]: p["exitcode"] for p in mpd.join("A", "B")["processes"]}
    assert ended["B"] == 1


def test_three_with_a_join(mpd, connect, fifo):
    """The process wants what one has who wants what the joiner has."""
    a, b = connect(), connect()
    a.call("lock.acquire", name="x")
    b.call("lock.acquire", name="y")
    waiting = b.request("lock.acquire", name="x")
    waited(mpd, "x", 1)
    mpd.inside("exec mpctl lock y -- true", name="P")
    waited(mpd, "y", 1)
    wrong = refused(a, "process.join", targets=["P"])
    assert wrong.symbol == "DEADLOCK" and len(wrong.data["cycle"]) == 3
    a.call("lock.release", name="x")
    b.reply(waiting)
    b.call("lock.release", name="y")
    assert a.call("process.join", targets=["P"])["done"] is True


def test_joins_that_end(mpd, connect):
    """Of one that can go on, of any of two, of one that waits for somebody else."""
    c, other = connect(), connect()
    c.call("lock.acquire", name="l")
    other.call("lock.acquire", name="m")
    mpd.inside("exec mpctl lock l -- true", name="stuck")
    mpd.inside("exec mpctl lock m -- true", name="waits")
    mpd.inside("exec sleep 1000", name="sleeps")
    waited(mpd, "l", 1)
    waited(mpd, "m", 1)
    numbers = [c.request("process.join", targets=["waits"]), c.request("process.join", targets=["stuck", "waits"], any=True),
               c.request("process.join", targets=["sleeps"])]
    until(lambda: sum(w["what"] == "process.join" for w in graph(mpd)["waits"]) == 3)
    assert graph(mpd)["deadlocks"] == []
    other.call("lock.release", name="m")
    assert c.reply(numbers[0])["done"] is True
    assert c.reply(numbers[1])["done"] is True
    mpd.rpc("process.kill", targets=["sleeps"])
    assert c.reply(numbers[2])["done"] is True


def test_killed_joiner_leaves(mpd, puppet):
    p = puppet()
    p.call("lock.acquire", name="l")
    mpd.inside("exec sleep 1000", name="sleeps")
    p.request("process.join", targets=["sleeps"])
    until(lambda: graph(mpd)["waits"])
    p.kill()
    until(lambda: not graph(mpd)["waits"])
    mpd.rpc("process.kill", targets=["sleeps"])
