# SPDX-License-Identifier: MIT
"""Manager().dict(): every method of the proxy, the order of its keys, changes by others."""
from items import ITEMS
from transcript import Worker, all_of, elsewhere, say, tell

KEYS = ["", "a", "A", "0", "with space", "\u00e4\u20ac\U0001f600", "e\u0301", "\u00e9",
        "\"quoted\" \\", "new\nline", "x" * 300, "null", "$.%"]


def put(shared, key, value):
    shared[key] = value
    return len(shared)


def drop(shared, key):
    del shared[key]
    return shared.keys()


def methods(shared):
    say("new", len(shared), shared.keys(), shared.values(), shared.items(), shared.copy(), str(shared))
    tell("[] of nothing", shared.__getitem__, "a")
    tell("get of nothing", shared.get, "a")
    tell("get of nothing, a default", shared.get, "a", 5)
    tell("get of nothing, None", shared.get, "a", None)
    tell("pop of nothing", shared.pop, "a")
    tell("pop of nothing, a default", shared.pop, "a", {"default": [1]})
    tell("pop of nothing, None", shared.pop, "a", None)
    tell("popitem of nothing", shared.popitem)
    tell("del of nothing", drop, shared, "a")
    tell("in", shared.__contains__, "a")
    tell("clear", shared.clear)

    for n, key in enumerate(("one", "two", "three", "four")):
        tell(f"[{key}] =", put, shared, key, n + 1)
    say("keys", shared.keys(), list(shared), [key for key in shared])
    say("values", shared.values())
    say("items", shared.items(), dict(shared.items()) == shared.copy())
    tell("[] = again stays in its place", put, shared, "two", "II")
    say("items", shared.items(), len(shared))
    say("[]", shared["one"], shared["two"], shared.get("three"), shared.get("four", 0))
    say("in", "one" in shared, "five" in shared, "One" in shared)
    tell("setdefault of what is there", shared.setdefault, "one", 100)
    tell("setdefault of what is not", shared.setdefault, "five", [5])
    tell("setdefault without", shared.setdefault, "none")
    tell("get a None", shared.get, "none", "default")
    tell("setdefault of a None", shared.setdefault, "none", 1)
    say("items", shared.items())
    tell("pop", shared.pop, "one")
    tell("pop with a default", shared.pop, "three", None)
    tell("pop again", shared.pop, "one")
    tell("del", drop, shared, "none")
    tell("del again", drop, shared, "none")
    tell("[] = of what was there comes last", put, shared, "one", "I")
    say("keys", shared.keys())
    tell("update", shared.update, {"two": 2, "six": 6, "five": 5})
    tell("update by names", shared.update, seven=7, two="too")
    tell("update by pairs", shared.update, [("eight", 8), ("six", [6])])
    tell("update of both", shared.update, {"nine": 9}, ten=10)
    tell("update of nothing", shared.update)
    tell("update by nothing", shared.update, {})
    say("items", shared.items())
    tell("popitem", shared.popitem)
    tell("popitem", shared.popitem)
    say("copy", shared.copy(), str(shared), type(shared.copy()).__name__)
    copied = shared.copy()
    copied["only"] = "here"
    say("the copy is another's", "only" in shared)
    shared["list"] = []
    shared["list"].append("lost")
    say("what came out is a copy", shared["list"])
    shared["list"] = shared["list"] + ["kept"]
    say("put back", shared["list"])
    tell("clear", shared.clear)
    say("cleared", len(shared), shared.items(), shared.get("list"))


def contents(shared):
    for n, item in enumerate(ITEMS):
        shared[str(n)] = item
        seen, again = shared[str(n)], shared.get(str(n))
        say("item", repr(item)[:60], type(seen).__name__, repr(seen) == repr(item), repr(again) == repr(item))
    say("values", repr(shared.values()) == repr(ITEMS), repr(shared.copy()) == repr(dict(enumerate_names(ITEMS))))
    say("items", repr(shared.items()) == repr(enumerate_names(ITEMS)))
    say("popped", all(repr(shared.pop(str(n))) == repr(item) for n, item in enumerate(ITEMS)), len(shared))
    for n, key in enumerate(KEYS):
        tell(f"key {key[:20]!r}", put, shared, key, n)
    say("keys", shared.keys() == KEYS, shared.values(), all(key in shared for key in KEYS))
    say("each", [shared[key] for key in KEYS], shared.items()[3:6])
    say("every other popped", [shared.pop(key) for key in KEYS[::2]], shared.keys())
    for n in range(1000):
        shared[f"many {n % 300}"] = n
    say("many", len(shared), shared["many 7"], shared.keys()[-1])


def enumerate_names(items):
    return [(str(n), item) for n, item in enumerate(items)]


def program(mp):
    with mp.Manager() as manager:
        methods(manager.dict())
        contents(manager.dict())
        say("made of", manager.dict({"b": 1, "a": [2]}).items(), manager.dict(x=1, y=None).items(),
            manager.dict([("p", 1), ("q", {})]).items(), manager.dict({"a": 1}, a=2, z=3).items())
        shared = manager.dict()

        def fill(mine):
            for n in range(15):
                shared[f"{mine} {n}"] = [mine, n]

        say("filled by ten", [worker.result() for worker in [Worker(mp, fill, mine) for mine in range(10)]])
        say("all is there", sorted(shared.values()) == [[mine, n] for mine in range(10) for n in range(15)])
        say("elsewhere", elsewhere(mp, put, shared, "from a child", {"n": 1}), shared["from a child"],
            elsewhere(mp, drop, shared, "no such"), elsewhere(mp, shared.pop, "0 0"), "0 0" in shared)
        say("each is popped once", sorted(all_of(mp, 3, pop_all, shared)), len(shared))


def pop_all(shared):
    try:
        while True:
            shared.popitem()
    except KeyError:
        return "empty"
