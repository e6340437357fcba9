# SPDX-License-Identifier: MIT
"""Queues over the wire: order, bounds, claims and what becomes of them, joins, dead letters, bytes."""
import base64
import json
import os

import pytest
from harness import RpcError, until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401

ITEMS = ["0", "-0", "1e400", "12345678901234567890123456789", "1.0", "1.10", '"a\\u0062\\n"', '"\\ud83d\\ude00"',
         "null", "true", "[]", '{"b":1,"a":[1, 2 ,{}]}', '{"b64":"AAE="}', '""']


def create(client, **shape):
    return client.call("queue.create", name="q", **shape)


def put(client, *items, **params):
    return [client.call("queue.put", name="q", item=item, **params)["id"] for item in items]


def get(client, **params):
    return client.call("queue.get", name="q", timeout=0, **params)


def drain(client):
    got = []
    while True:
        try:
            got.append(get(client)["item"])
        except RpcError as fault:
            assert fault.symbol == "EMPTY"
            return got


def size(mpd, queue="q"):
    return mpd.rpc("queue.size", name=queue)["size"]


def test_items_come_back_as_they_went_in(mpd, connect):
    c = connect()
    for text in ITEMS:
        for line in (f'{{"id":1,"method":"queue.put","params":{{"name":"q","item":{text}}}}}',
                     '{"id":2,"method":"queue.get","params":{"name":"q"}}'):
            c.sock.sendall(line.encode() + b"\n")
        lines = b""
        while lines.count(b"\n") < 2:
            lines += c.sock.recv(65536)
        assert f'"item":{text}}}}}\n' in lines.decode(), lines


@pytest.mark.parametrize("n", [0, 1, 16383, 16384, 65536, 1 << 20, 5 << 20])
def test_bytes_and_long_items(mpd, connect, n):
    c = connect()
    data = os.urandom(n)
    c.sock.sendall(b'{"id":"p","method":"queue.put","params":{"name":"q"},"raw":%d}\n' % n + data)
    c.sock.sendall(b'{"id":"g","method":"queue.get","params":{"name":"q","want":"raw"}}\n')
    stream = c.sock.makefile("rb")
    assert json.loads(stream.readline())["id"] == "p"
    head = json.loads(stream.readline())
    assert head["raw"] == n and head["result"]["bytes"] is True and stream.read(n) == data
    stream.close()
    d = connect()
    text = "x" * n
    put(d, text, {"b64": base64.b64encode(data).decode()})
    assert get(d)["item"] == text
    d.sock.sendall(b'{"id":"g","method":"queue.get","params":{"name":"q","want":"raw"}}\n')
    stream = d.sock.makefile("rb")
    assert json.loads(stream.readline())["raw"] == n and stream.read(n) == data


@pytest.mark.parametrize("shape, expected", [
    ({}, [3, 1, 2, 1]), ({"lifo": True}, [1, 2, 1, 3]), ({"priority": True}, [1, 1, 2, 3])])
def test_order(mpd, connect, shape, expected):
    """Also of what comes back, and over an engine's death."""
    c, other = connect(), connect()
    create(c, **shape)
    for n in (3, 1, 2, 1):
        put(c, n, **({"priority": n} if "priority" in shape else {}))
    claims = [get(other, ack="manual") for _ in range(3)]
    assert [claim["item"] for claim in claims] == expected[:3]
    c.call("queue.nack", name="q", claim=claims[1]["claim"])
    again(mpd)
    c = connect()
    assert drain(c) == expected


def test_a_put_waits_for_room_and_in_turn(mpd, connect):
    a, b, c = connect(), connect(), connect()
    create(a, maxsize=2)
    put(a, 1, 2)
    assert mpd.rpc("queue.full", name="q") == {"full": True}
    assert refused(a, "queue.put", name="q", item=3, timeout=0).symbol == "FULL"
    late = refused(a, "queue.put", name="q", item=3, timeout=0.05)
    assert late.symbol == "FULL" and late.data["size"] == 2
    two = b.request("queue.put", name="q", items=[3, 4])
    waited(mpd, "q", 1)
    one = c.request("queue.put", name="q", item=5)
    waited(mpd, "q", 2)
    assert get(a)["item"] == 1  # there is room for one, but two wait before it
    assert size(mpd) == 1
    assert get(a)["item"] == 2
    assert len(b.reply(two)["ids"]) == 2 and size(mpd) == 2
    assert get(a)["item"] == 3
    c.reply(one)
    assert drain(a) == [4, 5]


def test_a_put_that_gives_up_makes_room_for_the_next(mpd, connect):
    a, b, c = connect(), connect(), connect()
    create(a, maxsize=2)
    put(a, 1)
    two = b.request("queue.put", name="q", items=[2, 3])
    waited(mpd, "q", 1)
    one = c.request("queue.put", name="q", item=4)
    waited(mpd, "q", 2)
    b.call("cancel", id=two)
    assert error(b, two).symbol == "CANCELLED"
    c.reply(one)
    assert drain(a) == [1, 4]


def test_bounds_in_bytes(mpd, connect):
    c = connect()
    create(c, max_bytes=10)
    assert refused(c, "queue.put", name="q", item="x" * 20).symbol == "TOO_LARGE"
    put(c, "123456")
    assert refused(c, "queue.put", name="q", item="123456", timeout=0).symbol == "FULL"
    assert refused(c, "queue.put", name="q", items=[1] * 20).symbol == "TOO_LARGE"


def test_getters_are_served_in_turn(mpd, connect):
    getters = [connect() for _ in range(5)]
    create(getters[0])
    numbers = []
    for n, c in enumerate(getters, 1):
        numbers.append(c.request("queue.get", name="q"))
        waited(mpd, "q", n)
    put(connect(), "a", "b", "c", "d", "e")
    assert [c.reply(number)["item"] for c, number in zip(getters, numbers)] == ["a", "b", "c", "d", "e"]


def test_many_at_once(mpd, connect):
    c = connect()
    ids = c.call("queue.put", name="q", items=[1, 2, 3, 4])["ids"]
    assert ids == sorted(ids) and len(set(ids)) == 4
    assert [item["item"] for item in get(c, max=3)["items"]] == [1, 2, 3]
    assert [item["item"] for item in get(c, max=3)["items"]] == [4]
    assert refused(c, "queue.get", name="q", timeout=0, max=3).symbol == "EMPTY"
    for wrong in ({"items": []}, {"items": 1}, {}, {"item": 1, "items": [1]}):
        assert refused(c, "queue.put", name="q", **wrong).symbol == "PARAMS"


def test_claims(mpd, connect):
    """A claim's number is the right to settle it; once."""
    a, b = connect(), connect()
    put(a, "x", "y")
    first = get(a, ack="manual")
    assert size(mpd) == 1 and info(mpd, "q")["state"]["claimed"] == 1
    b.call("queue.ack", name="q", claim=first["claim"])
    for verb in ("ack", "nack", "extend"):
        assert refused(a, f"queue.{verb}", name="q", claim=first["claim"], **(
            {"ttr": 1} if verb == "extend" else {})).symbol == "STALE_TOKEN"
    second = get(b, ack="manual")
    assert second["claim"] > first["claim"] and "redelivered" not in second
    b.call("queue.nack", name="q", claim=second["claim"])
    assert get(a)["redelivered"] == 1


def test_a_dead_consumers_items_go_back_to_their_places(mpd, connect, puppet):
    c, victim = connect(), puppet()
    put(c, *range(6))
    claims = [victim.call("queue.get", name="q", ack="manual") for _ in range(4)]
    c.call("queue.ack", name="q", claim=claims[1]["claim"])
    victim.kill()
    until(lambda: size(mpd) == 5)
    back = [get(c) for _ in range(5)]
    assert [item["item"] for item in back] == [0, 2, 3, 4, 5]
    assert [item.get("redelivered", 0) for item in back] == [1, 1, 1, 0, 0]


def test_time_to_run(mpd, connect):
    c = connect()
    create(c, ttr=0.3)
    put(c, "x")
    claim = get(c, ack="manual")["claim"]
    c.call("queue.extend", name="q", claim=claim, ttr=60)
    c.call("queue.extend", name="q", claim=claim)
    assert c.call("queue.get", name="q")["redelivered"] == 1  # waited for the claim's end
    assert refused(c, "queue.ack", name="q", claim=claim).symbol == "STALE_TOKEN"


def test_dead_letters(mpd, connect, puppet):
    c = connect()
    create(c, max_deliveries=3, dead_letter="letters", joinable=True)
    c.call("queue.create", name="letters")
    put(c, {"seat": 7})
    for _ in range(2):
        c.call("queue.nack", name="q", claim=get(c)["claim"])
    victim = puppet()
    assert victim.call("queue.get", name="q")["redelivered"] == 2
    victim.kill()
    letter = c.call("queue.get", name="letters")["item"]
    assert letter["item"] == {"seat": 7} and letter["reason"] == "died" and letter["deliveries"] == 3
    assert letter["queue"] == "q" and letter["who"]["pid"] == victim.pid
    assert c.call("queue.join", name="q", timeout=0) == {"unfinished": 0}
    assert c.call("queue.stats", name="q")["dead"] == 1


def test_without_a_place_for_dead_letters_nothing_is_lost(mpd, connect):
    c = connect()
    create(c, max_deliveries=1)
    put(c, "x")
    for n in range(8):
        item = get(c, ack="manual")
        assert item.get("redelivered", 0) == n
        c.call("queue.nack", name="q", claim=item["claim"])


def test_letters_in_letters_have_an_end(mpd, connect):
    c, sizes = connect(), lambda: [mpd.rpc("queue.size", name=name)["size"] for name in "ab"]
    for name, other in ("ab", "ba"):
        c.call("queue.create", name=name, dead_letter=other, max_deliveries=1)
    c.call("queue.put", name="a", item=1)
    for _ in range(40):
        name = "ab"[sizes()[1]]
        item = c.call("queue.get", name=name, ack="manual", timeout=0)
        c.call("queue.nack", name=name, claim=item["claim"])
    before = sizes()
    mpd.kill_engine()
    assert sum(before) == 1 and sizes() == before


def test_joins(mpd, connect):
    c, worker, waiter = connect(), connect(), connect()
    create(c, joinable=True)
    assert c.call("queue.join", name="q", timeout=0) == {"unfinished": 0}
    put(c, 1, 2)
    nothing = refused(worker, "queue.task_done", name="q")
    assert nothing.symbol == "OVER_RELEASE"
    late = refused(c, "queue.join", name="q", timeout=0.05)
    assert late.symbol == "TIMEOUT" and late.data["unfinished"] == 2
    joined = waiter.request("queue.join", name="q")
    waited(mpd, "q", 1)
    first, second = get(worker), get(worker)
    assert worker.call("queue.task_done", name="q") == {"unfinished": 1}
    assert refused(c, "queue.ack", name="q", claim=first["claim"]).symbol == "STALE_TOKEN"  # the oldest was meant
    assert worker.call("queue.task_done", name="q", claim=second["claim"]) == {"unfinished": 0}
    assert waiter.reply(joined) == {"unfinished": 0}
    assert refused(worker, "queue.task_done", name="q").symbol == "OVER_RELEASE"


def test_closing(mpd, connect):
    a, b, c = connect(), connect(), connect()
    create(a, maxsize=1)
    put(a, 1)
    putting = b.request("queue.put", name="q", item=2)
    waited(mpd, "q", 1)
    a.call("queue.close", name="q")
    assert error(b, putting).symbol == "CLOSED"
    assert get(a)["item"] == 1
    assert refused(a, "queue.get", name="q").symbol == "CLOSED"
    assert refused(c, "queue.put", name="q", item=3).symbol == "CLOSED"
    again(mpd)
    assert refused(connect(), "queue.get", name="q").symbol == "CLOSED"


def test_pausing(mpd, connect):
    a, b = connect(), connect()
    put(a, 1)
    a.call("queue.pause", name="q")
    assert refused(a, "queue.get", name="q", timeout=0).symbol == "EMPTY"
    getting = b.request("queue.get", name="q")
    waited(mpd, "q", 1)
    a.call("queue.pause", name="q", paused=False)
    assert b.reply(getting)["item"] == 1


def test_deletion(mpd, connect):
    a, b = connect(), connect()
    put(a, 1)
    assert refused(a, "object.delete", name="q").symbol == "BUSY"
    get(a)
    getting = b.request("queue.get", name="q")
    waited(mpd, "q", 1)
    a.call("object.delete", name="q")  # what was read is no longer in it
    assert error(b, getting).symbol == "DELETED"
    assert refused(a, "queue.size", name="q").symbol == "NOT_FOUND"


def test_a_simple_queue_has_three_verbs(mpd, connect):
    c = connect()
    create(c, simple=True)
    put(c, 1)
    assert c.call("queue.empty", name="q") == {"empty": False} and get(c)["item"] == 1
    for verb in ("size", "full", "peek", "task_done", "join", "stats"):
        assert refused(c, f"queue.{verb}", name="q").symbol == "SHAPE_MISMATCH"


def test_shapes(mpd, connect):
    c = connect()
    assert create(c, maxsize=3) == {"created": True}
    assert refused(c, "queue.create", name="q", maxsize=3).symbol == "EXISTS"
    assert c.call("queue.create", name="q", maxsize=3, exist_ok=True) == {"created": False}
    assert refused(c, "queue.create", name="q", exist_ok=True).symbol == "SHAPE_MISMATCH"
    assert refused(c, "lock.acquire", name="q").symbol == "WRONG_KIND"
    assert refused(c, "queue.get", name="none").symbol == "NOT_FOUND"
    for wrong in ({"lifo": True, "priority": True}, {"maxsize": -1}, {"simple": True, "joinable": True}):
        assert refused(c, "queue.create", name="w", **wrong).symbol == "PARAMS"


def test_peek_leaves_it(mpd, connect):
    c = connect()
    put(c, 1, 2)
    assert c.call("queue.peek", name="q")["item"] == 1 == get(c)["item"]
    assert mpd.rpc("queue.peek", name="q")["item"] == 2


def test_a_stale_fence_keeps_a_write_out(mpd, connect):
    a, b = connect(), connect()
    token = a.call("lock.acquire", name="l")["token"]
    put(a, 1, fence={"lock": "l", "token": token})
    a.call("lock.release", name="l")
    newer = b.call("lock.acquire", name="l")["token"]
    late = refused(a, "queue.put", name="q", item=2, fence={"lock": "l", "token": token})
    assert late.symbol == "STALE_TOKEN" and late.data["token"] == newer
    assert drain(a) == [1]


def test_a_fence_is_looked_at_again_after_a_wait(mpd, connect):
    a, b = connect(), connect()
    create(a, maxsize=1)
    put(a, 1)
    token = a.call("lock.acquire", name="l")["token"]
    late = b.request("queue.put", name="q", item=2, fence={"lock": "l", "token": token})
    waited(mpd, "q", 1)
    a.call("lock.release", name="l")
    assert get(a)["item"] == 1
    assert error(b, late).symbol == "STALE_TOKEN"
    assert drain(a) == []


def test_all_is_there_after_an_engines_death(mpd, connect):
    c = connect()
    create(c, joinable=True, maxsize=1000)
    put(c, *({"n": n, "text": "x" * n} for n in range(100)))
    for _ in range(40):
        worker = connect()
        worker.call("queue.get", name="q")
        worker.call("queue.task_done", name="q")
    c.call("queue.get", name="q", owner="process")
    again(mpd)
    state = info(mpd, "q")["state"]
    assert (state["size"], state["claimed"], state["unfinished"], state["maxsize"]) == (59, 1, 60, 1000)
    d = connect()
    assert d.call("queue.task_done", name="q", owner="process") == {"unfinished": 59}
    assert [get(d)["item"]["n"] for _ in range(59)] == list(range(41, 100))
