# SPDX-License-Identifier: MIT
"""Queue: what comes out is what went in, in order; full, empty, closed; many producers and consumers."""
from items import BYTES, ITEMS
from transcript import MOMENT, PATIENCE, Worker, all_of, elsewhere, say, tell, timed, until


def sizes(queue):
    return queue.qsize(), queue.empty(), queue.full()


def settled(queue):
    """Python's own sends its items when it has the time; then they can be seen to be there."""
    until(lambda: not queue.empty())
    return sizes(queue)


def contents(mp):
    queue = mp.Queue()
    for item in ITEMS + BYTES:
        queue.put(item)
        seen = queue.get(timeout=PATIENCE)
        say("item", repr(item)[:80], type(seen).__name__, repr(seen) == repr(item), repr(seen)[:80])
    for item in ITEMS:
        queue.put(item)
    say("in order", repr([queue.get() for _ in ITEMS]) == repr(ITEMS))
    large = {"large": "\u00e4\"\\" * 200000, "numbers": list(range(10000))}
    worker = Worker(mp, lambda: queue.get() == large)
    queue.put(large)
    say("a large one elsewhere", worker.result())


def bounds(mp):
    queue = mp.Queue(2)
    say("new", *sizes(queue))
    tell("put", queue.put, "first")
    tell("put, not waiting", queue.put_nowait, "second")
    say("full", *settled(queue))
    tell("put, not waiting", queue.put, "third", False)
    tell("put_nowait", queue.put_nowait, "third")
    say("put for 0 s", timed(queue.put, "third", True, 0))
    say("put for less than nothing", timed(queue.put, "third", timeout=-1))
    say("put for a moment", timed(queue.put, "third", True, MOMENT, least=MOMENT))
    say("put elsewhere", elsewhere(mp, queue.put, "third", False), elsewhere(mp, queue.put, "third", timeout=MOMENT))
    say("nothing came in", *sizes(queue))
    waiter = Worker(mp, queue.put, "third", timeout=PATIENCE).parked()
    tell("get", queue.get)
    say("who waited to put", waiter.result())
    say("the others", queue.get(), queue.get(timeout=PATIENCE))
    say("empty", *sizes(queue))
    tell("get, not waiting", queue.get, False)
    tell("get_nowait", queue.get_nowait)
    say("get for 0 s", timed(queue.get, True, 0))
    say("get for less than nothing", timed(queue.get, timeout=-1))
    say("get for a moment", timed(queue.get, True, MOMENT, least=MOMENT))
    say("get elsewhere", elsewhere(mp, queue.get, False), elsewhere(mp, queue.get, True, MOMENT))
    waiter = Worker(mp, queue.get, timeout=PATIENCE).parked()
    tell("put", queue.put, "for the waiter")
    say("who waited to get", waiter.result())
    for maxsize in (0, -1):
        queue = mp.Queue(maxsize)
        for n in range(100):
            queue.put(n, False)
        say(f"maxsize {maxsize}", *settled(queue), [queue.get() for _ in range(100)] == list(range(100)))


def ready(mp):
    """With an item there or with room, no timeout matters."""
    queue = mp.Queue(5)
    for n, args in enumerate(((), (False,), (True, 0), (True, -1), (True, MOMENT))):
        tell(f"put {args}", queue.put, n, *args)
    until(queue.full)
    for args in ((), (True, 1e6), (True, 10)):
        tell(f"get {args}", queue.get, *args)
    settled(queue)
    tell("get, not waiting", queue.get, False)
    settled(queue)
    tell("get for 0 s", queue.get, True, 0)


def closed(mp):
    queue = mp.Queue()
    queue.put(1)
    say("get", queue.get())
    tell("close", queue.close)
    tell("join_thread", queue.join_thread)
    tell("put into a closed one", queue.put, 1)
    tell("get from a closed one", queue.get)
    tell("get_nowait from a closed one", queue.get_nowait)
    other = mp.Queue()
    say("closed elsewhere", elsewhere(mp, other.close))
    tell("is open here", other.put, "still")
    tell("get", other.get)


def crowd(mp):
    """Three that put, two that get until an end mark comes: nothing is lost, nothing doubled."""
    queue, seen = mp.Queue(4), mp.Queue()

    def produce(mine):
        for n in range(40):
            queue.put([mine, n])

    def consume():
        while (item := queue.get()) is not None:
            seen.put(item)
        seen.put(None)

    producers = [Worker(mp, produce, mine) for mine in range(3)]
    consumers = [Worker(mp, consume) for _ in range(2)]
    items, ends = [], 0
    while len(items) < 120:
        items.append(seen.get(timeout=PATIENCE))
    say("producers", [producer.result() for producer in producers])
    for _ in consumers:
        queue.put(None)
    while ends < 2:
        ends += seen.get(timeout=PATIENCE) is None
    say("consumers", [consumer.result() for consumer in consumers])
    say("each once", sorted(items) == [[mine, n] for mine in range(3) for n in range(40)])
    say("nothing more", queue.qsize(), seen.qsize())

    def take():
        return [item for item in iter(queue.get, None)]

    consumer = Worker(mp, take)
    for n in range(30):
        queue.put(n)
    queue.put(None)
    say("in order", consumer.result())
    say("waiters of one queue", end_marks(mp, queue))


def end_marks(mp, queue):
    waiters = [Worker(mp, queue.get, timeout=PATIENCE).parked() for _ in range(4)]
    for n in range(4):
        queue.put(n)
    return sorted(waiter.result() for waiter in waiters)


def program(mp):
    contents(mp)
    bounds(mp)
    ready(mp)
    closed(mp)
    crowd(mp)
    shared = mp.Queue(1)
    worker = Worker(mp, all_puts, shared, 20)
    say("one place", [shared.get(timeout=PATIENCE) for _ in range(20)], worker.result())
    say("at once", all_of(mp, 3, shared.get, False))


def all_puts(queue, number):
    for n in range(number):
        queue.put(n)
