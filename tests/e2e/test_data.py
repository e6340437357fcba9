# SPDX-License-Identifier: MIT
"""
Values, arrays, dicts, lists and namespaces over the wire. What a verb means is Python's own: ctypes, list and dict are
asked the same, and must say the same; engines are killed in between.
"""
import ctypes
import json
import random
import struct

import pytest
from harness import Client, RpcError, until
from puppets import again, connect, error, info, puppet, refused, waited  # noqa: F401

C_TYPES = {"b": ctypes.c_int8, "B": ctypes.c_uint8, "h": ctypes.c_int16, "H": ctypes.c_uint16, "i": ctypes.c_int32,
           "I": ctypes.c_uint32, "l": ctypes.c_long, "L": ctypes.c_ulong, "q": ctypes.c_int64, "Q": ctypes.c_uint64}
SEED = random.randrange(2**32)


@pytest.fixture
def chance():
    print(f"seed {SEED}")
    return random.Random(SEED)


def outcome(what, *errors):
    """What a call of Python's returns, or that it raises one of ERRORS."""
    try:
        return what()
    except errors:
        return "refused"


def answer(client, member, method, /, **params):
    """A member of the result, or that it was refused for a place, a key or a value that is not there."""
    try:
        return client.call(method, **params)[member]
    except RpcError as wrong:
        assert wrong.symbol == "RANGE", wrong
        return "refused"


# --- values ---------------------------------------------------------------------------------------------------------

def test_whole_numbers_of_c(connect, chance):
    c = connect()
    numbers = [sign * (1 << bits) + more for bits in (0, 7, 8, 15, 16, 31, 32, 63, 64, 70, 128) for more in (-1, 0, 1)
               for sign in (1, -1)] + [chance.randrange(-2**80, 2**80) for _ in range(20)]
    for code, c_type in C_TYPES.items():
        c.call("value.create", name=code, type=code)
        c.call("value.create", name=code + "wrap", type=code, wrap=True)
        assert c.call("value.get", name=code) == {"value": 0, "version": 0}
        for n in numbers:
            c.call("value.set", name=code + "wrap", value=n)
            assert c.call("value.get", name=code + "wrap")["value"] == c_type(n).value
            if c_type(n).value == n:
                c.call("value.set", name=code, value=n)
                assert c.call("value.get", name=code)["value"] == n
            else:
                assert refused(c, "value.set", name=code, value=n).symbol == "RANGE"
        before, more = chance.choice(numbers), chance.choice(numbers)
        c.call("value.set", name=code + "wrap", value=before)
        assert c.call("value.add", name=code + "wrap", delta=more)["value"] == c_type(before + more).value
        kept = c.call("value.get", name=code)
        for wrong in (1.0, 1.5, "1", None, True, [], {}):
            assert refused(c, "value.set", name=code, value=wrong).symbol == "PARAMS"
        assert c.call("value.get", name=code) == kept


def test_floats_and_characters(connect):
    c = connect()
    for code, floats in (("f", (0.1, 1e-45, 16777217, -0.0)), ("d", (0.1, 5e-324, 1.7e308, 2**53 + 1, -0.0))):
        c.call("value.create", name=code, type=code)
        for number in floats:
            c.call("value.set", name=code, value=number)
            kept = c.call("value.get", name=code)["value"]
            assert struct.pack("d", kept) == struct.pack("d", struct.unpack(code, struct.pack(code, number))[0])
        assert refused(c, "value.set", name=code, value="1").symbol == "PARAMS"
    assert refused(c, "value.set", name="f", value=1e300).symbol == "RANGE"
    c.call("value.set", name="d", value=1.5e308)
    assert refused(c, "value.add", name="d", delta=1.5e308).symbol == "RANGE"
    c.call("value.create", name="u", type="u", value="\u20ac")
    c.call("value.create", name="c", type="c", value={"b64": "/w=="})
    assert (c.call("value.get", name="u")["value"], c.call("value.get", name="c")["value"]) == ("\u20ac", "\xff")
    for name, value in (("u", "\0"), ("u", "\U0010ffff"), ("c", "\0"), ("c", "\xe4")):
        c.call("value.set", name=name, value=value)
        assert c.call("value.get", name=name)["value"] == value
    for name, wrong in (("u", "ab"), ("u", ""), ("u", 65), ("u", {"b64": "YQ=="}), ("c", "\u20ac"), ("c", {"b64": "YWE="})):
        assert refused(c, "value.set", name=name, value=wrong).symbol == "PARAMS"
    assert refused(c, "value.add", name="u").symbol == "PARAMS"


def test_json_values(connect):
    c = connect()
    assert c.call("value.create", name="v") == {"created": True}
    assert c.call("value.add", name="v", delta=2**100) == {"value": 2**100, "version": 1}
    assert c.call("value.add", name="v", delta=-1)["value"] == 2**100 - 1
    c.call("value.set", name="v", value=2**127 - 1)
    assert refused(c, "value.add", name="v").symbol == "RANGE"
    c.call("value.set", name="v", value=0.5)
    assert c.call("value.add", name="v")["value"] == 1.5
    c.call("value.set", name="v", value=None)
    assert refused(c, "value.add", name="v").symbol == "PARAMS"
    assert c.call("value.get", name="v") == {"value": None, "version": 6}


def test_cas(mpd, connect):
    c = connect()
    c.call("value.create", name="v", value={"a": 1, "b": [2]})
    assert c.call("value.cas", name="v", expect={"b": [2.0], "a": 1}, value=2) == {"value": 2, "version": 1}
    wrong = refused(c, "value.cas", name="v", expect=3, value=4)
    assert wrong.symbol == "CONFLICT" and (wrong.data["version"], wrong.data["value"]) == (1, 2)
    assert refused(c, "value.cas", name="v", version=0, value=4).symbol == "CONFLICT"
    assert refused(c, "value.cas", name="v", version=1, expect=3, value=4).symbol == "CONFLICT"
    assert c.call("value.cas", name="v", version=1, expect=2, value=None)["version"] == 2
    assert c.call("value.cas", name="v", expect=None, value="x" * 100000)["version"] == 3
    assert "value" not in refused(c, "value.cas", name="v", version=0, value=4).data  # too long for an error
    assert refused(c, "value.cas", name="v", value=4).symbol == "PARAMS"
    again(mpd)
    assert mpd.rpc("value.get", name="v") == {"value": "x" * 100000, "version": 3}


def test_wait(mpd, connect):
    a, b = connect(), connect()
    a.call("value.create", name="v", value=3)
    assert b.call("value.wait", name="v", op="<", x=3.5) == {"value": 3, "version": 0}
    assert refused(b, "value.wait", name="v", op="==", x=4, timeout=0).symbol == "WOULD_BLOCK"
    late = refused(b, "value.wait", name="v", op="==", x=4, timeout=0.05)
    assert late.symbol == "TIMEOUT" and late.data["waited"] >= 0.05
    assert refused(b, "value.wait", name="v", op="<", x=[]).symbol == "PARAMS"
    waits = {x: b.request("value.wait", name="v", op=">=", x=x) for x in (9, 5, "b")}
    waited(mpd, "v", 3)
    a.call("value.set", name="v", value=7)
    assert b.reply(waits[5]) == {"value": 7, "version": 1}
    a.call("value.set", name="v", value="bb")
    assert b.reply(waits["b"]) == {"value": "bb", "version": 2}
    cancelled = b.request("value.wait", name="v", op="!=", x="bb")
    waited(mpd, "v", 2)
    b.call("cancel", id=cancelled)
    assert error(b, cancelled).symbol == "CANCELLED"
    a.call("object.delete", name="v")
    assert error(b, waits[9]).symbol == "DELETED"


def test_no_addition_is_lost(mpd, connect):
    clients = [connect() for _ in range(4)]
    clients[0].call("value.create", name="v", type="q")
    asked = [(c, c.request("value.add", name="v")) for _ in range(50) for c in clients]
    seen = [c.reply(number) for c, number in asked]
    assert sorted(s["value"] for s in seen) == sorted(s["version"] for s in seen) == list(range(1, 201))


def test_engines_die_and_nothing_is_done_twice(mpd):
    clients = [Client(mpd) for _ in range(3)]
    clients[0].call("value.create", name="v", type="q")
    for _ in range(4):
        asked = [(c, c.post(method, **params)) for _ in range(20) for c in clients for method, params in (
            ("value.add", {"name": "v"}), ("dict.incr", {"name": "d", "key": "n"}), ("list.append", {"name": "l", "value": 1}))]
        again(mpd)
        for c, number in asked:
            c.wait(number)
    c = clients[0]
    assert c.call("value.get", name="v") == {"value": 240, "version": 240}
    assert c.call("dict.get", name="d", key="n") == {"value": 240, "version": 240}
    assert c.call("list.len", name="l") == {"len": 240}
    for c in clients:
        c.close()


def test_lock_of_a_value(mpd, connect, puppet):
    p, a = puppet(), connect()
    a.call("value.create", name="v")
    a.call("array.create", name="a", type="i", size=1)
    for name in "va":
        token = p.call("value.lock", name=name)["token"]
        assert p.call("value.lock", name=name) == {"token": token, "depth": 2}
        assert refused(a, "value.unlock", name=name).symbol == "NOT_OWNER"
        held = refused(a, "value.lock", name=name, timeout=0)
        assert held.symbol == "WOULD_BLOCK" and held.data["owner"]["pid"] == p.pid
        assert refused(a, "object.delete", name=name).symbol == "BUSY"
        assert p.call("value.unlock", name=name) == {"depth": 1}
        again_number = a.request("value.lock", name=name)
        waited(mpd, name, 1)
        assert info(mpd, name)["state"]["lock"]["depth"] == 1
        p.kill()
        granted = a.reply(again_number)
        assert granted["token"] > token and granted["abandoned"]["pid"] == p.pid
        assert a.call("value.unlock", name=name) == {"depth": 0}
        assert refused(a, "value.unlock", name=name).symbol == "NOT_HELD"
        p = puppet()
    a.call("dict.set", name="d", key="k", value=1)
    assert refused(a, "value.lock", name="d").symbol == "WRONG_KIND"
    assert refused(a, "value.lock", name="nothing").symbol == "NOT_FOUND"


def test_lock_of_a_value_outlives_the_engine(mpd, connect):
    connect().call("value.create", name="v")
    token = mpd.rpc("value.lock", name="v", owner="process")["token"]
    again(mpd)
    assert mpd.rpc("value.lock", name="v", owner="process") == {"token": token, "depth": 2}


# --- places ---------------------------------------------------------------------------------------------------------

PARTS = [None, 0, 1, 2, 4, 5, 7, -1, -3, -5, -8, 10**20, -10**20]


def slices():
    for start in PARTS:
        for stop in PARTS:
            for step in (None, 1, 2, 3, -1, -2, 7, -7, 10**20):
                yield slice(start, stop, step)


def text_of(part):
    return ":".join("" if each is None else str(each) for each in (part.start, part.stop, part.step))


def test_every_slice(connect):
    c, values = connect(), [10, 11, 12, 13, 14]
    c.call("array.create", name="a", type="i", values=values)
    c.call("list.create", name="l", values=values)
    for part in slices():
        asked = [c.request(kind + ".get", name=kind[0], i=text_of(part)) for kind in ("array", "list")]
        assert [c.reply(number)["values"] for number in asked] == [values[part]] * 2, part
    for i in range(-7, 7):
        expected = outcome(lambda: values[i], IndexError)
        assert answer(c, "value", "array.get", name="a", i=i) == expected
        assert answer(c, "value", "list.get", name="l", i=i) == expected
    for wrong in ("", "a", "1:b", "1:2:3:4", "1.5:2", "1", 1.5, 1e0, True, {}, [1]):
        assert refused(c, "array.get", name="a", i=wrong).symbol == "PARAMS"
        assert refused(c, "list.set", name="l", i=wrong, value=1).symbol == "PARAMS"
    assert refused(c, "list.get", name="l", i="::0").symbol == "RANGE"
    assert c.call("list.get", name="l")["values"] == c.call("array.get", name="a", i=None)["values"] == values


def test_slices_are_set_and_removed(connect, chance):
    c = connect()
    for part in chance.sample(list(slices()), 150):
        for number in {chance.randrange(7), len(range(5)[part])}:
            python, new = [10, 11, 12, 13, 14], list(range(number))
            c.call("list.create", name="l", values=python)
            expected = outcome(lambda: python.__setitem__(part, new), ValueError)
            seen = answer(c, "len", "list.set", name="l", i=text_of(part), value=new)
            assert seen == (expected or len(python)), (part, new)
            assert c.call("list.get", name="l")["values"] == python, (part, new)
            del python[part]
            assert c.call("list.del", name="l", i=text_of(part)) == {"len": len(python)}
            assert c.call("list.get", name="l")["values"] == python, part
            c.call("object.delete", name="l", force=True)


# --- arrays ---------------------------------------------------------------------------------------------------------

def test_array(mpd, connect, chance):
    c, python = connect(), (ctypes.c_int16 * 50)()
    c.call("array.create", name="a", type="h", size=50, wrap=True)
    for step in range(300):
        part = slice(chance.randrange(-60, 60), chance.randrange(-60, 60), chance.choice([None, 1, 2, -1, -3]))
        i, value = chance.randrange(-60, 60), chance.randrange(-2**17, 2**17)
        new = [chance.randrange(2**16) for _ in range(50)[part]]
        if step % 3 == 0:
            places = range(50)[part]
            for place, each in zip(places, new):
                python[place] = each
            assert c.call("array.set", name="a", i=text_of(part), value=new)
            assert refused(c, "array.set", name="a", i=text_of(part), value=new + [1]).symbol == "RANGE"
        elif step % 50 == 1:
            python[:] = [value] * 50
            c.call("array.fill", name="a", value=value)
        else:
            expected = outcome(lambda: python.__setitem__(i, value), IndexError)
            assert (answer(c, "version", "array.set", name="a", i=i, value=value) == "refused") == (expected is not None)
        if step % 100 == 99:
            assert c.call("array.get", name="a")["values"] == python[:]
            again(mpd)
            c = connect()
        assert c.call("array.get", name="a")["values"] == python[:]
    assert c.call("array.len", name="a") == {"len": 50}


def test_array_shapes(connect):
    c = connect()
    for shape, symbol in (({"type": "i"}, "PARAMS"), ({"type": "i", "size": 1, "values": [1]}, "PARAMS"),
                          ({"type": "json", "size": 1}, "PARAMS"), ({"type": "z", "size": 1}, "PARAMS"),
                          ({"type": "i", "size": -1}, "RANGE"), ({"type": "i", "size": 2**40}, "TOO_LARGE"),
                          ({"type": "i", "values": [1, 2**31]}, "RANGE"), ({"type": "i", "values": ["1"]}, "PARAMS"),
                          ({"type": "i", "values": 1}, "PARAMS")):
        assert refused(c, "array.create", name="a", **shape).symbol == symbol
    assert c.call("object.list") == {"objects": []}  # nothing was left of them
    c.call("array.create", name="a", type="i", values=[1, 2])
    assert c.call("array.create", name="a", type="i", size=2, exist_ok=True) == {"created": False}
    for shape in ({"type": "I", "size": 2}, {"type": "i", "size": 3}, {"type": "i", "size": 2, "wrap": True}):
        assert refused(c, "array.create", name="a", exist_ok=True, **shape).symbol == "SHAPE_MISMATCH"
    assert [c.call("array.set", name="a", i=i, value=value)["version"] for i, value in ((0, 7), ("::", [1, 2]), ("2:", []))] \
        == [1, 2, 2]
    before = c.call("array.get", name="a")
    assert refused(c, "array.set", name="a", i="::", value=[5, "x"]).symbol == "PARAMS"
    assert c.call("array.get", name="a") == before  # whole or not at all
    c.call("array.create", name="none", type="d", size=0)
    assert c.call("array.get", name="none") == {"values": []}
    assert c.call("array.fill", name="none", value=1) == {"version": 0}


# --- dicts ----------------------------------------------------------------------------------------------------------

KEYS = ["", "a", "b", "\u20ac\U0001f600", "\"\\\n", "x" * 300, "key"]


def dict_step(c, python, chance):
    """One change of both; what is returned must be the same."""
    key, value = chance.choice(KEYS), chance.choice([None, 1, "text", [1, {"a": 2.5}], 2**70])
    verb = chance.choice(["set", "set", "set", "del", "pop", "pop default", "popitem", "setdefault", "update", "get", "has"])
    if verb == "set":
        python[key] = value
        c.call("dict.set", name="d", key=key, value=value)
    elif verb == "del":
        expected = outcome(lambda: python.__delitem__(key), KeyError)
        assert (answer(c, "none", "dict.del", name="d", key=key) if expected else
                c.call("dict.del", name="d", key=key)) == (expected or {})
    elif verb == "pop":
        assert answer(c, "value", "dict.pop", name="d", key=key) == outcome(lambda: python.pop(key), KeyError)
    elif verb == "pop default":
        assert answer(c, "value", "dict.pop", name="d", key=key, default_value=value) == python.pop(key, value)
    elif verb == "popitem":
        expected = outcome(python.popitem, KeyError)
        assert answer(c, "key", "dict.popitem", name="d") == expected if expected == "refused" else \
            tuple(c.call("dict.popitem", name="d").values()) == expected
    elif verb == "setdefault":
        assert c.call("dict.setdefault", name="d", key=key, value=value)["value"] == python.setdefault(key, value)
    elif verb == "update":
        items = {each: chance.randrange(9) for each in chance.sample(KEYS, 3)}
        python.update(items)
        c.call("dict.update", name="d", items=items)
    elif verb == "get":
        assert answer(c, "value", "dict.get", name="d", key=key) == outcome(lambda: python[key], KeyError)
        assert c.call("dict.get", name="d", key=key, default_value=None)["value"] == python.get(key)
    else:
        assert c.call("dict.contains", name="d", key=key) == c.call("dict.has_key", name="d", key=key)
        assert c.call("dict.contains", name="d", key=key)["contains"] == (key in python)


def test_dict(mpd, connect, chance):
    c, python = connect(), {}
    c.call("dict.create", name="d")
    for step in range(600):
        dict_step(c, python, chance)
        if step % 200 == 199:
            again(mpd)
            c = connect()
        if step % 20 == 19:
            assert c.call("dict.items", name="d")["items"] == [list(item) for item in python.items()]
    assert c.call("dict.keys", name="d")["keys"] == list(python)
    assert c.call("dict.values", name="d")["values"] == list(python.values())
    assert list(c.call("dict.copy", name="d")["items"].items()) == list(python.items())
    assert c.call("dict.len", name="d") == {"len": len(python)}
    c.call("dict.clear", name="d")
    assert c.call("dict.copy", name="d") == {"items": {}}


def test_dict_versions(connect):
    c = connect()
    assert refused(c, "dict.set", name="d", key="k", value=1, version=1).symbol == "CONFLICT"
    assert refused(c, "dict.len", name="d").symbol == "NOT_FOUND"  # it was not made for that
    assert c.call("dict.set", name="d", key="k", value=1, version=0) == {"version": 1}
    assert c.call("dict.get", name="d", key="k") == {"value": 1, "version": 1}
    wrong = refused(c, "dict.set", name="d", key="k", value=2, version=0)
    assert wrong.symbol == "CONFLICT" and wrong.data["version"] == 1
    assert refused(c, "dict.del", name="d", key="k", version=0).symbol == "CONFLICT"
    assert c.call("dict.del", name="d", key="k", version=1) == {}
    missing = refused(c, "dict.get", name="d", key="k")
    assert missing.symbol == "RANGE" and missing.data["key"] == "k"
    assert c.call("dict.incr", name="d", key="n") == {"value": 1}
    assert c.call("dict.incr", name="d", key="n", delta=-5) == {"value": -4}
    c.call("dict.set", name="d", key="n", value=2**64)
    assert c.call("dict.incr", name="d", key="n")["value"] == 2**64 + 1
    c.call("dict.set", name="d", key="n", value="4")
    assert refused(c, "dict.incr", name="d", key="n").symbol == "PARAMS"
    assert refused(c, "dict.update", name="d", items=[1]).symbol == "PARAMS"
    assert refused(c, "dict.update", name="d", items={"a": 1, "b\0": 2}).symbol == "PARAMS"
    assert not c.call("dict.contains", name="d", key="a")["contains"]  # all or none


def test_namespace(mpd, connect):
    c = connect()
    assert refused(c, "namespace.set", name="n", key="a", value=1, no_create=True).symbol == "NOT_FOUND"
    assert c.call("namespace.set", name="n", key="b", value={"x": [None]}) == {}
    c.call("namespace.set", name="n", key="a", value=1)
    c.call("namespace.create", name="made", items={"z": 1, "y": 2})
    again(mpd)
    c = connect()
    assert c.call("namespace.get", name="n", key="b") == {"value": {"x": [None]}}
    assert c.call("namespace.dir", name="n") == {"names": ["b", "a"]}
    assert c.call("namespace.del", name="n", key="b") == {}
    for verb in ("get", "del"):
        assert refused(c, "namespace." + verb, name="n", key="b").symbol == "RANGE"
    assert c.call("namespace.dir", name="made") == {"names": ["z", "y"]}
    assert refused(c, "dict.get", name="n", key="a").symbol == "WRONG_KIND"


# --- lists ----------------------------------------------------------------------------------------------------------

def list_step(c, python, chance):
    values = [chance.choice([1, 2.0, 2, "a", "b", None, [1], {"k": [1.0]}, 2**70]) for _ in range(chance.randrange(4))]
    value, i, j = chance.choice([1, 2, "a", [1.0], {"k": [1]}, float(2**70), 7]), chance.randrange(-9, 9), chance.randrange(9)
    verb = chance.choice(["append", "extend", "extend", "insert", "pop", "pop", "del", "set", "remove", "index", "reverse",
                          "repeat", "count", "part"])
    if verb in ("append", "remove"):
        expected = outcome(lambda: getattr(python, verb)(value), ValueError) or len(python)
        assert answer(c, "len", "list." + verb, name="l", value=value) == expected
    elif verb == "extend":
        python.extend(values)
        assert c.call("list.extend", name="l", values=values) == {"len": len(python)}
    elif verb == "insert":
        python.insert(i, value)
        assert c.call("list.insert", name="l", i=i, value=value) == {"len": len(python)}
    elif verb == "pop":
        assert answer(c, "value", "list.pop", name="l", i=i) == outcome(lambda: python.pop(i), IndexError)
    elif verb == "del":
        expected = outcome(lambda: python.__delitem__(i), IndexError) or len(python)
        assert answer(c, "len", "list.del", name="l", i=i) == expected
    elif verb == "set":
        expected = outcome(lambda: python.__setitem__(i, value), IndexError) or len(python)
        assert answer(c, "len", "list.set", name="l", i=i, value=value) == expected
    elif verb == "index":
        assert answer(c, "index", "list.index", name="l", value=value, start=i, stop=j) == \
            outcome(lambda: python.index(value, i, j), ValueError)
    elif verb == "reverse":
        python.reverse()
        c.call("list.reverse", name="l")
    elif verb == "repeat":
        n = chance.choice([0, 1, 2, -1]) if len(python) < 20 else 0
        python *= n
        assert c.call("list.repeat", name="l", n=n) == {"len": len(python)}
    elif verb == "count":
        assert c.call("list.count", name="l", value=value)["count"] == python.count(value)
        assert c.call("list.contains", name="l", value=value)["contains"] == (value in python)
    else:
        python[1:3] = values
        c.call("list.set", name="l", i="1:3", value=values)


def test_list(mpd, connect, chance):
    c, python = connect(), []
    c.call("list.create", name="l")
    for step in range(600):
        list_step(c, python, chance)
        if step % 200 == 199:
            again(mpd)
            c = connect()
        assert repr(c.call("list.get", name="l")["values"]) == repr(python)
    assert c.call("list.len", name="l") == {"len": len(python)}


def test_list_sorts_as_python(connect, chance):
    c = connect()
    numbers = [0, -1, 1.5, 2**53 + 1, float(2**53), 2**70, -2**70, 1e300, 3, 3.0, 5e-324]
    strings = ["", "a", "A", "ab", "\u00e4", "\uffff", "\U0001f600", "\0", "\n"]
    for values in [chance.choices(choice, k=20) for choice in (numbers, strings) for _ in range(10)]:
        for reverse in (False, True):
            c.call("list.create", name="l", values=values)
            c.call("list.sort", name="l", reverse=reverse)
            assert repr(c.call("list.get", name="l")["values"]) == repr(sorted(values, reverse=reverse))
            c.call("object.delete", name="l", force=True)
    c.call("list.create", name="l", values=[2, "1", 0])
    assert refused(c, "list.sort", name="l").symbol == "PARAMS"
    assert c.call("list.get", name="l") == {"values": [2, "1", 0], "version": 1}
    assert refused(c, "list.set", name="l", i=0, value=1, version=0).symbol == "CONFLICT"
    assert c.call("list.set", name="l", i=0, value=1, version=1) == {"len": 3}
    for bad in ({"values": 1}, {"values": "ab"}):
        assert refused(c, "list.extend", name="l", **bad).symbol == "PARAMS"


# --- all ------------------------------------------------------------------------------------------------------------

PAYLOADS = ['{"b" : 1,"a":\t[ ]}', "1.000", "-0", "123456789012345678901234567890", '"\\u00e4\\/\\ud83d\\ude00"', "1E+2",
            '"\u00e4"', "null", "[ 1 , 2 ]", '"\\u0000"']


def test_byte_for_byte(mpd, connect):
    c = connect()
    c.call("value.create", name="v")
    for n, payload in enumerate(PAYLOADS):
        c.send_line(f'{{"id":1,"method":"value.set","params":{{"name":"v","value":{payload}}}}}')
        c.send_line(f'{{"id":1,"method":"dict.set","params":{{"name":"d","key":"{n}","value":{payload}}}}}')
        c.send_line(f'{{"id":1,"method":"list.append","params":{{"name":"l","value":{payload}}}}}')
        c.send_line('{"id":1,"method":"value.get","params":{"name":"v"}}')
        lines = [c.recv_raw_line() for _ in range(4)]
        assert f'"result":{{"value":{payload},"version"'.encode() in lines[3]
    again(mpd)
    c = connect()
    for n, payload in enumerate(PAYLOADS):
        c.send_line(f'{{"id":1,"method":"dict.get","params":{{"name":"d","key":"{n}"}}}}')
        c.send_line(f'{{"id":1,"method":"list.get","params":{{"name":"l","i":{n}}}}}')
        assert all(f'{{"value":{payload},"version"'.encode() in c.recv_raw_line() for _ in range(2))
    c.send_line('{"id":1,"method":"list.get","params":{"name":"l"}}')
    assert f'[{",".join(PAYLOADS)}]'.encode() in c.recv_raw_line()


def test_what_is_made_on_first_use(connect):
    c = connect()
    writes = [("dict.set", {"key": "k", "value": 1}), ("dict.setdefault", {"key": "k"}), ("dict.update", {"items": {}}),
              ("dict.incr", {"key": "k"}), ("list.append", {"value": 1}), ("list.extend", {"values": []}),
              ("list.insert", {"i": 0, "value": 1}), ("namespace.set", {"key": "k", "value": 1})]
    for method, params in writes:
        assert refused(c, method, name="x", no_create=True, **params).symbol == "NOT_FOUND"
        c.call(method, name="x", **params)
        c.call("object.delete", name="x", force=True)
    others = [("value.get", {}), ("value.set", {"value": 1}), ("value.add", {}), ("value.cas", {"expect": 0, "value": 1}),
              ("value.wait", {"op": "==", "x": 1}), ("array.get", {}), ("array.set", {"i": 0, "value": 1}),
              ("array.fill", {"value": 1}), ("array.len", {}), ("dict.get", {"key": "k"}), ("dict.del", {"key": "k"}),
              ("dict.pop", {"key": "k", "default_value": 1}), ("dict.popitem", {}), ("dict.clear", {}), ("dict.keys", {}),
              ("list.get", {}), ("list.set", {"i": 0, "value": 1}), ("list.del", {"i": 0}), ("list.pop", {}),
              ("list.remove", {"value": 1}), ("list.index", {"value": 1}), ("list.sort", {}), ("list.reverse", {}),
              ("list.repeat", {"n": 2}), ("list.clear", {}), ("namespace.get", {"key": "k"}), ("namespace.del", {"key": "k"}),
              ("namespace.dir", {})]
    for method, params in others:
        assert refused(c, method, name="x", **params).symbol == "NOT_FOUND"
    assert c.call("value.set", name="x", value=5, type="i") == {"version": 1}
    assert c.call("value.add", name="y", type="d", delta=0.5) == {"value": 0.5, "version": 1}
    assert refused(c, "value.set", name="x", value=5, type="I").symbol == "SHAPE_MISMATCH"
    assert refused(c, "value.set", name="z", value="x", type="i").symbol == "PARAMS"
    assert refused(c, "value.get", name="z").symbol == "NOT_FOUND"  # nothing is left of a write that failed


def test_creation_and_deletion(connect):
    c = connect()
    shapes = {"value": {"value": 1}, "array": {"type": "i", "values": [1]}, "dict": {"items": {"a": 1}},
              "list": {"values": [1]}, "namespace": {"items": {"a": 1}}}
    for kind, shape in shapes.items():
        assert c.call(kind + ".create", name=kind, **shape) == {"created": True}
        assert refused(c, kind + ".create", name=kind, **shape).symbol == "EXISTS"
        assert c.call(kind + ".create", name=kind, exist_ok=True, **shape) == {"created": False}
        assert refused(c, "lock.acquire", name=kind).symbol == "WRONG_KIND"
        if kind in ("dict", "list", "namespace"):
            assert refused(c, "object.delete", name=kind).symbol == "BUSY"
        assert c.call("object.delete", name=kind, force=True) == {}
    assert refused(c, "value.create", name="v", type="x").symbol == "PARAMS"
    assert refused(c, "value.create", name="v", type="b", value=128).symbol == "RANGE"
    for kind in ("dict", "namespace"):
        assert refused(c, kind + ".create", name="x", items=[1]).symbol == "PARAMS"
    assert refused(c, "list.create", name="x", values={}).symbol == "PARAMS"
    assert c.call("object.list") == {"objects": []}


def test_idle_ones_go(mpd, connect):
    c = connect()
    c.call("value.create", name="v", ttl_idle=0.2)
    c.call("dict.create", name="d", ttl_idle=0.2)
    c.call("dict.set", name="d", key="k", value=1)
    until(lambda: not c.call("object.list", pattern="v")["objects"])
    assert c.call("dict.len", name="d") == {"len": 1}  # what is not empty is not idle
    c.call("dict.clear", name="d")
    until(lambda: not c.call("object.list", pattern="d")["objects"])


def test_fence(mpd, connect):
    a, b = connect(), connect()
    a.call("value.create", name="v")
    a.call("array.create", name="a", type="i", size=1)
    a.call("dict.set", name="d", key="k", value=1)
    a.call("list.append", name="l", value=1)
    a.call("namespace.set", name="n", key="k", value=1)
    stale = {"lock": "lock", "token": a.call("lock.acquire", name="lock")["token"]}
    a.call("lock.release", name="lock")
    good = {"lock": "lock", "token": b.call("lock.acquire", name="lock")["token"]}
    writes = [("value.set", "v", {"value": 2}), ("value.add", "v", {}), ("value.cas", "v", {"version": 2, "value": 3}),
              ("array.set", "a", {"i": 0, "value": 1}), ("array.fill", "a", {"value": 1}),
              ("dict.set", "d", {"key": "x", "value": 1}), ("dict.update", "d", {"items": {"y": 1}}),
              ("dict.setdefault", "d", {"key": "z"}), ("dict.incr", "d", {"key": "i"}), ("dict.del", "d", {"key": "x"}),
              ("dict.pop", "d", {"key": "y"}), ("dict.popitem", "d", {}), ("dict.clear", "d", {}),
              ("list.append", "l", {"value": 1}), ("list.extend", "l", {"values": [1]}),
              ("list.insert", "l", {"i": 0, "value": 1}), ("list.set", "l", {"i": 0, "value": 1}), ("list.del", "l", {"i": 0}),
              ("list.pop", "l", {}), ("list.remove", "l", {"value": 1}), ("list.append", "l", {"value": 1}),
              ("list.reverse", "l", {}), ("list.sort", "l", {}), ("list.repeat", "l", {"n": 2}), ("list.clear", "l", {}),
              ("namespace.set", "n", {"key": "k", "value": 1}), ("namespace.del", "n", {"key": "k"})]
    for method, name, params in writes:
        before = info(mpd, name)["state"]
        assert refused(b, method, name=name, fence=stale, **params).symbol == "STALE_TOKEN", method
        assert info(mpd, name)["state"] == before
        b.call(method, name=name, fence=good, **params)
    assert refused(b, "dict.set", name="new", key="k", value=1, fence=stale).symbol == "STALE_TOKEN"
    assert refused(b, "dict.len", name="new").symbol == "NOT_FOUND"


def test_answers_fit_a_line(connect):
    c, big = connect(), "x" * (1 << 20)
    for n in range(17):
        c.call("list.append", name="l", value=big)
        c.call("dict.set", name="d", key=str(n), value=big)
    for method, name in (("list.get", "l"), ("dict.copy", "d"), ("dict.values", "d"), ("dict.items", "d")):
        assert refused(c, method, name=name).symbol == "TOO_LARGE"
    assert c.call("list.get", name="l", i="3:5")["values"] == [big] * 2
    assert refused(c, "list.repeat", name="l", n=16).symbol == "TOO_LARGE"
    assert c.call("list.len", name="l") == {"len": 17}


def test_info(mpd, connect):
    c = connect()
    c.call("value.create", name="v", type="f", value=0.5)
    c.call("array.create", name="a", type="i", size=3)
    c.call("dict.set", name="d", key="k", value=1)
    c.call("list.extend", name="l", values=[1, 2])
    rows = {row["name"]: row["summary"] for row in c.call("object.list")["objects"]}
    assert rows == {"v": "0.5", "a": "3 of type i", "d": "1 key", "l": "2 values"}
    state = info(mpd, "v")["state"]
    assert (state["type"], state["wrap"], state["value"], state["version"]) == ("f", False, 0.5, 0)
    assert (info(mpd, "d")["state"]["len"], info(mpd, "l")["state"]["version"], info(mpd, "a")["state"]["len"]) == (1, 1, 3)
    assert json.dumps(info(mpd, "a"))
