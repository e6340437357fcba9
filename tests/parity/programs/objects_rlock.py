# SPDX-License-Identifier: MIT
"""RLock: its depth, and that it is a thread's."""
import threading

from transcript import MOMENT, PATIENCE, Worker, all_of, elsewhere, outcome, python, say, tell, timed


def in_a_thread(call, *args):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(outcome(call, *args)))
    thread.start()
    thread.join(PATIENCE)
    return seen


def no_deadlock(mp):
    """One process has the first lock and waits for the second, whose holder waits for the first, but only a while."""
    first, second, both = mp.RLock(), mp.RLock(), python.Barrier(2)

    def patient():
        with first:
            both.wait()
            return second.acquire(), second.release()

    def impatient():
        with second:
            both.wait()
            return first.acquire(True, MOMENT)

    workers = [Worker(mp, patient), Worker(mp, impatient)]
    say("no deadlock", [worker.result() for worker in workers])


def program(mp):
    lock = mp.RLock()
    tell("release of what nobody holds", lock.release)
    tell("acquire", lock.acquire)
    tell("once more", lock.acquire)
    tell("once more, not waiting", lock.acquire, False)
    tell("once more, for 0 s", lock.acquire, True, 0)
    tell("once more, for less than nothing", lock.acquire, timeout=-1)
    tell("once more, for a moment", lock.acquire, timeout=MOMENT)
    for call, args in ((lock.acquire, (False,)), (lock.acquire, (True, 0)), (lock.acquire, (True, -1)),
                       (lock.release, ())):
        say("another process", call.__name__, *args, elsewhere(mp, call, *args))
        say("another thread", call.__name__, *args, in_a_thread(call, *args))
    say("another process, for a moment", elsewhere(mp, timed, lock.acquire, timeout=MOMENT, least=MOMENT))
    say("another thread, for a moment", in_a_thread(lock.acquire, True, MOMENT))

    waiter = Worker(mp, lock.acquire, True, PATIENCE).parked()
    for depth in range(6, 1, -1):
        tell(f"release of {depth}", lock.release)
        say("others", elsewhere(mp, lock.acquire, False), waiter.ready())
    tell("the last release", lock.release)
    say("the waiter", waiter.result())
    tell("its holder has ended: not waiting", lock.acquire, False)
    tell("its holder has ended: release", lock.release)

    lock = mp.RLock()
    with lock as first:
        with lock as second:
            say("with, twice", first, second, elsewhere(mp, lock.acquire, False))
        say("with, once", elsewhere(mp, lock.acquire, False))
    say("without", elsewhere(mp, lambda: (lock.acquire(False), lock.acquire(False), lock.release(), lock.release())))
    say("a thread's", in_a_thread(lambda: (lock.acquire(), lock.release())))
    tell("release once too often", lock.release)

    total = python.Value("i", 0, lock=False)

    def deep():
        for _ in range(30):
            with lock:
                with lock:
                    total.value += 1

    say("entered", all_of(mp, 3, deep), total.value)
    for _ in range(5):
        no_deadlock(mp)
