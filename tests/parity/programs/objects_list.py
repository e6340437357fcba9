# SPDX-License-Identifier: MIT
"""Manager().list(): every method of the proxy, indices and slices, equality, order, changes by others."""
from items import ITEMS, SLICES, name_of
from transcript import Worker, all_of, elsewhere, say, tell


def put(shared, i, value):
    shared[i] = value
    return shared[:]


def drop(shared, i):
    del shared[i]
    return shared[:]


def then(shared, name, *args, **kwargs):
    """What a method returns, and what the list is after it."""
    return getattr(shared, name)(*args, **kwargs), shared[:]


def methods(manager):
    shared = manager.list()
    say("new", len(shared), shared[:], list(shared), str(shared))
    for name, args in (("pop", ()), ("pop", (0,)), ("pop", (-1,)), ("remove", (1,)), ("index", (1,)), ("count", (1,)),
                       ("reverse", ()), ("sort", ()), ("extend", ([],)), ("__getitem__", (0,)), ("__getitem__", (-1,))):
        tell(f"{name} {args} of nothing", then, shared, name, *args)
    tell("[0] = of nothing", put, shared, 0, 1)
    tell("del of nothing", drop, shared, 0)
    for value in (3, 1, None, "x", [1, 2]):
        tell(f"append {value}", then, shared, "append", value)
    tell("extend", then, shared, "extend", [True, {"a": 1}])
    tell("extend by a tuple", then, shared, "extend", (7, 8))
    tell("extend by itself", then, shared, "extend", shared[:2])
    for i in (0, 1, 100, -1, -100, 5):
        tell(f"insert at {i}", then, shared, "insert", i, f"at {i}")
    for args in ((), (-1,), (0,), (3,), (-3,), (100,), (-100,)):
        tell(f"pop {args}", then, shared, "pop", *args)
    tell("reverse", then, shared, "reverse")
    say("iterates", [value for value in shared], len(shared), str(shared))
    shared = manager.list([0])
    for n in range(3):
        shared += [n]
    say("+=", shared[:], type(shared).__name__)
    shared *= 2
    say("*= 2", shared[:])
    shared *= 1
    say("*= 1", shared[:], shared + ["more"], shared * 2, 2 * shared, len(shared))
    shared *= 0
    say("*= 0", shared[:])
    shared += [1]
    shared *= -1
    say("*= -1", shared[:])
    shared = manager.list([[1], {"a": []}])
    shared[0].append("lost")
    shared[1]["a"].append("lost")
    say("what came out is a copy", shared[:])


def places(manager):
    def new():
        return manager.list([10, 11, 12, 13, 14])

    for i in (0, 1, 4, 5, 100, -1, -5, -6, -100):
        tell(f"[{i}]", new().__getitem__, i)
        tell(f"[{i}] =", put, new(), i, "new")
        tell(f"del [{i}]", drop, new(), i)
        tell(f"pop {i}", then, new(), "pop", i)
        tell(f"insert {i}", then, new(), "insert", i, None)
    for wrong in (1.5, [], {}):
        tell(f"[{wrong!r}]", new().__getitem__, wrong)
        tell(f"[{wrong!r}] =", put, new(), wrong, 1)
        tell(f"del [{wrong!r}]", drop, new(), wrong)
    for part in SLICES:
        tell(f"[{name_of(part)}]", new().__getitem__, part)
        tell(f"del [{name_of(part)}]", drop, new(), part)
        for number in range(7):
            tell(f"[{name_of(part)}] = {number} values", put, new(), part, list("abcdefg"[:number]))
    tell("[1:2] = a tuple", put, new(), slice(1, 2), ({"a": 1}, None))


def equality(manager):
    values = [1, "1", 2.5, None, "a", 1, [1, 2], {"a": 1, "b": [2]}, 2**70, 10.0, 1e2, "\u00e4", "", [], {}, 0.0,
              2**53 + 1, "line\n", "\U0001f600"]
    others = [1.0, 10, 100, 100.0, [1.0, 2], {"b": [2], "a": 1}, {"a": 1}, 2**70 + 1, 2**53, float(2**53), -0.0, [1],
              [2, 1], "A", "a ", 0, {"a": 1, "b": [2.0]}, "a\u0308", [[]], 9, float(2**70)]
    for value in values + others:
        shared = manager.list(values)
        tell(f"count {value!r}", shared.count, value)
        tell(f"index {value!r}", shared.index, value)
        say("in", value in shared)
        tell(f"remove {value!r}", then, shared, "remove", value)
    shared = manager.list([1, 2, 1, 2, 1])
    for bounds in ((), (1,), (3,), (5,), (-1,), (-2,), (1, 2), (1, 3), (0, -1), (-100, 100), (4, 2), (3, 4), (100,)):
        tell(f"index from {bounds}", shared.index, 1, *bounds)


def order(manager):
    for values in ([3, 1, 2], [1.5, -2, 10, 2, 0, -0.5], [1, 1.0, 0, 1.0, 1], [-0.0, 0, 0.0, -1], [7], [],
                   [2**70, 2**53 + 1, 2**53, -2**64, 2**70 + 1, 2**70 - 1, 5], [2.0**53, 2**53 + 1, 2**53],
                   ["b", "a", "B", "", "aa", "ab"], ["10", "9", "1"], ["line\n", "line", "line\t", "\0"],
                   ["\u00e4", "z", "\U0001f600", "\uffff", "a\u0308", "\u20ac", "e"], list(range(50, 0, -1))):
        tell(f"sort {values}", then, manager.list(values), "sort")
        tell(f"sort {values} reversed", then, manager.list(values), "sort", reverse=True)
        tell(f"reverse {values}", then, manager.list(values), "reverse")
    for values in ([1, "a"], ["a", None], [None, 1], [{}, 1], ["1", 2, "3"]):
        tell(f"sort {values}", then, manager.list(values), "sort")


def contents(manager):
    shared = manager.list()
    for item in ITEMS:
        shared.append(item)
        say("item", repr(item)[:60], type(shared[-1]).__name__, repr(shared[-1]) == repr(item))
    for seen in (shared[:], list(shared), shared[::-1][::-1], manager.list(ITEMS)[:]):
        say("all", repr(seen) == repr(ITEMS))
    say("made of", manager.list("abc")[:], manager.list(range(3))[:], manager.list((1, None))[:])
    say("popped", all(repr(shared.pop()) == repr(item) for item in reversed(ITEMS)), len(shared))


def program(mp):
    with mp.Manager() as manager:
        methods(manager)
        places(manager)
        equality(manager)
        order(manager)
        contents(manager)
        shared = manager.list()

        def fill(mine):
            for n in range(20):
                shared.append([mine, n])

        say("filled", [worker.result() for worker in [Worker(mp, fill, mine) for mine in range(4)]], len(shared))
        say("each one's in order", [[n for mine, n in shared if mine == who] == list(range(20)) for who in range(4)])
        say("elsewhere", elsewhere(mp, then, manager.list([3, 1, 2]), "sort"), elsewhere(mp, shared.pop, 100),
            elsewhere(mp, shared.remove, "nothing"), elsewhere(mp, len, shared))
        say("each is popped once", all_of(mp, 3, pop_all, shared), len(shared))


def pop_all(shared):
    try:
        while True:
            shared.pop(0)
    except IndexError:
        return "empty"
