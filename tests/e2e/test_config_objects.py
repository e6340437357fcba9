# SPDX-License-Identifier: MIT
"""
Objects from the configuration: a section says what KIND.create is told, and every parameter of the registry's can be
said. What is broken has its message, all of it at once; what is good is there before anybody is served.

EXAMPLES must have every key of every kind that mpd.describe tells of: a new one that is missing here fails the tests.
"""
import grp
import json
import os
import struct

import pytest

from harness import MPCTL, RpcError, run
from test_config import as_root, check, lines_of, loaded, write
from test_protocol import stranger

# kind.key, or a key of several kinds: how it is written in a configuration, and what it means in JSON.
EXAMPLES = {
    "robust": ("strict", "strict"),
    "any_owner": ("yes", True),
    "owner_death": ("keep", "keep"),
    "mode": ("640", "640"),
    "group": ("daemon", 1),
    "ttl_idle": ("2h", 7200),
    "semaphore.value": ("3", 3),
    "bounded": ("on", True),
    "unowned": ("true", True),
    "ephemeral": ("1", True),
    "lock": ("its-lock", "/its-lock"),
    "parties": ("3", 3),
    "action": ("true", True),
    "timeout": ("1500ms", 1.5),
    "maxsize": ("100", 100),
    "max_bytes": ("1M", 1 << 20),
    "joinable": ("true", True),
    "simple": ("true", True),
    "lifo": ("true", True),
    "queue.priority": ("true", True),
    "ttr": ("30s", 30),
    "max_deliveries": ("7", 7),
    "dead_letter": ("its-dead", "/its-dead"),
    "duplex": ("no", False),
    "value.value": ("[1, 2]", [1, 2]),
    "type": ("h", "h"),
    "wrap": ("true", True),
    "size": ("10", 10),
    "values": ("[1, 2, 3]", [1, 2, 3]),
    "items": ('{"a": 1, "b": [2]}', {"a": 1, "b": [2]}),
}
# What goes with a key so that all together is a shape: of a kind, and where it differs of one key.
BESIDE = {
    "barrier": {"parties": "3"},
    "array": {"type": "h", "size": "3"},
    "array.values": {"type": "h"},
    "value.type": {"value": "1"},
    "value.wrap": {"type": "h", "value": "1"},
}
OTHERS = "[lock:its-lock]\n[queue:its-dead]\n"

HEAD = struct.Struct("@4IQ3Ii2Iq7I")  # struct jobtab
OBJECT = struct.Struct("@3I")  # struct jobtab_object


def example(kind, key):
    found = EXAMPLES.get(f"{kind}.{key}") or EXAMPLES.get(key)
    assert found, f'{kind}.create has a parameter "{key}" of which this test knows no example'
    return found


def creates(mpd):
    """{kind: its keys, as the registry has them}."""
    methods = {m["method"]: m for m in mpd.rpc("mpd.describe")["methods"]}
    kinds = {name.split(".")[0]: m for name, m in methods.items() if name.endswith(".create")}
    assert len(kinds) >= 13
    return {kind: [p["name"] for p in m["params"] if p["name"] not in ("name", "exist_ok")]
            for kind, m in kinds.items()}


def every_key(mpd):
    """For each key of each kind, and each kind without any, a section: {(kind, name): {key: value}}."""
    sections = {}
    for kind, keys in creates(mpd).items():
        for key in [None, *keys]:
            said = dict(BESIDE.get(f"{kind}.{key}", BESIDE.get(kind, {})))
            if key:
                said[key] = example(kind, key)[0]
            sections[kind, f"{kind}-{key}"] = said
    return sections


def text_of(sections):
    return OTHERS + "".join("\n".join([f"[{kind}:{name}]", *(f"{k} = {v}" for k, v in said.items()), ""])
                            for (kind, name), said in sections.items())


def meaning(kind, said):
    """The parameters that these keys become, but for the name."""
    return {key: example(kind, key)[1] if value == example(kind, key)[0] else json.loads(value)
            for key, value in said.items()}


def objects_of(table):
    """[(method, params, where)] of a job table."""
    head = HEAD.unpack_from(table)
    assert head[1] == len(table)

    def text(offset):
        return table[offset:table.index(b"\0", offset)].decode()

    rows = [OBJECT.unpack_from(table, head[-2] + i * OBJECT.size) for i in range(head[-1])]
    return [(text(method), json.loads(text(params)), text(where)) for method, params, where in rows]


def mpctls_group():
    try:
        return {"group": grp.getgrnam("mpctl").gr_gid}
    except KeyError:
        return {}


def test_every_key_of_every_kind(mpd, tmp_path):
    sections = every_key(mpd)
    path = write(tmp_path, text_of(sections))
    got, _, table = loaded(path)
    assert (got.returncode, got.stderr) == (0, "")
    made = {params.pop("name"): (method, params) for method, params, _ in objects_of(table)}
    assert made.keys() == {"/its-lock", "/its-dead", *(f"/{name}" for _, name in sections)}
    for (kind, name), said in sections.items():
        expected = {"exist_ok": True, "mode": "770", **mpctls_group(), **meaning(kind, said)}
        assert made[f"/{name}"] == (f"{kind}.create", expected), name
    assert check(path).stdout == f"{path}: ok, 0 jobs, {len(sections) + 2} objects\n"


def test_the_table_names_the_place(tmp_path):
    path = write(tmp_path, "[mpd]\ninclude = *.inc\n[event:go]\n")
    write(tmp_path, {"a.inc": "\n\n[event:stop]\n"})
    assert [(p["name"], where) for _, p, where in objects_of(loaded(path)[2])] == [
        ("/go", f"{path}:3"), ("/stop", f"{tmp_path}/a.inc:3")]


def queue(*lines):
    return "\n".join(["[queue:mail]", *lines, ""])


# name: (the text, what stands on stderr: "LINE: text" of mpd.conf)
BROKEN = {
    "unknown-key": (queue("maxsiz = 1"), ['2: [queue:mail] unknown key "maxsiz" (did you mean "maxsize"?)']),
    "another-kinds-key": ("[lock:x]\nduplex = yes\n", ['2: [lock:x] unknown key "duplex"']),
    "not-a-key": (queue("name = x", "exist_ok = no"),
                  ['2: [queue:mail] unknown key "name"', '3: [queue:mail] unknown key "exist_ok"']),
    "later": (queue("durable = disk"), ['2: [queue:mail] "durable" is not supported yet']),
    "key-twice": (queue("lifo = yes", "lifo = yes"), ["3: [queue:mail] lifo: already set at {d}/mpd.conf:2"]),
    "exclusive": (queue("lifo = yes", "priority = yes"), ["1: [queue:mail] lifo and priority exclude each other"]),
    "simple": (queue("simple = yes", "maxsize = 1"),
               ["1: [queue:mail] a simple queue has no maxsize, no max_bytes and no join"]),
    "value-of-type": ("[value:v]\ntype = i\nvalue = many\n",
                      ["1: [value:v] a value of type i must be a whole number, without point or exponent"]),
    "value-range": ("[value:v]\ntype = B\nvalue = 256\n[value:w]\ntype = B\nvalue = 256\nwrap = yes\n",
                    ["1: [value:v] a value of type B is from 0 to 255"]),
    "values-of-type": ("[array:a]\ntype = u\nvalues = [\"a\", \"bc\"]\n",
                       ["1: [array:a] a value of type u must be a string of one character"]),
    "size-and-values": ("[array:a]\ntype = i\n[array:b]\ntype = i\nsize = 1\nvalues = [1]\n",
                        ["1: [array:a] size or values is missing", "3: [array:b] size and values exclude each other"]),
    "missing": ("[barrier:b]\n[array:a]\nsize = 3\n",
                ['1: [barrier:b] "parties" is missing', '2: [array:a] "type" is missing']),
    "bool": (queue("joinable = maybe"), ['2: [queue:mail] joinable: "maybe" is neither true nor false']),
    "number": (queue("maxsize = many"), ['2: [queue:mail] maxsize: "many" is not a number from 0 to 9007199254740991']),
    "number-negative": ("[semaphore:s]\nvalue = -1\n",
                        ['2: [semaphore:s] value: "-1" is not a number from 0 to 2147483647']),
    "number-large": (queue("maxsize = 9007199254740992"),
                     ['2: [queue:mail] maxsize: "9007199254740992" is not a number from 0 to 9007199254740991']),
    "parties": ("[barrier:b]\nparties = 0\n[barrier:c]\nparties = 1000001\n",
                ['2: [barrier:b] parties: "0" is not a number from 1 to 1000000',
                 '4: [barrier:c] parties: "1000001" is not a number from 1 to 1000000']),
    "elements": ("[array:a]\ntype = b\nsize = 33554433\n",
                 ['3: [array:a] size: "33554433" is not a number from 0 to 33554432']),
    "size": (queue("max_bytes = 1X"), ['2: [queue:mail] max_bytes: "1X" is not a size in bytes (4096, 64K, 50M, 1G)']),
    "size-large": (queue("max_bytes = 8192T"),
                   ['2: [queue:mail] max_bytes: "8192T" is not a size in bytes (4096, 64K, 50M, 1G)']),
    "duration": (queue("ttr = soon"),
                 ['2: [queue:mail] ttr: "soon" is not a length of time (500ms, 10s, 2m, 1h)']),
    "choice": ("[lock:x]\nrobust = strickt\n",
               ['2: [lock:x] robust: "strickt" is not one of: normal, strict (did you mean "strict"?)']),
    "choice-far": ("[rlock:x]\nowner_death = panic\n",
                   ['2: [rlock:x] owner_death: "panic" is not one of: release, keep']),
    "mode": ("[event:x]\nmode = 1777\n", ['2: [event:x] mode: "1777" is not a mode from 000 to 777']),
    "mode-empty": ("[event:x]\nmode =\n", ['2: [event:x] mode: "" is not a mode from 000 to 777']),
    "mode-decimal": ("[event:x]\nmode = 8\n", ['2: [event:x] mode: "8" is not a mode from 000 to 777']),
    "mode-symbolic": ("[event:x]\nmode = +77\n", ['2: [event:x] mode: "+77" is not a mode from 000 to 777']),
    "group": ("[event:x]\ngroup = no-such-group-here\n",
              ['2: [event:x] group: there is no group "no-such-group-here"']),
    "type": ("[value:v]\ntype = int\n",
             ['2: [value:v] type: "int" is not a type: one of the letters bBhHiIlLqQfdcu, or json']),
    "type-array": ("[array:a]\ntype = json\nsize = 1\n",
                   ['2: [array:a] type: "json" is not a type: one of the letters bBhHiIlLqQfdcu']),
    "json": ('[value:v]\nvalue = {"a": 1,}\n',
             ['2: [value:v] value: "{"a": 1,}" is not JSON: a member\'s name in quotes is missing']),
    "json-twice": ('[value:v]\nvalue = {"a": 1, "a": 2}\n',
                   ['2: [value:v] value: "{"a": 1, "a": 2}" is not JSON: duplicate member']),
    "json-array": ("[list:l]\nvalues = 1\n[array:a]\ntype = i\nvalues = {}\n",
                   ['2: [list:l] values: "1" is not a JSON array', '5: [array:a] values: "{}" is not a JSON array']),
    "json-object": ("[dict:d]\nitems = [1]\n[namespace:n]\nitems = none\n",
                    ['2: [dict:d] items: "[1]" is not a JSON object',
                     '4: [namespace:n] items: "none" is not a JSON object']),
    "json-deep": ("[list:l]\nvalues = " + "[" * 32 + "]" * 32 + "\n", ["1: [list:l] nested too deeply"]),
    "unset": ("[value:v]\nvalue = ${CONF_NONE}\n",
              ['2: [value:v] value: the variable "CONF_NONE" is not set ("${CONF_NONE:-...}" gives a default)']),
    "no-lock": ("[condition:c]\nlock = m\n", ['2: [condition:c] lock: "m" is no lock of this configuration']),
    "lock-of-another": ("[lock:m]\n[condition:c]\nlock = ~0/m\n",
                        ['3: [condition:c] lock: "~0/m" cannot be: an object\'s name is made of letters, digits, '
                         '".", "_" and "-"']),
    "not-a-lock": ("[event:m]\n[condition:c]\nlock = m\n", ['3: [condition:c] lock: "m" is no lock: it is [event:m]']),
    "not-a-queue": ("[lock:m]\n" + queue("dead_letter = m"),
                    ['3: [queue:mail] dead_letter: "m" is no queue: it is [lock:m]']),
    "dead-letters-itself": (queue("dead_letter = /mail"),
                            ['2: [queue:mail] dead_letter: "/mail" is this queue itself']),
    "nameless": ("[lock]\n[event:]\n", ["1: [lock] an object's name has 1 to 128 characters",
                                        "2: [event:] an object's name has 1 to 128 characters"]),
    "long-name": (f"[lock:{'n' * 129}]\n", [f"1: [lock:{'n' * 129}] an object's name has 1 to 128 characters"]),
    "name": ("[queue:/mail]\n[lock:a b]\n",
             ['1: [queue:/mail] an object\'s name is made of letters, digits, ".", "_" and "-"',
              '2: [lock:a b] an object\'s name is made of letters, digits, ".", "_" and "-"']),
    "twice": (queue() + "\n" + queue(), ["3: [queue:mail] already defined at {d}/mpd.conf:1"]),
    "twice-in-two-kinds": (queue() + "[lock:mail]\n", ["2: [lock:mail] the name is [queue:mail]'s, at {d}/mpd.conf:1"]),
    "kind": ("[que:mail]\n[semaphor:gpu]\n[array]\n",
             ['1: [que:mail] unknown section (did you mean "[queue:mail]"?)',
              '2: [semaphor:gpu] unknown section (did you mean "[semaphore:gpu]"?)',
              "3: [array] an object's name has 1 to 128 characters"]),
    "defaults": ("[defaults]\nmaxsize = 1\n" + queue(), ['2: [defaults] unknown key "maxsize"']),
    "all": ("[job:a]\nstop_signal = FOO\n" + queue("maxsize = x", "lifo = x", "colour = red") + "[barrier:b]\n",
            ['1: [job:a] "command" is missing', '2: [job:a] stop_signal: "FOO" is not a signal',
             '4: [queue:mail] maxsize: "x" is not a number from 0 to 9007199254740991',
             '5: [queue:mail] lifo: "x" is neither true nor false', '6: [queue:mail] unknown key "colour"',
             '7: [barrier:b] "parties" is missing']),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(tmp_path, name):
    text, expected = BROKEN[name]
    got = check(write(tmp_path, text))
    assert got.stderr.splitlines() == lines_of(expected, tmp_path)
    assert (got.returncode, got.stdout) == (6, "")


def test_mpctl_check_needs_no_daemon(tmp_path):
    path = write(tmp_path, queue("maxsize = x"))
    code, out, err = run([MPCTL, "-s", tmp_path / "none", "check", path], None, 20)
    assert (code, out) == (6, "")
    assert err == f'{path}:2: [queue:mail] maxsize: "x" is not a number from 0 to 9007199254740991\n'


def test_a_job_and_an_object_may_have_one_name(tmp_path):
    path = write(tmp_path, "[job:mail]\ncommand = true\n" + queue())
    assert check(path).stdout == f"{path}: ok, 1 jobs, 1 objects\n"


# --- in a daemon ----------------------------------------------------------------------------------------------------

def listed(mpd):
    return {o["name"]: o for o in mpd.rpc("object.list")["objects"]}


def warnings(mpd):
    return [line.split(" warning: ", 1)[1] for line in mpd.log().splitlines() if " warning: " in line]


def test_all_are_there_when_mpd_is(mpd, make_mpd):
    """Whatever the section said: the same KIND.create finds it made, in that shape."""
    sections = every_key(mpd)
    daemon = make_mpd(text_of(sections))
    assert warnings(daemon) == []
    there = listed(daemon)
    assert there.keys() == {"/its-lock", "/its-dead", *(f"/{name}" for _, name in sections)}
    with daemon.connect() as client:
        for (kind, name), said in sections.items():
            params = meaning(kind, said)
            row = client.call("object.info", name=f"/{name}")
            assert (row["kind"], row["uid"], row["mode"]) == (kind, os.geteuid(), params.get("mode", "770")), name
            assert row["group"] == params.get("group", mpctls_group().get("group", os.getegid())), name
            assert client.call(f"{kind}.create", name=f"/{name}", exist_ok=True, **params) == {"created": False}, name


def test_they_are_what_was_said(make_mpd):
    mpd = make_mpd("[queue:mail]\nmaxsize = 1\n[semaphore:gpu]\nvalue = 2\nbounded = yes\n[lock:m]\n"
                   "[condition:news]\nlock = m\n[barrier:gate]\nparties = 1\n[event:go]\n[pipe:p]\nduplex = no\n"
                   "[value:v]\nvalue = a text\n[array:a]\ntype = i\nvalues = [3, 4]\n[list:l]\nvalues = [1]\n"
                   '[dict:d]\nitems = {"big": 12345678901234567890123}\n[namespace:n]\nitems = {"k": null}\n'
                   "[rlock:r]\n")
    with mpd.connect() as client:
        client.call("queue.put", name="mail", item=1)
        with pytest.raises(RpcError, match="FULL"):
            client.call("queue.put", name="mail", item=2, timeout=0)
        assert client.call("semaphore.acquire", name="gpu", n=2)["value"] == 0
        client.call("condition.acquire", name="news")
        assert client.call("lock.locked", name="m") == {"locked": True}
        assert client.call("barrier.wait", name="gate")["index"] == 0
        assert client.call("event.is_set", name="go") == {"set": False}
        client.call("pipe.send", name="p:1", item="x")
        with pytest.raises(RpcError, match="RANGE"):
            client.call("pipe.send", name="p:0", item="x")
        assert client.call("value.get", name="v")["value"] == "a text"
        assert client.call("array.get", name="a")["values"] == [3, 4]
        assert client.call("list.get", name="l", i=0)["value"] == 1
        assert client.call("dict.get", name="d", key="big")["value"] == 12345678901234567890123
        assert client.call("namespace.get", name="n", key="k")["value"] is None
        assert client.call("rlock.acquire", name="r")["depth"] == 1
    assert {name.lstrip("/") for name in listed(mpd)} == set("mail gpu m news gate go p v a l d n r".split())


def test_what_is_there_stays(make_mpd):
    """An engine that begins anew keeps what is there, in the shape it has by now, and what was removed stays removed."""
    mpd = make_mpd("[queue:mail]\n\n[queue:other]\nmaxsize = 5\n[event:gone]\n[value:v]\nvalue = 1\n[lock:kind]\n")
    with mpd.connect() as client:
        client.call("queue.put", name="mail", item="kept")
        client.call("value.set", name="v", value=7)
        for name in ("/other", "/gone", "/kind"):
            client.call("object.delete", name=name)
        client.call("queue.create", name="/other", maxsize=6)
        client.call("event.create", name="/kind")
    before = listed(mpd)
    assert before.keys() == {"/mail", "/other", "/v", "/kind"}
    mpd.kill_engine()
    with mpd.connect() as client:
        assert client.call("queue.get", name="mail", timeout=0)["item"] == "kept"
        assert client.call("value.get", name="v")["value"] == 7
        assert client.call("queue.create", name="/other", maxsize=6, exist_ok=True) == {"created": False}
    assert listed(mpd).keys() == before.keys()
    assert not [line for line in warnings(mpd) if "mpd.conf:" in line]


@as_root
def test_the_mode_says_who_may(make_mpd):
    mpd = make_mpd("[lock:all]\nmode = 777\n[lock:group]\ngroup = 7\n[lock:look]\nmode = 774\n[lock:root]\n"
                   "mode = 700\n")
    answers = stranger(mpd, *[("lock.acquire", {"name": name, "timeout": 0, "no_create": True})
                              for name in ("all", "group", "/look", "/root")])
    assert [answer["error"]["data"]["symbol"] if "error" in answer else "ok" for answer in answers] == [
        "ok", "ok", "DENIED", "NOT_FOUND"]


@as_root
def test_a_users_own_daemon_has_system_names_too(make_mpd):
    """They are the user's, whom a bare name finds them for."""
    mpd = make_mpd("[lock:m]\n[condition:c]\nlock = m\n", start=False)
    mpd.args = ["setpriv", "--reuid", "12345", "--regid", "12346", "--clear-groups", "--", *mpd.args]
    os.chown(mpd.dir, 12345, 12346)
    before = os.umask(0)
    try:
        mpd.start()
    finally:
        os.umask(before)
    assert {name: (o["uid"], o["mode"]) for name, o in listed(mpd).items()} == {
        "/m": (12345, "770"), "/c": (12345, "770")}
    assert mpd.rpc("object.info", name="m")["group"] == 12346
    assert warnings(mpd) == []
