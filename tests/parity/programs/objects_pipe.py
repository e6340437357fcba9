# SPDX-License-Identifier: MIT
"""Pipe: both ways and one way, poll, the end of it, and that a child has the ends of its parent."""
from items import BYTES, ITEMS
from transcript import MOMENT, PATIENCE, Worker, elsewhere, say, tell, timed


def contents(here, there):
    for item in [item for item in ITEMS if len(repr(item)) < 1000] + BYTES:
        here.send(item)
        seen = there.recv()
        say("item", repr(item)[:80], type(seen).__name__, repr(seen) == repr(item))
    for data in BYTES[1:] + [b"x" * 50000]:
        here.send_bytes(data)
        say("bytes", len(data), there.recv_bytes() == data)


def both_ways(mp):
    here, there = mp.Pipe()
    contents(here, there)
    contents(there, here)
    for n in range(5):
        here.send(["there", n])
        there.send(["here", n])
    say("ways do not mix", [there.recv() for _ in range(5)], [here.recv() for _ in range(5)])
    say("poll", here.poll(), there.poll())
    say("poll for 0 s", timed(here.poll, 0))
    say("poll for less than nothing", timed(here.poll, -1))
    say("poll for a moment", timed(here.poll, MOMENT, least=MOMENT))
    there.send("ready")
    say("ready", here.poll(), here.poll(0), here.poll(-1), here.poll(None), here.poll(timeout=PATIENCE), there.poll())
    say("elsewhere", elsewhere(mp, here.poll), elsewhere(mp, here.recv), here.poll())
    waiter = Worker(mp, here.poll, PATIENCE).parked()
    there.send("for the waiter")
    say("who waited to see", waiter.result(), here.recv())
    waiter = Worker(mp, here.recv).parked()
    there.send("for another")
    say("who waited to receive", waiter.result(), here.poll())

    def echo():
        while (item := there.recv()) is not None:
            there.send([item, item])
        return "echoed"

    worker, seen = Worker(mp, echo), []
    for n in range(10):
        here.send(n)
        seen.append(here.recv())
    here.send(None)
    say("echo", seen, worker.result())


def one_way(mp):
    receiver, sender = mp.Pipe(duplex=False)
    contents(sender, receiver)
    tell("send at the receiver", receiver.send, 1)
    tell("recv at the sender", sender.recv)
    tell("poll at the sender", sender.poll)
    say("poll", receiver.poll(), timed(receiver.poll, MOMENT, least=MOMENT))
    tell("send", sender.send, "last words")
    tell("close", sender.close)
    say("poll", receiver.poll(), receiver.recv(), receiver.poll(), receiver.poll(MOMENT))
    tell("recv at the end", receiver.recv)
    tell("and again", receiver.recv)
    receiver, sender = mp.Pipe(False)
    tell("close the receiver", receiver.close)
    tell("send to nobody", sender.send, 1)
    tell("and again", sender.send, 1)


def closed(mp):
    here, there = mp.Pipe(True)
    there.send("kept")
    tell("close", there.close)
    say("closed", there.closed, here.closed)
    for name, args in (("send", (1,)), ("recv", ()), ("poll", ())):
        tell(f"{name} at a closed end", getattr(there, name), *args)
    tell("close again", there.close)
    say("what was sent before", here.poll(), here.recv())
    tell("then the end", here.recv)
    say("poll at the end", here.poll(), here.poll(MOMENT), here.poll(None))
    tell("send", here.send, 1)
    say("the child of who closed", elsewhere(mp, there.recv))


def children(mp):
    """An end is at its end when all who have it have closed it, or ended."""
    here, there = mp.Pipe()

    def child():
        here.close()
        there.send("from the child")
        return there.recv()

    worker = Worker(mp, child)
    there.close()
    say("the child's end is open", here.recv(), here.poll())
    here.send("from the parent")
    say("the child", worker.result())
    tell("it has ended", here.recv)
    tell("it has ended", here.send, 1)

    here, there = mp.Pipe()
    waiter = Worker(mp, lambda: (there.close(), here.recv()))
    forgetful = Worker(mp, there.recv)
    here.close()
    there.send("one")
    say("one", waiter.result())
    there.close()
    say("who has both ends waits for himself", forgetful.parked().ready())
    forgetful.process.terminate()
    say("terminated", forgetful.result())

    receiver, sender = mp.Pipe(False)

    def produce():
        receiver.close()
        for n in range(20):
            sender.send(n)

    workers = [Worker(mp, produce) for _ in range(2)]
    sender.close()
    items = []
    while True:
        try:
            items.append(receiver.recv())
        except EOFError:
            break
    say("to the end", sorted(items), [worker.result() for worker in workers])


def program(mp):
    both_ways(mp)
    one_way(mp)
    closed(mp)
    children(mp)
