# SPDX-License-Identifier: MIT
"""Array: indices, slices, types, its lock; changes by others."""
from items import SLICES, name_of
from transcript import MOMENT, all_of, elsewhere, say, tell, timed

INDICES = [0, 1, 4, 5, 6, 100, -1, -5, -6, -100]


def put(array, i, value):
    array[i] = value
    return array[:]


def whole(mp):
    for code, many in (("i", 3), ("d", 2), ("B", 0), ("q", [1, 2, 3]), ("f", [0.5, 1]), ("h", (1, 2)), ("l", range(4)),
                       ("u", "abc"), ("c", b"abc"), ("b", [127, 128, 255, 256, -129]), ("Q", [-1, 2**64]), ("i", [])):
        array = mp.Array(code, many)
        say(f"{code} {many}", len(array), array[:], repr(array[:]), list(array))
    for code, many in (("i", -1), ("i", ["x"]), ("i", [1.5]), ("d", ["x"]), ("u", ["ab"]), ("z", 1), ("i", [None])):
        tell(f"made of {code} {many}", mp.Array, code, many)


def places(mp):
    array = mp.Array("i", [10, 11, 12, 13, 14])
    for i in INDICES:
        tell(f"[{i}]", array.__getitem__, i)
        tell(f"[{i}] = {-7}", put, array, i, -7)
    for wrong in (1.0, [], {}):
        tell(f"[{wrong!r}]", array.__getitem__, wrong)
        tell(f"[{wrong!r}] = 1", put, array, wrong, 1)
    for part in SLICES:
        array[:] = [10, 11, 12, 13, 14]
        tell(f"[{name_of(part)}]", array.__getitem__, part)
        for number in range(7):
            array[:] = [10, 11, 12, 13, 14]
            tell(f"[{name_of(part)}] = {number} values", put, array, part, list(range(number)))
    array[:] = [10, 11, 12, 13, 14]
    for wrong in ("x", 1.5, None, [1]):
        tell(f"[0] = {wrong!r}", put, array, 0, wrong)
    for wrong in (["x", 1], [1.5, 1]):
        tell(f"[0:2] = {wrong!r}", put, array, slice(0, 2), wrong)
    for number in (2**31, 2**32 + 5, -2**31 - 1, 2**70 + 1, True):
        tell(f"[2] = {number}", put, array, 2, number)
    tell("[1:3] wraps", put, array, slice(1, 3), [2**32, 2**31])
    tell("[:2] = a tuple", put, array, slice(2), (1, 2))
    tell("[:2] = a range", put, array, slice(2), range(8, 10))
    say("in", 8 in array, 99 in array, sum(array), len(array))


def characters(mp):
    array = mp.Array("u", "h\u00e4llo")
    say("u", repr(array[:]), repr(array[1]), repr(array[::-1]), repr(array[1:3]))
    tell("u [0]", put, array, 0, "\u20ac")
    tell("u [1:3]", put, array, slice(1, 3), "xy")
    for wrong in ("xy", "", 1.5, None):
        tell(f"u [0] = {wrong!r}", put, array, 0, wrong)
    array = mp.Array("c", b"bytes")
    say("c", array[:], array[-1], array[::2])
    tell("c [0]", put, array, 0, b"\xff")
    tell("c [1:3]", put, array, slice(1, 3), b"xy")
    tell("c [0] = b'xy'", put, array, 0, b"xy")
    array = mp.Array("f", [0.1, 0.5, 1e10])
    say("f", array[:], array[0], put(array, 1, 3), put(array, slice(0, 2), [0.3, -1]))
    array = mp.Array("d", 2)
    say("d", array[:], put(array, 0, 0.1), put(array, 1, 7), put(array, slice(None, None, -1), [1e-7, 1e300]))


def locks(mp):
    array = mp.Array("i", 3)
    lock = array.get_lock()
    tell("release of what nobody holds", lock.release)
    with lock, array as entered:
        say("with", entered, elsewhere(mp, lock.acquire, False), elsewhere(mp, timed, array.acquire, True, 0),
            elsewhere(mp, timed, lock.acquire, True, MOMENT, least=MOMENT), elsewhere(mp, lock.release))
    say("without", elsewhere(mp, lambda: (array.acquire(False), array.release())))

    def add():
        for _ in range(20):
            with array:
                for i in range(3):
                    array[i] += i

    say("added", all_of(mp, 3, add), array[:])
    say("elsewhere", elsewhere(mp, put, array, slice(None, None, 2), [-1, -2]), array[:])


def program(mp):
    whole(mp)
    places(mp)
    characters(mp)
    locks(mp)
