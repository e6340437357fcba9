# SPDX-License-Identifier: MIT
"""SimpleQueue: put, get, empty."""
from items import BYTES, ITEMS
from transcript import Worker, elsewhere, say, tell


def program(mp):
    queue = mp.SimpleQueue()
    tell("empty", queue.empty)
    for item in [item for item in ITEMS if len(repr(item)) < 1000] + BYTES:
        queue.put(item)
        empty, seen = queue.empty(), queue.get()
        say("item", repr(item)[:80], empty, type(seen).__name__, repr(seen) == repr(item), queue.empty())
    for n in range(10):
        tell("put", queue.put, n)
    say("in order", [queue.get() for _ in range(5)], queue.empty(), [elsewhere(mp, queue.get) for _ in range(5)])
    tell("empty", queue.empty)
    waiters = [Worker(mp, queue.get).parked() for _ in range(3)]
    for n in range(3):
        tell("put for a waiter", queue.put, n)
    say("all got one", sorted(waiter.result() for waiter in waiters), queue.empty())
    say("elsewhere", elsewhere(mp, queue.put, {"from": "a child"}), queue.get())

    def produce(mine):
        for n in range(30):
            queue.put([mine, n])

    producers = [Worker(mp, produce, mine) for mine in range(3)]
    items = [queue.get() for _ in range(90)]
    say("all came", [producer.result() for producer in producers], len(items), queue.empty())
    say("each one's in order", all(sorted(own) == own for own in (
        [item for item in items if item[0] == mine] for mine in range(3))))
    say("closed elsewhere", elsewhere(mp, queue.close), queue.empty())
    tell("close", queue.close)
    for name, args in (("put", (1,)), ("get", ()), ("empty", ())):
        tell(f"{name}, closed", getattr(queue, name), *args)
