# SPDX-License-Identifier: MIT
"""Semaphore and BoundedSemaphore: permits, over-release, and how many are inside at once."""
from transcript import MOMENT, PATIENCE, Worker, all_of, elsewhere, python, say, tell, timed, until


def edges(mp, make, name):
    tell(f"{name}, value", make().get_value)
    say("fewer than none", outcome_of_making(make, -1))
    semaphore = make(2)
    tell("acquire", semaphore.acquire)
    say("another process", elsewhere(mp, semaphore.acquire))
    tell("value", semaphore.get_value)
    tell("not waiting", semaphore.acquire, False)
    say("for 0 s", timed(semaphore.acquire, True, 0))
    say("for less than nothing", timed(semaphore.acquire, timeout=-1))
    say("for a moment", timed(semaphore.acquire, timeout=MOMENT, least=MOMENT))
    say("another process, for a moment", elsewhere(mp, timed, semaphore.acquire, True, MOMENT, least=MOMENT))
    tell("the other's permit is not back", semaphore.get_value)
    waiters = [Worker(mp, semaphore.acquire, True, PATIENCE).parked() for _ in range(2)]
    tell("release", semaphore.release)
    say("release elsewhere", elsewhere(mp, semaphore.release))
    say("the waiters", [waiter.result() for waiter in waiters])
    tell("value", semaphore.get_value)
    for _ in range(3):
        tell("release", semaphore.release)
        tell("value", semaphore.get_value)
    for args in ((), (False,), (True, 0), (True, -1), (True, MOMENT), (False,)):
        tell(f"acquire {args}", semaphore.acquire, *args)
    while semaphore.acquire(False):
        pass
    tell("value", semaphore.get_value)
    semaphore.release()
    with semaphore as entered:
        say("with", entered, semaphore.get_value())
    tell("value after it", semaphore.get_value)


def outcome_of_making(make, value):
    try:
        make(value)
    except Exception as error:
        return type(error).__name__
    return "made"


def a_signal(mp, make):
    """One that begins with none, and is released by others than acquire it."""
    semaphore = make(0)
    tell("of none", semaphore.acquire, False)
    waiters = [Worker(mp, semaphore.acquire).parked() for _ in range(3)]
    tell("released", lambda: [semaphore.release() for _ in range(4)])
    say("all of them", [waiter.result() for waiter in waiters], semaphore.get_value())


def killed(mp, make):
    semaphore = make(1)
    semaphore.acquire()
    waiters = [Worker(mp, semaphore.acquire).parked() for _ in range(3)]
    say("waiters are killed", [waiter.killed() for waiter in waiters[1:]])
    tell("release", semaphore.release)
    say("the waiter", waiters[0].result(), "value", semaphore.get_value(), semaphore.release(), semaphore.get_value())


def at_once(mp, make, permits):
    """As many are inside at once as there are permits: the first wait for that, and there are never more."""
    semaphore = make(permits)
    inside, most = python.Value("i", 0), python.Value("i", 0)

    def enter():
        with semaphore:
            with inside:
                inside.value += 1
                most.value = max(most.value, inside.value)
            until(lambda: most.value >= permits)
            with inside:
                inside.value -= 1

    say("inside", all_of(mp, 3 * permits, enter), "at most", most.value, "value", semaphore.get_value())


def program(mp):
    for make, name in ((mp.Semaphore, "Semaphore"), (mp.BoundedSemaphore, "BoundedSemaphore")):
        edges(mp, make, name)
        at_once(mp, make, 3)
        killed(mp, make)
    a_signal(mp, mp.Semaphore)
    tell("a bounded one of none", mp.BoundedSemaphore(0).release)
