# SPDX-License-Identifier: MIT
"""Whose an object is, who may do what with it, and how many one may have."""
import os

import pytest
from harness import until
from puppets import connect, refused, waited  # noqa: F401
from test_protocol import stranger, symbol

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="77: needs two users")


def asked(mpd, *calls):
    """What somebody is answered: results, or symbols of faults."""
    return [answer["result"] if "result" in answer else symbol(answer) for answer in stranger(mpd, *calls)]


def put(name, **params):
    return "queue.put", {"name": name, "item": 1, **params}


def acquire(name, **params):
    return "lock.acquire", {"name": name, "timeout": 0, **params}


def test_a_bare_name_is_ones_own(mpd):
    mpd.rpc("queue.put", name="x", item="root's")
    answers = asked(mpd, put("x"), ("queue.get", {"name": "x"}), ("queue.get", {"name": "x", "timeout": 0}),
                    ("object.list", {}))
    assert answers[1]["item"] == 1 and answers[2] == "EMPTY"
    assert [row["name"] for row in answers[3]["objects"]] == ["x"]
    assert {row["name"] for row in mpd.rpc("object.list")["objects"]} == {"x", "~12345/x"}
    assert mpd.rpc("queue.get", name="x")["item"] == "root's"
    assert mpd.rpc("queue.size", name="~12345/x") == {"size": 0}


def test_a_private_name_is_not_known_to_others(mpd):
    mpd.rpc("lock.create", name="/secret")
    mpd.rpc("lock.create", name="secret")
    answers = asked(mpd, acquire("/secret"), acquire("~0/secret"), ("object.info", {"name": "/secret"}),
                    ("object.delete", {"name": "~0/secret"}), ("object.list", {}), acquire("~0/nothing"),
                    acquire("secret", no_create=True))
    assert answers == ["NOT_FOUND"] * 4 + [{"objects": []}, "NOT_FOUND", "NOT_FOUND"]


def test_names_of_the_system_and_of_others_are_not_for_making(mpd):
    mpd.rpc("lock.create", name="/there")
    mpd.rpc("lock.create", name="/open", mode="777")
    assert asked(mpd, ("lock.create", {"name": "/there"}), ("lock.create", {"name": "/there", "exist_ok": True}),
                 ("lock.create", {"name": "/open", "exist_ok": True}), ("lock.create", {"name": "/open"})) == [
        "DENIED", "DENIED", {"created": False}, "EXISTS"]
    assert asked(mpd, acquire("/mine"), ("lock.create", {"name": "/mine"}), ("lock.create", {"name": "~0/mine"}),
                 ("lock.create", {"name": "~12345/mine"})) == ["NOT_FOUND", "DENIED", "DENIED", {"created": True}]


def test_what_is_ones_own_is_there_also_without_any_right(mpd):
    create = "queue.create", {"name": "x"}
    assert asked(mpd, ("queue.create", {"name": "x", "mode": "0"}), create, ("queue.create", {"name": "x", "exist_ok": True}),
                 put("x")) == [{"created": True}, "EXISTS", "DENIED", "DENIED"]
    assert [row["name"] for row in mpd.rpc("object.list")["objects"]] == ["~12345/x"]


@pytest.mark.parametrize("mode, look, use, control", [
    ("770", False, False, False), ("774", True, False, False), ("772", False, True, False),
    ("776", True, True, False), ("777", True, True, True), ("771", False, False, True)])
def test_modes(mpd, mode, look, use, control):
    mpd.rpc("queue.create", name="/q", mode=mode)
    mpd.rpc("queue.put", name="/q", item="x")
    hidden = not (look or use or control)
    no = "NOT_FOUND" if hidden else "DENIED"
    sized, got, chmod, listed, removed = asked(
        mpd, ("queue.size", {"name": "/q"}), ("queue.get", {"name": "/q"}),
        ("object.chmod", {"name": "/q", "mode": "777"} if not control else {"name": "/q", "mode": mode}),
        ("object.list", {}), ("object.delete", {"name": "/q", "force": True}))
    assert sized == ({"size": 1} if look else no)
    assert got == ({"id": 1, "item": "x"} if use else no)
    assert chmod == ({} if control else no)
    assert (listed == {"objects": []}) == hidden
    assert removed == ({} if control else no)


def test_ones_own_is_ones_own_in_any_mode(mpd):
    assert asked(mpd, ("queue.create", {"name": "q", "mode": "000"}), put("q"), ("queue.size", {"name": "q"}),
                 ("object.chmod", {"name": "q", "mode": "600"}), ("queue.size", {"name": "q"})) == [
        {"created": True}, "DENIED", "DENIED", {}, {"size": 0}]


def test_the_group_s_part_of_a_mode(mpd):
    mpd.rpc("lock.create", name="/ours", mode="070", group=7)
    mpd.rpc("lock.create", name="/theirs", mode="070", group=8)
    assert [type(answer) for answer in asked(mpd, acquire("/ours"))] == [dict]
    assert asked(mpd, acquire("/theirs")) == ["NOT_FOUND"]


def test_a_bare_name_finds_the_system_s_where_one_has_none(mpd):
    mpd.rpc("value.create", name="/v", value=7, mode="776")
    assert asked(mpd, ("value.get", {"name": "v"}))[0]["value"] == 7
    first, second = asked(mpd, ("value.create", {"name": "v", "value": 8}), ("value.get", {"name": "v"}))
    assert (first, second["value"]) == ({"created": True}, 8)
    assert mpd.rpc("value.get", name="v")["value"] == 7


def test_nobody_speaks_for_another_users_process(mpd):
    assert asked(mpd, acquire("l", owner={"pid": os.getpid()})) == ["DENIED"]
    assert asked(mpd, acquire("l", owner={"pid": 2 ** 22 + 5})) == ["LOST"]
    assert [type(a) for a in asked(mpd, acquire("l", owner="process"))] == [dict]


def test_force_is_for_who_controls(mpd, connect):
    mpd.rpc("lock.create", name="/l", mode="776")
    holder = connect()
    holder.call("lock.acquire", name="/l")
    assert asked(mpd, ("lock.release", {"name": "/l", "force": True}), ("lock.release", {"name": "/l"})) == [
        "DENIED", "NOT_OWNER"]
    assert mpd.rpc("lock.release", name="/l", force=True) == {}
    assert refused(holder, "lock.release", name="/l").symbol == "NOT_HELD"


def test_a_fence_needs_the_right_to_look(mpd):
    token = mpd.rpc("lock.acquire", name="/l", owner={"pid": os.getpid()})["token"]
    mpd.rpc("queue.create", name="/q", mode="777")
    assert asked(mpd, put("/q", fence={"lock": "/l", "token": token})) == ["NOT_FOUND"]


def test_how_many_objects(mpd):
    calls = [("lock.create", {"name": f"l{n}"}) for n in range(10001)]
    answers = asked(mpd, *calls, ("object.delete", {"name": "l5"}), ("lock.create", {"name": "again"}))
    assert answers[:10000] == [{"created": True}] * 10000
    assert answers[10000:] == ["QUOTA", {}, {"created": True}]
    assert mpd.rpc("lock.create", name="roots_own") == {"created": True}


def test_how_many_small_ones(mpd):
    """What the daemon keeps of each counts as well."""
    puts = [("queue.put", {"name": "q", "items": [0] * 100000})] * 8
    answers = asked(mpd, *puts, ("queue.size", {"name": "q"}))
    assert "QUOTA" in answers[2:8] and 200000 <= answers[8]["size"] < 800000


def test_what_waits_for_room_counts(mpd):
    text = "x" * (8 << 20)
    asked(mpd, ("queue.create", {"name": "q", "maxsize": 1}))
    with mpd.connect() as conn:
        conn.call("queue.put", name="~12345/q", item=0)
        for _ in range(7):
            conn.request("queue.put", name="~12345/q", item=text)
        until(lambda: mpd.rpc("queue.stats", name="~12345/q")["putters"] == 7)
        assert refused(conn, "queue.put", name="~12345/q", item=text).symbol == "QUOTA"
    until(lambda: mpd.rpc("queue.stats", name="~12345/q")["putters"] == 0)
    assert [a if isinstance(a, str) else "ok" for a in asked(mpd, *[("queue.put", {"name": "r", "item": text})] * 8)] == [
        "ok"] * 7 + ["QUOTA"]


def test_how_many_bytes_in_queues(mpd):
    text = "x" * (8 << 20)
    puts = [("queue.put", {"name": "q", "item": text})] * 9
    answers = asked(mpd, *puts, ("queue.get", {"name": "q", "max": 2}), ("queue.put", {"name": "q2", "item": text}))
    assert [a if isinstance(a, str) else "ok" for a in answers] == ["ok"] * 7 + ["QUOTA"] * 2 + ["ok", "ok"]
