# SPDX-License-Identifier: MIT
"""Random calls of all that need not wait, by this process and by others. MPD_SEED says which; the same for both."""
import os
import random

from transcript import PATIENCE, elsewhere, say, tell, until

STEPS = int(os.environ.get("MPD_STEPS", "400"))  # a kind
SCALARS = [0, 1, -1, 7, 2**31, 2**53 + 1, -2**70, 10**20, 0.5, 1.0, -2.5, 1e300, 1e-9, "", "a", "b", "\u00e4",
           "\U0001f600x", "a\"b\\", None, [], [1, [2.0]], {"a": 1}, {"b": {}, "a": [None]}]
KEYS = ["a", "b", "c", "", "\u00e4", "a\"b\\", "\U0001f600", "long " * 20]
NAMES = {"[]": "__getitem__", "[]=": "__setitem__", "del": "__delitem__", "in": "__contains__", "len": "__len__"}


class Dice(random.Random):
    def index(self):
        return self.randint(-9, 9)

    def slice(self):
        start, stop = (self.choice([None, self.index()]) for _ in range(2))
        return slice(start, stop, self.choice([None, None, 1, 2, 3, -1, -2, -7, 0]))

    def some(self, values, most=5):
        return [self.choice(values) for _ in range(self.randint(0, most))]

    def whole(self):
        return self.choice([1, -1]) * (2**self.randint(0, 80) + self.randint(-2, 2))

    def real(self):
        return self.choice([1, -1]) * self.random() * 10.0**self.randint(-40, 38)


def play(shared, dice, calls, seen):
    """Random ones of the calls, and what is there after each."""
    names = sorted(calls)
    for step in range(STEPS):
        name = dice.choice(names)
        args = calls[name]()
        tell(f"{step} {name} {args!r}", getattr(shared, NAMES.get(name, name)), *args)
        say("then", repr(seen(shared)))


def lists(manager, dice):
    def sorted_or_not():
        kinds = {type(value) for value in shared[:]}
        if kinds <= {int, float} or kinds <= {str}:
            tell("sort", shared.sort, reverse=dice.random() < 0.5)
        del shared[12:]
        return ()

    shared = manager.list()
    play(shared, dice, {
        "append": lambda: (dice.choice(SCALARS),), "extend": lambda: (dice.some(SCALARS),),
        "insert": lambda: (dice.index(), dice.choice(SCALARS)), "pop": lambda: dice.choice([(), (dice.index(),)]),
        "remove": lambda: (dice.choice(SCALARS),), "count": lambda: (dice.choice(SCALARS),),
        "in": lambda: (dice.choice(SCALARS),), "reverse": lambda: (), "len": sorted_or_not,
        "index": lambda: (dice.choice(SCALARS), *[dice.index() for _ in range(dice.randint(0, 2))]),
        "[]": lambda: (dice.choice([dice.index(), dice.slice()]),),
        "[]=": lambda: dice.choice([(dice.index(), dice.choice(SCALARS)), (dice.slice(), dice.some(SCALARS))]),
        "del": lambda: (dice.choice([dice.index(), slice(dice.index(), None, dice.choice([None, 2, -2]))]),),
    }, lambda shared: shared[:])
    for kind in ([0, 1, 1.0, -1, 2**53, 2.0**53, 2**53 + 1, -2**70, 0.5, 1e300, -0.0, 10**20, 1e20],
                 ["", "a", "aa", "\u00e4", "b", "\U0001f600", "\uffff", "a\"", "a\\", "\x7f"]):
        for _ in range(STEPS // 20):
            values = dice.some(kind, 12)
            ordered = manager.list(values)
            tell(f"sort {values}", ordered.sort, reverse=dice.random() < 0.5)
            say("sorted", ordered[:])


def dicts(manager, dice):
    def pairs():
        return {dice.choice(KEYS): dice.choice(SCALARS) for _ in range(dice.randint(0, 4))}

    keyed = {name: lambda: (dice.choice(KEYS),) for name in ("[]", "del", "in", "get", "pop", "setdefault")}
    play(manager.dict(), dice, {
        **keyed, "[]=": lambda: (dice.choice(KEYS), dice.choice(SCALARS)), "len": lambda: (), "popitem": lambda: (),
        "update": lambda: (pairs(),), "keys": lambda: (), "values": lambda: (), "copy": lambda: (),
    }, lambda shared: shared.items())


def arrays(mp, dice):
    for code in "bBhHiIlLqQfd":
        number = dice.real if code in "fd" else dice.whole
        shared = mp.Array(code, [number() for _ in range(7)])
        for step in range(STEPS // 10):
            i, values = dice.slice(), [number() for _ in range(dice.randint(0, 7))]
            tell(f"{code} {step} {i} = {values}", shared.__setitem__, i, values)
            tell(f"{code} {step} {i}", shared.__getitem__, i)
            i, value = dice.index(), number()
            tell(f"{code} {step} [{i}] = {value}", shared.__setitem__, i, value)
            tell(f"{code} {step} [{i}]", shared.__getitem__, i)
        say(code, shared[:])


def values(mp, dice):
    for code in "bBhHiIlLqQfd":
        shared = mp.Value(code, 0)
        for _ in range(STEPS // 10):
            number = dice.real() if code in "fd" else dice.whole()
            shared.value = number
            say(code, number, shared.value)


def waiting(mp, dice):
    """Calls of what is waited for, when they need not wait; every tenth by another process."""
    lock, rlock, semaphore, bounded, event = mp.Lock(), mp.RLock(), mp.Semaphore(1), mp.BoundedSemaphore(2), mp.Event()
    calls = [(each.acquire, (block, timeout)) for each in (lock, rlock, semaphore, bounded)
             for block, timeout in ((False, None), (True, 0), (True, -1))]
    calls += [(each.release, ()) for each in (lock, rlock, semaphore, bounded) for _ in range(3)]
    calls += [(semaphore.get_value, ()), (bounded.get_value, ()), (event.set, ()), (event.clear, ()),
              (event.is_set, ()), (event.wait, (0,))]
    for step in range(STEPS):
        number = dice.randrange(len(calls))
        call, args = calls[number]
        if dice.random() < 0.1:
            say(f"{step} another process: {number}", elsewhere(mp, call, *args))
        else:
            tell(f"{step} {number}", call, *args)


def moving(mp, dice):
    """Items through queues and a pipe: not more than Python has room for, taken when there are any."""
    simple, queue, joinable, (here, there) = mp.SimpleQueue(), mp.Queue(4), mp.JoinableQueue(3), mp.Pipe()
    sent = put = taken = 0
    for step in range(STEPS):
        item, what = dice.choice(SCALARS), dice.randrange(8)
        if what == 0 and put < 50:
            tell(f"{step} simple", simple.put, item)
            put += 1
        elif what == 1 and not simple.empty():
            tell(f"{step} simple", simple.get)
            put -= 1
        elif what == 2:
            tell(f"{step} queue {queue.qsize()}", queue.put, item, False)
        elif what == 3 and queue.qsize():
            tell(f"{step} queue {queue.full()}", queue.get, timeout=PATIENCE)
        elif what == 4:
            tell(f"{step} joinable", joinable.put, item, True, 0)
        elif what == 5 and joinable.qsize():
            until(lambda: not joinable.empty())
            tell(f"{step} joinable", joinable.get, False)
            taken += 1
        elif what == 6 and (taken or not joinable.qsize()):
            tell(f"{step} done", joinable.task_done)
            taken = max(0, taken - 1)
        elif what == 7 and here.poll():
            tell(f"{step} pipe", here.recv)
            sent -= 1
        elif sent < 50:
            tell(f"{step} pipe", there.send, item)
            sent += 1
    say("left", queue.qsize(), joinable.qsize(), taken, here.poll(), simple.empty())


def program(mp):
    seed = int(os.environ["MPD_SEED"])
    say("MPD_SEED", seed)
    dice = Dice(seed)
    with mp.Manager() as manager:
        lists(manager, dice)
        dicts(manager, dice)
    arrays(mp, dice)
    values(mp, dice)
    waiting(mp, dice)
    moving(mp, dice)
