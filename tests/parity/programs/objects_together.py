# SPDX-License-Identifier: MIT
"""Several objects in one program, as in the tutorials: tickets, producers and consumers, phases, a shared table."""
from transcript import PATIENCE, Worker, all_of, say


def tickets(mp):
    """Ten buyers and one ticket: all look at once, one after the other buys."""
    ticket, lock, together, sold = mp.Value("i", 1), mp.Lock(), mp.Barrier(10), mp.Manager().list()

    def buy(mine):
        looked = ticket.value
        together.wait(PATIENCE)
        with lock:
            if ticket.value < 1:
                return looked, "sold out"
            ticket.value -= 1
            sold.append(mine)
            return looked, "bought"

    buyers = [Worker(mp, buy, mine) for mine in range(10)]
    say("tickets", sorted(buyer.result() for buyer in buyers), ticket.value, len(sold))


def lines(mp):
    """Three that produce, two that consume, a full queue of two, end marks, and a table of who did how much."""
    queue, table, lock = mp.Queue(2), mp.Manager().dict(), mp.Lock()

    def produce(mine):
        for n in range(10):
            queue.put({"from": mine, "n": n})

    def consume():
        count = 0
        while (item := queue.get(timeout=PATIENCE)) != "end":
            with lock:
                table[str(item["from"])] = table.get(str(item["from"]), 0) + 1
            count += 1
        return count

    producers, consumers = [Worker(mp, produce, mine) for mine in range(3)], [Worker(mp, consume) for _ in range(2)]
    say("produced", [producer.result() for producer in producers])
    for _ in consumers:
        queue.put("end")
    say("consumed", sum(int(consumer.result()) for consumer in consumers), sorted(table.items()))


def phases(mp):
    """An event begins it, a barrier parts the phases, an array has the sums, a condition tells when all is done."""
    begin, barrier, condition = mp.Event(), mp.Barrier(3), mp.Condition()
    sums, done = mp.Array("q", 3), mp.Value("i", 0)

    def work(mine):
        begin.wait()
        for phase in range(4):
            sums[mine] += mine + phase
            barrier.wait(PATIENCE)
            seen = sums[:]
            barrier.wait(PATIENCE)
        with condition:
            done.value += 1
            condition.notify_all()
        return seen

    workers = [Worker(mp, work, mine).parked() for mine in range(3)]
    say("before", sums[:], begin.is_set())
    begin.set()
    with condition:
        say("done", condition.wait_for(lambda: done.value == 3, PATIENCE), sums[:])
    say("all saw the same", [worker.result() for worker in workers])


def relay(mp):
    """A baton through a ring of pipes, counted in a namespace under an rlock."""
    links, space, lock = [mp.Pipe(duplex=False) for _ in range(4)], mp.Manager().Namespace(laps=0), mp.RLock()

    def run(mine):
        for _ in range(5):
            baton = links[mine][0].recv()
            with lock, lock:
                space.laps += 1
            links[(mine + 1) % 4][1].send(baton + [mine])
        return len(baton)

    workers = [Worker(mp, run, mine) for mine in range(4)]
    links[0][1].send([])
    say("relay", [worker.result() for worker in workers], space.laps, links[0][0].recv())


def limited(mp):
    """Ten workers, two of them inside at a time; those inside are named in a list of the manager's."""
    gate, inside, results = mp.BoundedSemaphore(2), mp.Manager().list(), mp.SimpleQueue()

    def enter(mine):
        with gate:
            inside.append(mine)
            results.put(len(inside) <= 2)
            inside.remove(mine)

    workers = [Worker(mp, enter, mine) for mine in range(10)]
    say("limited", [worker.result() for worker in workers], [results.get() for _ in workers])
    say("all are out", len(inside), gate.get_value())


def work_is_done(mp):
    """A joinable queue with consumers that put more work: join waits for that, too."""
    queue, count = mp.JoinableQueue(), mp.Value("i", 0)

    def consume():
        while True:
            depth = queue.get()
            for _ in range(2 if depth < 4 else 0):
                queue.put(depth + 1)
            with count.get_lock():
                count.value += 1
            queue.task_done()

    workers = [Worker(mp, consume) for _ in range(3)]
    queue.put(0)
    queue.join()
    say("a tree of work", count.value, queue.qsize())
    for worker in workers:
        worker.process.kill()
    say("killed", [worker.result() for worker in workers])


def handed_on(mp):
    """A lock that one process acquires and another releases, in turn; a semaphore that counts what is there."""
    turn, there = [mp.Lock(), mp.Lock()], mp.Semaphore(0)
    order = mp.Manager().list()
    turn[1].acquire()

    def play(mine):
        for _ in range(5):
            turn[mine].acquire(True, PATIENCE)
            order.append("AB"[mine])
            there.release()
            turn[1 - mine].release()

    players = [Worker(mp, play, mine) for mine in range(2)]
    say("played", [player.result() for player in players], "".join(order), there.get_value())
    say("taken", all_of(mp, 5, lambda: [there.acquire(True, PATIENCE) for _ in range(2)]), there.acquire(False))


def program(mp):
    for part in (tickets, lines, phases, relay, limited, work_is_done, handed_on):
        part(mp)
