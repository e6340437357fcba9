# SPDX-License-Identifier: MIT
"""
The engine is killed, between every two of its system calls and under load, and no object shows it: no item, hold,
permit, count or value is lost or doubled, processes keep what they hold, sessions go on, what only a connection had is
gone, tokens grow. A barrier at which somebody waited is broken, and says so.
"""
import concurrent.futures
import contextlib
import os
import random
import secrets
import signal
import threading
import time

import pytest
from harness import PATIENCE, SLOW, Client, RpcError, children_of, figure, until
from test_engine_death import Points, Scenario, build_syskill, engine_with_a_door
from test_objects_death import Mortal

BLOAT = 1 << 20  # bytes, with which a journal is compacted


class Objects(Scenario):
    """All kinds of objects, by two clients with sessions, for whom everything happens once."""

    def __init__(self, mpd):
        super().__init__(mpd)
        self.a, self.b, self.lost = Client(mpd), Client(mpd), mpd.connect()
        self.pool = concurrent.futures.ThreadPoolExecutor(1)  # in which b waits while a acts

    def close(self):
        self.pool.shutdown()
        self.a.close()
        self.b.close()
        self.lost.close()
        super().close()

    def victim(self):
        self.lost.call("lock.acquire", name="lost")
        self.b.call("mpd.ping")
        return self.mpd.engine_pid()

    def run(self):
        self.locks()
        self.permits()
        self.items()
        self.messages()
        self.values()
        self.meetings()

    def b_does(self, method, **params):
        return self.pool.submit(self.b.call, method, **params)

    def locks(self):
        a, b = self.a, self.b
        self.tokens = [a.call("lock.acquire", name="own", owner="process")["token"],
                       a.call("lock.acquire", name="kept")["token"]]
        self.depths = [a.call("rlock.acquire", name="deep")["depth"] for _ in range(3)]
        self.depths.append(a.call("rlock.release", name="deep")["depth"])
        for _ in range(2):
            self.tokens.append(a.call("lock.acquire", name="handed")["token"])
            second = self.b_does("lock.acquire", name="handed", timeout=PATIENCE)
            until(lambda: a.call("object.info", name="handed")["waits"])
            a.call("lock.release", name="handed")
            self.tokens.append(second.result()["token"])
            b.call("lock.release", name="handed")

    def permits(self):
        a = self.a
        a.call("semaphore.create", name="permits", value=5, bounded=True)
        a.call("semaphore.acquire", name="permits", n=2)
        a.call("semaphore.acquire", name="permits", n=2, owner="process")
        a.call("semaphore.create", name="plain", value=0, unowned=True)
        for _ in range(3):
            self.b.call("semaphore.release", name="plain")
        a.call("semaphore.acquire", name="plain")
        a.call("event.set", name="set")
        a.call("event.set", name="cleared")
        a.call("event.clear", name="cleared")

    def items(self):
        a, b = self.a, self.b
        for item in range(1, 8):
            a.call("queue.put", name="items", item=item)
        self.got = [a.call("queue.get", name="items")["item"]]
        self.claim = a.call("queue.get", name="items", ack="manual")["claim"]
        back = a.call("queue.get", name="items", ack="manual", owner="process")["claim"]
        done = a.call("queue.get", name="items", ack="manual", owner="process")["claim"]
        a.call("queue.nack", name="items", claim=back)
        a.call("queue.ack", name="items", claim=done)
        a.call("queue.create", name="tasks", joinable=True)
        waiting = self.b_does("queue.get", name="tasks", timeout=PATIENCE)
        a.call("queue.put", name="tasks", items=["one", "two", "three"])
        self.tasks = [waiting.result()["item"], a.call("queue.get", name="tasks")["item"]]
        self.unfinished = [b.call("queue.task_done", name="tasks")["unfinished"],
                           a.call("queue.task_done", name="tasks")["unfinished"]]

    def messages(self):
        a = self.a
        a.call("pipe.create", name="pipe")
        a.call("pipe.hold", name="pipe:1", owner="process")
        for n in range(1, 5):
            a.call("pipe.send", name="pipe:1", item=n)
        self.received = [self.b.call("pipe.recv", name="pipe:0")["item"] for _ in range(2)]

    def values(self):
        a = self.a
        a.call("value.create", name="sum", type="q")
        self.sums = [a.call("value.add", name="sum", delta=n)["value"] for n in (1, 10, 100)]
        self.sums.append(a.call("value.cas", name="sum", expect=111, value=5)["value"])
        a.call("array.create", name="cells", type="i", size=3)
        a.call("array.set", name="cells", i=1, value=7)
        self.counts = [self.b.call("dict.incr", name="counts", key="n")["value"] for _ in range(3)]
        a.call("list.extend", name="row", values=[1, 2])
        a.call("list.append", name="row", value=3)
        self.popped = a.call("list.pop", name="row", i=0)["value"]
        a.call("namespace.set", name="names", key="x", value={"deep": [1]})

    def meetings(self):
        a, b = self.a, self.b
        b.call("condition.acquire", name="told")
        woken, self.notified = self.b_does("condition.wait", name="told", timeout=PATIENCE), 0
        while not woken.done():
            with contextlib.suppress(RpcError):  # b may have the lock again
                a.call("condition.acquire", name="told", timeout=0.05)
                self.notified += a.call("condition.notify", name="told")["notified"]
                a.call("condition.release", name="told")
        self.woken = woken.result()["notified"]
        b.call("condition.release", name="told")
        for _ in range(3):
            self.meet("barrier")

    def meet(self, name):
        """Both pass, or both hear that the engine has died; then it is tried again."""
        def wait(client):
            try:
                return client.call("barrier.wait", name=name, parties=2)["index"]
            except RpcError as error:
                return error.data.get("cause")

        other = self.pool.submit(wait, self.b)
        met = {wait(self.a), other.result()}
        if met == {"engine"}:
            self.a.call("barrier.reset", name=name)
            return self.meet(name)
        self.expect("who met", met, {0, 1})

    # what must have come of it

    def check(self):
        self.check_holds()
        self.check_items()
        self.check_values()
        self.check_lost()

    def check_holds(self):
        a, rpc = self.a, self.mpd.rpc
        self.expect("tokens", self.tokens, sorted(set(self.tokens)))
        for name, token in (("own", self.tokens[0]), ("kept", self.tokens[1])):
            self.expect(name, [h["token"] for h in rpc("object.info", name=name)["holds"]], [token])
        self.expect("depths", self.depths + [a.call("rlock.release", name="deep")["depth"] for _ in range(2)],
                    [1, 2, 3, 2, 1, 0])
        self.expect("permits", rpc("semaphore.value", name="permits"), {"value": 1})
        a.call("semaphore.release", name="permits", n=2)
        a.call("semaphore.release", name="permits", n=2, owner="process")
        self.expect("permits", rpc("semaphore.value", name="permits"), {"value": 5})
        self.expect("plain", rpc("semaphore.value", name="plain"), {"value": 2})
        self.expect("events", [rpc("event.is_set", name=n)["set"] for n in ("set", "cleared")], [True, False])
        # Sent again after an engine's death a wait ends as if notified: whether it was, nobody knows.
        self.expect("woken", self.woken, True)
        self.expect("notified", self.notified, min(self.notified, 1) if rpc("mpd.status")["engines"] > 1 else 1)
        for name in ("handed", "told"):
            info = rpc("object.info", name=name)
            self.expect(name, (info["holds"], info["waits"]), ([], []))

    def check_items(self):
        a, rpc = self.a, self.mpd.rpc
        stats = rpc("queue.stats", name="items")
        self.expect("size and claims", (stats["size"], stats["claimed"]), (4, 1))
        self.expect("items", self.got + [i["item"] for i in a.call("queue.get", name="items", max=9)["items"]],
                    [1, 3, 5, 6, 7])
        a.call("queue.nack", name="items", claim=self.claim)
        self.expect("the claimed one", a.call("queue.get", name="items", timeout=0)["item"], 2)
        self.expect("tasks", (sorted(self.tasks), self.unfinished), (["one", "two"], [2, 1]))
        self.expect("the last", a.call("queue.get", name="tasks", timeout=0)["item"], "three")
        self.expect("unfinished", a.call("queue.task_done", name="tasks"), {"unfinished": 0})
        self.expect("join", rpc("queue.join", name="tasks", timeout=0), {"unfinished": 0})
        rest = [rpc("pipe.recv", name="pipe:0", timeout=0)["item"] for _ in range(2)]
        self.expect("messages", self.received + rest, [1, 2, 3, 4])
        a.call("pipe.drop", name="pipe:1", owner="process")
        self.expect("the pipe's end", self.mpd.rpc_error("pipe.recv", name="pipe:0", timeout=0).symbol, "EOF")

    def check_values(self):
        rpc = self.mpd.rpc
        self.expect("sums", self.sums, [1, 11, 111, 5])
        self.expect("the sum", rpc("value.get", name="sum"), {"value": 5, "version": 4})
        self.expect("cells", rpc("array.get", name="cells")["values"], [0, 7, 0])
        self.expect("counts", self.counts, [1, 2, 3])
        self.expect("row", (self.popped, rpc("list.get", name="row")["values"]), (1, [2, 3]))
        self.expect("names", rpc("namespace.get", name="names", key="x")["value"], {"deep": [1]})

    def check_lost(self):
        """What a connection without a session held is free when an engine has died."""
        if self.mpd.status()["engines"] > 1:
            got = self.a.call("lock.acquire", name="lost", timeout=PATIENCE)
            self.expect("the lost one", got["abandoned"]["owner"], "connection")
        else:
            self.expect("the lost one", self.mpd.rpc("lock.locked", name="lost"), {"locked": True})


class Compaction(Objects):
    """The same with a journal that is full, and is compacted meanwhile."""

    def victim(self):
        c = self.lost
        c.call("value.create", name="filler", value="")

        def full():
            return BLOAT - c.call("mpd.stats")["journal"]["bytes"]

        while (room := full()) > 3000:
            c.call("value.set", name="filler", value="x" * min(50_000, room - 2000))
        c.call("value.set", name="filler", value="")
        return super().victim()

    def check(self):
        super().check()
        if self.mpd.status()["engines"] == 1:
            self.expect("compactions", self.mpd.rpc("mpd.stats")["journal"]["compactions"] > 0, True)


def stopped_successor(mpd):
    """Kills the engine (which came in through engine_with_a_door()); the next one is stopped before its first call."""
    hold = mpd.dir / "s.hold"
    hold.touch()
    first = mpd.kill_engine()
    second = until(lambda: next((s.pid for s in children_of(mpd.pid) if s.comm == "mpd-engine" and s.state == "T"
                                 and s.pid != first), None), what="a stopped new engine")
    hold.unlink()
    return second


class Recovery(Objects):
    """The one that dies is the successor of one that has died: from its first system call on, through the replay."""

    def victim(self):
        self.locks()
        self.permits()
        self.items()
        self.lost.call("lock.acquire", name="lost")
        self.earlier_deaths, self.second = 1, stopped_successor(self.mpd)
        return self.second

    def run(self):
        os.kill(self.second, signal.SIGCONT)
        self.messages()
        self.values()
        self.meetings()


@pytest.mark.parametrize("scenario, step", [(Objects, 4), (Compaction, 5), (Recovery, 5)])
def test_death_between_every_two_system_calls(make_mpd, tmp_path, scenario, step, full):
    build_syskill()
    step = 1 if full else step if SLOW == 1 else 20
    points = Points(make_mpd, scenario, step, engine_with_a_door(tmp_path))
    points.run()
    figure(f"{scenario.__name__}: the engine was killed at {points.tested} of its system calls (every {step}.)")
    assert not points.failures, "\n".join(points.failures)
    assert points.tested >= 150 / step, "the scenario is too short to mean anything"


@pytest.mark.parametrize("session", [False, True], ids=["process", "session"])
def test_death_while_no_engine_lives(make_mpd, tmp_path, session):
    """The next engine finds that they are gone."""
    mpd = make_mpd(args=["--engine", engine_with_a_door(tmp_path)])
    m, owner = Mortal(mpd), {} if session else {"owner": "process"}
    if session:
        m.hello()
    m.call("lock.acquire", name="lock", **owner)
    m.call("semaphore.acquire", name="permits", value=2, n=2, **owner)
    m.call("barrier.register", name="barrier", parties=2, **owner)
    m.call("event.create", name="event", ephemeral=True)
    m.call("event.set", name="event", **owner)
    m.call("pipe.create", name="pipe")
    m.call("pipe.hold", name="pipe:1", **owner)
    m.call("queue.put", name="items", items=["it", "other"])
    m.call("queue.get", name="items", ack="manual", **owner)
    second = stopped_successor(mpd)
    m.kill()
    os.kill(second, signal.SIGCONT)
    with mpd.connect() as c:
        assert c.call("lock.acquire", name="lock", timeout=PATIENCE)["abandoned"]["pid"] == m.pid
        assert c.call("semaphore.acquire", name="permits", n=2, timeout=PATIENCE)["value"] == 0
        broken = c.call("barrier.info", name="barrier")
        assert (broken["cause"], broken["who"]["pid"]) == ("death", m.pid)
        assert c.call("event.is_set", name="event") == {"set": False}
        assert mpd.rpc_error("pipe.recv", name="pipe:0", timeout=0).symbol == "EOF"
        items = c.call("queue.get", name="items", max=9)["items"]
        assert [(i["item"], i.get("redelivered")) for i in items] == [("it", 1), ("other", None)]
    m.close()


# --- under load -----------------------------------------------------------------------------------------------------

class Crowd:
    """Threads, each with a client that has a session, each at its work until it is told to stop."""
    ENDS = ("CLOSED", "BROKEN")

    def __init__(self, mpd):
        self.mpd, self.over, self.wrong, self.done = mpd, threading.Event(), [], 0
        self.threads = []

    def add(self, work):
        self.threads.append(threading.Thread(target=self.worker, args=(work,), daemon=True))
        self.threads[-1].start()

    def worker(self, work):
        client = Client(self.mpd)
        try:
            for _ in work(client):
                self.done += 1
                if self.over.is_set():
                    return
        except Exception as error:  # told by the test
            if getattr(error, "symbol", None) in self.ENDS and self.over.is_set():
                return
            self.wrong.append(f"{work.__qualname__}: {type(error).__name__}: {error}")
        finally:
            client.close()

    def stop(self):
        """Wakes those who wait for one another, until all have ended."""
        self.over.set()
        self.mpd.rpc("queue.close", name="tasks")
        end = time.monotonic() + 2 * PATIENCE
        while living := [thread for thread in self.threads if thread.is_alive()]:
            assert time.monotonic() < end, f"{len(living)} of them hang"
            self.mpd.rpc("barrier.abort", name="gate")
            living[0].join(0.05)


class Counts:
    """What is added is added once."""

    def __init__(self, rpc):
        rpc("value.create", name="sum", type="q")
        self.adds = 0

    def work(self, client):
        while True:
            self.adds += 1
            client.call("value.add", name="sum")
            client.call("dict.incr", name="counts", key="n")
            client.call("list.append", name="row", value=self.adds)
            yield

    def left(self, rpc):
        seen = (rpc("value.get", name="sum")["value"], rpc("dict.get", name="counts", key="n")["value"],
                rpc("list.get", name="row")["values"])
        return [] if seen == (self.adds, self.adds, list(range(1, self.adds + 1))) else [f"{self.adds} adds: {seen}"]


class Exclusion:
    """One is inside, its token is larger than all before, and so it stays when the engine dies."""

    def __init__(self, rpc):
        self.inside, self.wrong, self.last = 0, [], 0

    def work(self, client):
        while True:
            for _ in range(2):
                token = client.call("rlock.acquire", name="once")["token"]
            self.inside += 1
            if self.inside != 1 or token <= self.last:
                self.wrong.append(f"{self.inside} are inside with token {token} after {self.last}")
            self.last = token
            client.call("mpd.ping")
            self.inside -= 1
            depths = [client.call("rlock.release", name="once")["depth"] for _ in range(2)]
            if depths != [1, 0]:
                self.wrong.append(f"depths {depths}")
            yield

    def left(self, rpc):
        return self.wrong + ([] if rpc("rlock.locked", name="once") == {"locked": False} else ["it is locked"])


class Permits(Exclusion):
    """No more are inside than there are permits."""

    def __init__(self, rpc):
        super().__init__(rpc)
        rpc("semaphore.create", name="few", value=2, bounded=True)

    def work(self, client):
        while True:
            client.call("semaphore.acquire", name="few")
            self.inside += 1
            if self.inside > 2:
                self.wrong.append(f"{self.inside} are inside")
            client.call("mpd.ping")
            self.inside -= 1
            client.call("semaphore.release", name="few")
            yield

    def left(self, rpc):
        value = rpc("semaphore.value", name="few")["value"]
        return self.wrong + ([] if value == 2 else [f"{value} permits are left"])


class Tasks:
    """Each is done once."""

    def __init__(self, rpc):
        rpc("queue.create", name="tasks", joinable=True, maxsize=10)
        self.put, self.got = 0, []

    def work(self, client):
        while True:
            self.put += 1
            client.call("queue.put", name="tasks", item=self.put)
            yield

    def work_off(self, client):
        while True:
            item = client.call("queue.get", name="tasks")
            self.got.append(item["item"])
            client.call("queue.task_done", name="tasks", claim=item["claim"])
            yield

    def left(self, rpc):
        stats = rpc("queue.stats", name="tasks")
        items = rpc("queue.get", name="tasks", max=100)["items"] if stats["size"] else []
        all_of_them = self.got + [i["item"] for i in items]
        # The last one was refused when the queue was closed, unless it was in before.
        return ([] if stats["unfinished"] == stats["size"] else [f"not done: {stats}"]) + (
            [] if all_of_them in (list(range(1, self.put + 1)), list(range(1, self.put))) else [f"{all_of_them}"])


class Messages:
    """They come once, and in order."""

    def __init__(self, rpc):
        rpc("pipe.create", name="pipe")
        self.sent, self.got = 0, []

    def work(self, client):
        while True:
            self.sent += 1
            client.call("pipe.send", name="pipe:1", item=self.sent)
            self.got.append(client.call("pipe.recv", name="pipe:0")["item"])
            yield

    def left(self, rpc):
        return [] if self.got == list(range(1, self.sent + 1)) else [f"{self.got} of {self.sent}"]


class Meetings:
    """All pass together, or hear that the engine has died."""

    def __init__(self, rpc):
        rpc("barrier.create", name="gate", parties=2)
        self.passed = {}

    def work(self, client):
        while True:
            try:
                got = client.call("barrier.wait", name="gate", timeout=PATIENCE)
                self.passed.setdefault(got["generation"], []).append(got["index"])
            except RpcError as error:
                if error.data.get("cause") not in ("engine", "reset"):
                    raise
                client.call("barrier.reset", name="gate")
            yield

    def left(self, rpc):
        return [f"generation {g}: {i}" for g, i in self.passed.items() if sorted(i) != [0, 1]]


def murder(mpd, rng, kills):
    """Engines, one after the other. Some live so long that the keeper does not think something is wrong with them."""
    for n in range(kills):
        time.sleep(rng.uniform(0, 0.2) * SLOW + (1.1 if n % 4 == 3 else 0))  # the moment is any
        mpd.kill_engine()
        mpd.status()


def test_death_under_load(mpd, full):
    seed = int(os.environ.get("MPD_SEED") or secrets.randbelow(1 << 30))
    kills = 200 if full else 8
    crowd, games = Crowd(mpd), [game(mpd.rpc) for game in (Counts, Exclusion, Permits, Tasks, Messages, Meetings)]
    for game in games:
        for _ in range({Counts: 1, Messages: 1, Tasks: 1, Permits: 3}.get(type(game), 2)):
            crowd.add(game.work)
    crowd.add(games[3].work_off)
    try:
        murder(mpd, random.Random(seed), kills)
    finally:
        crowd.stop()
    wrong = crowd.wrong + [f"{type(game).__name__}: {w}" for game in games for w in game.left(mpd.rpc)]
    figure(f"the engine was killed {kills} times under {crowd.done} rounds of {len(crowd.threads)} clients, "
           f"MPD_SEED={seed}")
    assert not wrong, f"MPD_SEED={seed}\n" + "\n".join(w[:1000] for w in wrong)
    assert crowd.done > 50 * kills / SLOW
