# SPDX-License-Identifier: MIT
"""Value: what fits, what wraps, what is refused; its lock; changes by others."""
import threading

from transcript import MOMENT, PATIENCE, all_of, elsewhere, outcome, say, tell, timed

WHOLE = "bBhHiIlLqQ"
NUMBERS = [0, 1, -1, True, *(sign * (2**bits + more) for bits in (7, 8, 15, 16, 31, 32, 53, 63, 64, 65, 70)
                             for more in (-1, 0, 1) for sign in (1, -1)), 10**30]
FLOATS = [0.0, -0.0, 1, -3, 0.1, -2.5, 1e-7, 16777217, 2**53 + 1, 1e22, 123456789.125, 1e-45, True]


def changed(value, to):
    value.value = to
    return value.value


def types(mp):
    for code in WHOLE:
        value = mp.Value(code)
        say(code, value.value, mp.Value(code, 5).value, mp.Value(code, 2**70 + 3).value)
        for number in NUMBERS:
            tell(f"{code} {number}", changed, value, number)
        for wrong in (1.5, 1.0, "1", None, [], b"1"):
            tell(f"{code} {wrong!r}", changed, value, wrong)
        tell("it is as before", lambda value=value: value.value)
    for code in "fd":
        value = mp.Value(code)
        say(code, value.value, mp.Value(code, 2).value, mp.Value(code, 0.1).value)
        for number in FLOATS:
            tell(f"{code} {number}", changed, value, number)
        for wrong in ("1", None, []):
            tell(f"{code} {wrong!r}", changed, value, wrong)
    value = mp.Value("u")
    say("u", repr(value.value), repr(mp.Value("u", "x").value))
    for character in ("a", "\u00e4", "\u20ac", "\U0001f600", "\0", '"', "\\", "\n"):
        tell(f"u {character!r}", changed, value, character)
    for wrong in ("ab", "", None, 1.5, []):
        tell(f"u {wrong!r}", changed, value, wrong)
    value = mp.Value("c", b"x")
    for character in (b"a", b"\0", b"\xff", b'"'):
        tell(f"c {character!r}", changed, value, character)
    for wrong in (b"ab", b"", None, 1.5):
        tell(f"c {wrong!r}", changed, value, wrong)
    for code, wrong in (("i", 1.5), ("i", "x"), ("d", "x"), ("u", "xy"), ("z", 1)):
        tell(f"made of {code} {wrong!r}", mp.Value, code, wrong)


def add(value, number=1):
    with value.get_lock():
        value.value += number


def locks(mp):
    value = mp.Value("i", 7)
    lock = value.get_lock()
    tell("release of what nobody holds", lock.release)
    tell("acquire", lock.acquire)
    tell("once more", lock.acquire, False)
    tell("its own", value.acquire)
    say("elsewhere", elsewhere(mp, lock.acquire, False), elsewhere(mp, timed, value.acquire, True, 0),
        elsewhere(mp, timed, lock.acquire, timeout=MOMENT, least=MOMENT), elsewhere(mp, lock.release))
    seen = []
    thread = threading.Thread(target=lambda: seen.append((outcome(lock.acquire, False), outcome(lock.release))))
    thread.start()
    thread.join(PATIENCE)
    say("another thread", seen)
    for call in (value.release, lock.release, lock.release, lock.release):
        tell("release", call)
    with value as entered:
        say("with", entered, elsewhere(mp, value.acquire, False))
    say("without", elsewhere(mp, lambda: (value.acquire(False), value.release())))


def program(mp):
    types(mp)
    locks(mp)
    value = mp.Value("i", 0)
    say("elsewhere", elsewhere(mp, changed, value, -5), value.value)
    say("added", all_of(mp, 4, lambda: [add(value) for _ in range(40)][0]), value.value)
    small = mp.Value("B", 250)
    say("wraps", [(add(small), small.value)[1] for _ in range(10)])
    number = mp.Value("d", 0.5)
    say("halves", all_of(mp, 3, add, number, 0.5), number.value)
