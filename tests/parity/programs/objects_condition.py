# SPDX-License-Identifier: MIT
"""Condition: that its lock is needed, given up while waiting, and held again after it; who is woken."""
from transcript import MOMENT, PATIENCE, Worker, elsewhere, python, say, tell, timed, until


def waiting(mp, condition, number, *args):
    """So many processes that wait: they have said so with the lock held, and now the lock is free."""
    told = python.SimpleQueue()

    def wait():
        with condition:
            told.put(None)
            return condition.wait(*args)

    workers = [Worker(mp, wait) for _ in range(number)]
    for _ in workers:
        told.get()
    with condition:
        return workers


def without_the_lock(mp, condition):
    for name, args in (("wait", ()), ("wait", (0,)), ("wait", (MOMENT,)), ("notify", ()), ("notify_all", ()),
                       ("release", ())):
        tell(f"{name} {args} without the lock", getattr(condition, name), *args)
    tell("wait_for what is so, without the lock", condition.wait_for, lambda: True)
    tell("wait_for what is not so, without the lock", condition.wait_for, lambda: False)
    with condition:
        for name in ("wait", "notify", "notify_all"):
            say(f"{name} while another process has the lock", elsewhere(mp, getattr(condition, name)))


def timeouts(mp, condition):
    with condition:
        say("wait for 0 s", timed(condition.wait, 0))
        say("wait for less than nothing", timed(condition.wait, -1))
        say("wait a moment", timed(condition.wait, MOMENT, least=MOMENT))
        say("the lock is held again", elsewhere(mp, condition.acquire, False))
    say("and not after that", elsewhere(mp, lambda: (condition.acquire(False), condition.release())))


def wakings(mp, condition):
    with condition:
        tell("notify nobody", condition.notify)
        tell("notify all of nobody", condition.notify_all)
    workers = waiting(mp, condition, 4)
    with condition:
        tell("notify none", condition.notify, 0)
        tell("notify one", condition.notify)
        say("with the lock held nobody goes on", any(worker.ready() for worker in workers))
    until(lambda: sum(worker.ready() for worker in workers) == 1)
    with condition:
        tell("notify two", condition.notify, 2)
    until(lambda: sum(worker.ready() for worker in workers) == 3)
    with condition:
        tell("notify more than wait", condition.notify, n=7)
    say("all went on", [worker.result() for worker in workers])

    workers = waiting(mp, condition, 3, PATIENCE)
    with condition:
        tell("notify all", condition.notify_all)
    say("all went on", [worker.result() for worker in workers])
    with condition:
        say("a notify of before is forgotten", timed(condition.wait, MOMENT, least=MOMENT))
    late, patient = waiting(mp, condition, 1, 0.2) + waiting(mp, condition, 1)
    say("the one that would not wait longer", late.result())
    with condition:
        tell("notify one", condition.notify)
    say("the other", patient.result())


def predicates(mp, condition):
    number = python.Value("i", 0)
    with condition:
        tell("what is so", condition.wait_for, lambda: "yes")
        say("what is not so, for 0 s", timed(condition.wait_for, lambda: 0, 0))
        say("what is not so, a moment", timed(condition.wait_for, lambda: None, MOMENT, least=MOMENT))
        tell("what is so, for 0 s", condition.wait_for, lambda: [1], timeout=0)

    def until_three():
        with condition:
            return condition.wait_for(lambda: number.value == 3 and number.value, PATIENCE)

    worker = Worker(mp, until_three)
    for _ in range(3):
        with condition:
            number.value += 1
            condition.notify_all()
    say("three", worker.result())


def in_turn(mp, condition):
    """Two processes take turns."""
    turns = python.Array("c", 20)

    def take(mine):
        for n in range(mine, len(turns), 2):
            with condition:
                condition.wait_for(lambda n=n: len(turns.value) == n)
                turns[n] = b"AB"[mine]
                condition.notify()

    say("turns", [worker.result() for worker in [Worker(mp, take, mine) for mine in range(2)]], turns.value)


def deep(mp):
    """An rlock is given up wholly, and taken again as deep as it was."""
    lock = mp.RLock()
    condition = mp.Condition(lock)
    told = python.SimpleQueue()

    def wait():
        with lock, condition, lock:
            told.put(None)
            seen = condition.wait(PATIENCE)
            return seen, [lock.release() for _ in range(2)], condition.acquire(False), lock.acquire(False)

    worker = Worker(mp, wait)
    told.get()
    with lock:
        condition.notify()
    say("deep", worker.result())
    tell("free after that", lock.acquire, timeout=PATIENCE)
    tell("release", lock.release)
    tell("release once too often", lock.release)


def program(mp):
    for name, condition in (("its own rlock", mp.Condition()), ("an rlock", mp.Condition(mp.RLock())),
                            ("a lock", mp.Condition(mp.Lock()))):
        tell(f"with {name}: acquire", condition.acquire)
        say("elsewhere", elsewhere(mp, condition.acquire, False), elsewhere(mp, condition.acquire, True, MOMENT))
        tell("release", condition.release)
        without_the_lock(mp, condition)
        timeouts(mp, condition)
        wakings(mp, condition)
        predicates(mp, condition)
        in_turn(mp, condition)
    deep(mp)
