# SPDX-License-Identifier: MIT
"""JoinableQueue: what is put counts until it is done; join waits for that."""
from items import ITEMS
from transcript import MOMENT, PATIENCE, Worker, elsewhere, python, say, tell, timed, until


def counting(mp):
    queue = mp.JoinableQueue()
    tell("join, nothing was put", queue.join)
    tell("done, nothing was put", queue.task_done)
    say("the same elsewhere", elsewhere(mp, queue.join), elsewhere(mp, queue.task_done))
    for n in range(3):
        queue.put(n)
    joiners = [Worker(mp, queue.join).parked() for _ in range(2)]
    for n in range(3):
        say("they wait", [joiner.ready() for joiner in joiners])
        tell("get", queue.get)
        tell("done", queue.task_done)
    say("they go on", [joiner.result() for joiner in joiners])
    tell("done once too often", queue.task_done)
    tell("join", queue.join)
    tell("put again", queue.put, "again")
    joiner = Worker(mp, queue.join).parked()
    tell("get", queue.get, timeout=PATIENCE)
    say("got but not done", joiner.ready())
    tell("done", queue.task_done)
    say("done", joiner.result())
    tell("done once too often", queue.task_done)
    for n in range(4):
        queue.put(n)
    tell("get all", lambda: [queue.get() for _ in range(4)])
    say("then done", [queue.task_done() for _ in range(4)], queue.join())
    tell("done once too often", queue.task_done)
    for item in ITEMS:
        queue.put(item)
    say("items", all(queue.get() == item and queue.task_done() is None for item in ITEMS), queue.join())


def bounds(mp):
    queue = mp.JoinableQueue(maxsize=1)
    tell("put", queue.put, 1)
    until(lambda: not queue.empty())
    say("sizes", queue.qsize(), queue.empty(), queue.full())
    tell("put, not waiting", queue.put, 2, False)
    say("put for 0 s", timed(queue.put, 2, timeout=0))
    say("put for a moment", timed(queue.put, 2, True, MOMENT, least=MOMENT))
    tell("get", queue.get)
    tell("what is not done takes no place", queue.put, 2, False)
    tell("get", queue.get)
    say("get for 0 s", timed(queue.get, True, 0))
    say("get for a moment", timed(queue.get, timeout=MOMENT, least=MOMENT))
    say("what did not come in does not count", queue.task_done(), queue.task_done(), queue.join())
    tell("done once too often", queue.task_done)


def consumers(mp):
    """Daemonic consumers that never end: join tells when the work is done."""
    queue, done = mp.JoinableQueue(3), python.Value("i", 0)

    def consume():
        while True:
            item = queue.get()
            with done:
                done.value += item
            queue.task_done()

    def produce():
        for n in range(25):
            queue.put(n)

    crowd = [Worker(mp, consume) for _ in range(3)]
    say("produced", [worker.result() for worker in [Worker(mp, produce) for _ in range(2)]])
    tell("join", queue.join)
    say("sum", done.value, "consumers", [worker.process.is_alive() for worker in crowd])
    for worker in crowd:
        worker.process.terminate()
    say("terminated", [worker.result() for worker in crowd])


def program(mp):
    counting(mp)
    bounds(mp)
    consumers(mp)
    queue = mp.JoinableQueue()
    tell("nothing in it", queue.get_nowait)
    tell("close", queue.close)
    for name, args in (("put", (1,)), ("get", ()), ("get_nowait", ())):
        tell(f"{name}, closed", getattr(queue, name), *args)
