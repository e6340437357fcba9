# SPDX-License-Identifier: MIT
"""The objects between threads of one process: each waits and holds for itself."""
import threading

from transcript import MOMENT, PATIENCE, all_of, outcome, say, tell, until


class Thread(threading.Thread):
    """A thread that makes one call."""

    def __init__(self, call, *args):
        super().__init__(target=self._work, args=(call, *args), daemon=True)
        self._seen = "still waiting"
        self.start()

    def _work(self, call, *args):
        self._seen = outcome(call, *args)

    def result(self):
        self.join(PATIENCE)
        return self._seen


def results(threads):
    return [thread.result() for thread in threads]


def locks(mp):
    lock, deep, total = mp.Lock(), mp.RLock(), [0]

    def enter():
        for _ in range(20):
            with lock:
                seen = total[0]
                with deep, deep:
                    total[0] = seen + 1

    say("entered", results([Thread(enter) for _ in range(4)]), total)
    lock.acquire()
    say("a thread releases another's lock", Thread(lock.release).result(), Thread(lock.acquire, False).result())
    deep.acquire()
    say("but not its rlock", Thread(deep.release).result(), Thread(deep.acquire, True, 0).result())
    tell("release", lock.release)
    tell("release", deep.release)


def no_deadlock(mp):
    """One thread holds the first lock and waits for the second, whose thread waits for the first only for a while."""
    first, second = mp.RLock(), mp.RLock()
    both = threading.Barrier(2)

    def patient():
        with first:
            both.wait()
            return second.acquire(), second.release()

    def impatient():
        with second:
            both.wait()
            return first.acquire(True, MOMENT)

    say("no deadlock", results([Thread(patient), Thread(impatient)]))


def conditions(mp):
    condition, ready = mp.Condition(), []

    def wait():
        with condition:
            ready.append(None)
            return condition.wait(PATIENCE)

    threads = [Thread(wait) for _ in range(3)]
    until(lambda: len(ready) == 3)
    with condition:
        tell("notify", condition.notify)
    until(lambda: sum(not thread.is_alive() for thread in threads) == 1)
    with condition:
        tell("notify all", condition.notify_all)
    say("woken", results(threads))
    condition.acquire()
    say("another thread's", Thread(condition.wait, 0).result(), Thread(condition.notify).result(),
        Thread(condition.release).result())
    tell("release", condition.release)


def others(mp):
    barrier, event, semaphore, queue = mp.Barrier(4), mp.Event(), mp.Semaphore(0), mp.JoinableQueue(2)
    threads = [Thread(barrier.wait, PATIENCE) for _ in range(3)]
    say("barrier", sorted([outcome(barrier.wait, PATIENCE), *results(threads)]), barrier.n_waiting)
    threads = [Thread(event.wait), Thread(event.wait, PATIENCE), Thread(semaphore.acquire), Thread(queue.get)]
    event.set()
    semaphore.release()
    queue.put("item")
    say("woken", results(threads))
    queue.task_done()

    def consume():
        seen = []
        while (item := queue.get()) is not None:
            seen.append(item)
            queue.task_done()
        queue.task_done()
        return seen == sorted(seen)

    threads = [Thread(consume) for _ in range(2)]
    for n in range(30):
        queue.put(n)
    queue.join()
    for _ in threads:
        queue.put(None)
    say("consumers", results(threads), queue.join())
    say("done once too often", outcome(queue.task_done))
    say("other processes beside them", all_of(mp, 2, event.wait))


def program(mp):
    locks(mp)
    no_deadlock(mp)
    conditions(mp)
    others(mp)
