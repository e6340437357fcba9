# SPDX-License-Identifier: MIT
"""
Many objects, many waiters on one lock, many connections, all in one daemon: that the lock is handed on in the order in
which it was asked for, and what an operation costs there over what it costs in an empty daemon. The cost is the
engine's processor time, measured in both daemons in turn, with all of them on one processor: to wake another one costs
as much as what is measured. `make soak` runs the full figures.
"""
import collections
import contextlib
import itertools
import os
import pathlib
import random
import secrets
import statistics

from harness import PATIENCE, SLOW, Connection, figure

FAST = SLOW == 1
LIMIT = 1.5
KINDS = ("lock", "queue", "value", "event", "dict")
AT_A_TIME = 8  # connections that work, each on objects of its own
ROUNDS, TURNS = 11, 40
PIPELINED = 256


def lines(connection, calls):
    """The requests as what goes over the wire, each with an id of its own."""
    return b"".join(Connection.line({"id": next(connection.ids), "method": method, "params": params})
                    for method, params in calls)


def collect(connection, n):
    """Waits for the next N answers, which must be good."""
    for _ in range(n):
        answer = connection.recv()
        assert "result" in answer, answer


def in_waves(connection, calls, size=500):
    """Asks for a great many things, so many at a time."""
    calls = iter(calls)
    while wave := list(itertools.islice(calls, size)):
        connection.send_line(lines(connection, wave))
        collect(connection, len(wave))


class Crowd:
    """A daemon with many of everything, or with as little as the work needs."""

    def __init__(self, mpd, objects, waiters, connections):
        self.mpd, self.engine = mpd, mpd.engine_pid()
        self.names = [f"o{i}" for i in range(max(AT_A_TIME, objects // len(KINDS)))]
        self.connections = [mpd.connect(PATIENCE * 5) for _ in range(connections)]
        for kind in KINDS:
            shape = {"type": "q"} if kind == "value" else {}
            in_waves(self.connections[0], ((f"{kind}.create", {"name": f"{kind}-{name}", **shape})
                                           for name in self.names))
        self.line = Line(self.connections, waiters)

    def close(self):
        for connection in self.connections:
            connection.close()

    def cpu(self):
        """For how long the engine has run so far, in microseconds."""
        return int(pathlib.Path(f"/proc/{self.engine}/schedstat").read_text().split()[0]) / 1e3

    def work(self, chance, depth):
        """Does operations of all kinds on any objects, so many at a time on each of some connections; returns how long
        one takes the engine."""
        workers = chance.sample(self.connections, AT_A_TIME)
        calls = [list(self.calls(chance, self.names[i::AT_A_TIME])) for i in range(AT_A_TIME)]
        batches = [[lines(connection, mine[at:at + depth]) for connection, mine in zip(workers, calls)]
                   for at in range(0, len(calls[0]), depth)]
        before = self.cpu()
        for batch in batches:
            for connection, text in zip(workers, batch):
                connection.send_line(text)
            for connection, text in zip(workers, batch):
                collect(connection, text.count(b"\n"))
        return (self.cpu() - before) / sum(map(len, calls))

    @staticmethod
    def calls(chance, names):
        for _ in range(TURNS):
            name = chance.choice(names)
            yield "lock.acquire", {"name": f"lock-{name}"}
            yield "queue.put", {"name": f"queue-{name}", "item": {"seat": 7}}
            yield "value.add", {"name": f"value-{name}"}
            yield "event.set", {"name": f"event-{name}"}
            yield "dict.set", {"name": f"dict-{name}", "key": "k", "value": 1}
            yield "queue.get", {"name": f"queue-{name}"}
            yield "lock.release", {"name": f"lock-{name}"}

    def hand_on(self, turns):
        """Hands the lock on; returns how long that takes the engine each time."""
        before = self.cpu()
        for _ in range(turns):
            self.line.turn()
        return (self.cpu() - before) / turns


class Line:
    """Those who wait for one lock. Who has it goes to the end of the line in the turn in which he lets go of it."""

    def __init__(self, connections, waiters):
        self.waiting = collections.deque()  # (connection, tag, id of its request), in the order of their arrival
        self.token = connections[0].call("lock.acquire", name="line", tag="0")["token"]
        self.holder = connections[0], "0"
        tags = iter(range(1, waiters + 1))
        share = -(-waiters // len(connections))
        for connection in connections:
            mine = [str(tag) for tag in itertools.islice(tags, share)]
            numbers = [next(connection.ids) for _ in mine]
            connection.send_line(b"".join(map(self.ask, numbers, mine)) + b'{"id":"here","method":"mpd.ping"}')
            connection.reply("here")
            self.waiting += zip(itertools.repeat(connection), mine, numbers)
        assert connections[0].call("object.info", name="line")["waiters"] == waiters == len(self.waiting)

    @staticmethod
    def ask(number, tag):
        return Connection.line({"id": number, "method": "lock.acquire", "params": {"name": "line", "tag": tag}})

    def turn(self):
        connection, tag = self.holder
        release, again = next(connection.ids), next(connection.ids)
        connection.send_line(Connection.line({"id": release, "method": "lock.release",
                                              "params": {"name": "line", "tag": tag, "token": self.token}})
                             + self.ask(again, tag))
        connection.reply(release)
        self.waiting.append((connection, tag, again))
        connection, tag, number = self.waiting.popleft()
        token = connection.reply(number)["token"]  # comes to this one and no other, or not at all
        assert token > self.token
        self.holder, self.token = (connection, tag), token


def ratio(what, alone, crowd, measure, goal=None):
    """What MEASURE says of both, pair by pair, one right after the other: the median of the pairs' ratios."""
    pairs = [(measure(alone), measure(crowd)) for _ in range(ROUNDS)]
    value = statistics.median(b / a for a, b in pairs)
    empty, full = (statistics.median(side) for side in zip(*pairs))
    figure(f"{what}: {full:.2f} us of the engine, {empty:.2f} us in an empty daemon, ratio {value:.2f}"
           + (f" (goal {goal})" if goal else ""))
    return value


@contextlib.contextmanager
def on_one_processor(*pids):
    """Puts them and us on the last processor that we may use, and us back again."""
    before = os.sched_getaffinity(0)
    for pid in 0, *pids:
        os.sched_setaffinity(pid, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def test_a_crowd_costs_little(make_mpd, full):
    seed = int(os.environ.get("MPD_SEED") or secrets.randbelow(1 << 30))
    objects, waiters, connections = (100_000, 16_384, 1000) if full else (20_000, 4000, 500)
    chance = random.Random(seed)
    alone = Crowd(make_mpd(), 0, 1, AT_A_TIME)
    crowd = Crowd(make_mpd(), objects, waiters, connections)
    around = f"{objects} objects, {waiters} waiters, {connections} connections"
    turns = waiters // ROUNDS + 1  # so that all of the line comes to its turn
    with on_one_processor(alone.engine, crowd.engine):
        ratios = [ratio(f"an operation beside {around}", alone, crowd, lambda c: c.work(chance, 1), LIMIT),
                  ratio(f"a lock handed on beside {around}", alone, crowd, lambda c: c.hand_on(turns), LIMIT)]
        # So many in one read that little is left of an operation but to fetch its object from memory.
        ratio(f"an operation of {PIPELINED} in one write", alone, crowd, lambda c: c.work(chance, PIPELINED))
    alone.close()
    crowd.close()
    assert not FAST or max(ratios) <= LIMIT, f"MPD_SEED={seed}"
