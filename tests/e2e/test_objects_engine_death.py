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
import threading
import time

import pytest
from harness import ENGINE, PATIENCE, SLOW, Client, RpcError, figure, until
from test_engine_death import Points, Scenario, build_syskill

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
        while not woken.done():  # until b has sent its wait again after an engine's death it does not wait
            with contextlib.suppress(RpcError):  # b has it
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
        self.expect("woken", (self.woken, self.notified), (True, 1))
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


@pytest.mark.parametrize("scenario, step", [(Objects, 4), (Compaction, 5)])
def test_death_between_every_two_system_calls(make_mpd, scenario, step, full):
    build_syskill()
    step = 1 if full else step if SLOW == 1 else 20
    points = Points(make_mpd, scenario, step, ENGINE)
    points.run()
    figure(f"{scenario.__name__}: the engine was killed at {points.tested} of its system calls (every {step}.)")
    assert not points.failures, "\n".join(points.failures)
    assert points.tested >= 150 / step, "the scenario is too short to mean anything"
