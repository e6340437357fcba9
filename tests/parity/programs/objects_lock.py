# SPDX-License-Identifier: MIT
"""Lock: who may acquire and release, who waits, and that there is never more than one inside."""
from transcript import MOMENT, PATIENCE, Worker, all_of, elsewhere, python, say, tell, timed, until


def exclusion(mp):
    lock = mp.Lock()
    inside, total, most = (python.Value("i", 0, lock=False) for _ in range(3))

    def enter():
        for _ in range(50):
            with lock:
                inside.value += 1
                most.value = max(most.value, inside.value)
                total.value += 1
                inside.value -= 1

    say("entered", all_of(mp, 4, enter), total.value, "at most", most.value)


def own(mp):
    """Who waits for his own lock goes on when another releases it."""
    lock, told = mp.Lock(), python.SimpleQueue()
    waiter = Worker(mp, lambda: (lock.acquire(), told.put(None), lock.acquire()))
    told.get()
    waiter.parked()
    say("waits for his own", waiter.ready(), lock.release(), waiter.result(), lock.acquire(False))


def killed(mp):
    lock, told = mp.Lock(), python.SimpleQueue()

    def hold():
        lock.acquire()
        told.put(None)
        python.Event().wait()

    holder = Worker(mp, hold)
    told.get()
    say("its holder is killed", *holder.killed(), "not waiting:", lock.acquire(False))
    waiters = [Worker(mp, lock.acquire).parked() for _ in range(3)]
    say("waiters are killed", [waiter.killed() for waiter in waiters[:2]])
    tell("release", lock.release)
    say("the waiter", waiters[2].result())
    say("it is held", lock.acquire(False), lock.release(), lock.acquire(False))


def program(mp):
    lock = mp.Lock()
    tell("acquire", lock.acquire)
    tell("held, not waiting", lock.acquire, False)
    tell("held, not waiting, by name", lock.acquire, block=False)
    say("held, for 0 s", timed(lock.acquire, True, 0))
    say("held, for less than nothing", timed(lock.acquire, True, -1))
    say("held, for a moment", timed(lock.acquire, timeout=MOMENT, least=MOMENT))
    say("held, another process, not waiting", elsewhere(mp, lock.acquire, False))
    say("held, another process, for a moment", elsewhere(mp, timed, lock.acquire, True, MOMENT, least=MOMENT))
    tell("release", lock.release)
    tell("release of what nobody holds", lock.release)
    say("the same elsewhere", elsewhere(mp, lock.release))
    tell("free, not waiting", lock.acquire, False)
    say("release by another process", elsewhere(mp, lock.release))
    tell("free, for 0 s", lock.acquire, timeout=0)
    tell("release", lock.release)
    tell("free, for less than nothing", lock.acquire, True, -0.5)
    tell("release", lock.release)
    tell("free, for long", lock.acquire, True, 1e6)

    waiter = Worker(mp, lock.acquire, timeout=PATIENCE).parked()
    say("waits", not waiter.ready())
    tell("release", lock.release)
    say("the waiter", waiter.result())
    tell("its holder has ended: not waiting", lock.acquire, False)
    tell("its holder has ended: release", lock.release)

    with lock as entered:
        say("with", entered, elsewhere(mp, lock.acquire, False))
    tell("after with", lock.acquire, False)
    tell("release", lock.release)

    def failing():
        with lock:
            return 1 / 0

    tell("with, failing", failing)
    say("it is free after that", elsewhere(mp, lock.acquire, False))
    tell("release", lock.release)

    tell("a lock as a signal", lock.acquire)
    waiters = [Worker(mp, lock.acquire, True, PATIENCE).parked() for _ in range(3)]
    for n in range(3):
        tell("release", lock.release)
        until(lambda n=n: sum(waiter.ready() for waiter in waiters) == n + 1)
    say("all went on", [waiter.result() for waiter in waiters])
    own(mp)
    killed(mp)
    exclusion(mp)
