# SPDX-License-Identifier: MIT
"""Every call that waits, with every way to say for how long: where it would have to wait, and where not."""
from transcript import MOMENT, PATIENCE, elsewhere, say, timed, until

TIMEOUT = [(0,), (0.0,), (-1,), (-0.001,), (0.001,), (MOMENT,)]
BLOCK = [(False,), (False, None), (False, PATIENCE), *((True, *args) for args in TIMEOUT)]
FOREVER = [(), (True,), (True, None), (True, PATIENCE), (True, 1e6)]


def tried(mp, name, call, ways):
    """A call that would have to wait, made by another process."""
    for args in ways:
        least = args[-1] if args[0] is not False and args[-1] > 0 else 0
        say(f"{name}{args}", elsewhere(mp, timed, call, *args, least=least))


def acquires(mp):
    for name, made in (("Lock", mp.Lock()), ("RLock", mp.RLock()), ("Semaphore", mp.Semaphore(1)),
                       ("BoundedSemaphore", mp.BoundedSemaphore(1)), ("Condition", mp.Condition()),
                       ("Condition of a Lock", mp.Condition(mp.Lock())), ("Value", mp.Value("i", 1).get_lock()),
                       ("Array", mp.Array("i", 1).get_lock())):
        for args in FOREVER + BLOCK:
            say(f"free {name}.acquire{args}", timed(made.acquire, *args), made.release())
        made.acquire()
        tried(mp, f"held {name}.acquire", made.acquire, BLOCK)
        made.release()


def queues(mp):
    for name, make in (("Queue", mp.Queue), ("JoinableQueue", mp.JoinableQueue)):
        queue = make(1)
        for args in FOREVER + BLOCK:
            say(f"{name}.put{args} with room", timed(queue.put, list(args), *args))
            until(lambda queue=queue: not queue.empty())
            say(f"{name}.get{args} with an item", timed(queue.get, *args))
        tried(mp, f"{name}.get from nothing ", queue.get, BLOCK)
        queue.put("it is full")
        tried(mp, f"{name}.put into a full one ", lambda *args, queue=queue: queue.put(1, *args), BLOCK)
        say(f"{name} is as it was", queue.get(), queue.qsize())


def waits(mp):
    event, condition, (here, there) = mp.Event(), mp.Condition(), mp.Pipe()

    def wait(*args):
        with condition:
            return condition.wait(*args)

    def wait_for(*args):
        with condition:
            return condition.wait_for(lambda: False, *args)

    tried(mp, "Event.wait", event.wait, TIMEOUT)
    tried(mp, "Condition.wait", wait, TIMEOUT)
    tried(mp, "Condition.wait_for", wait_for, TIMEOUT)
    tried(mp, "Connection.poll", here.poll, TIMEOUT)
    for args in TIMEOUT:
        tried(mp, "Barrier.wait", mp.Barrier(2).wait, [args])
        tried(mp, "Barrier(2, timeout).wait", lambda timeout: mp.Barrier(2, timeout=timeout).wait(), [args])
    event.set()
    there.send("there")
    for args in TIMEOUT + [(None,), (PATIENCE,), (1e6,)]:
        say(f"with what is so, wait{args}", timed(event.wait, *args), timed(here.poll, *args),
            timed(mp.Barrier(1).wait, *args), timed(condition.wait_for, lambda: True, *args))


def program(mp):
    acquires(mp)
    queues(mp)
    waits(mp)
