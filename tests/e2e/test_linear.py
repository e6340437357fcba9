# SPDX-License-Identifier: MIT
"""
Linearizability: clients that are killed at any moment, and the engine as well, see each lock, semaphore, queue and
value do one thing after the other. tests/tools/linear_client.c asks and writes down, tests/linear judges.

MPD_SEED repeats a run as far as it can be repeated: the clients ask the same; when what is done is the machine's.
"""
import itertools
import os
import random
import secrets
import subprocess
import sys
import threading
import time

import pytest

from harness import BUILD, ROOT, SLOW, TOOLS, figure, spawn

sys.path.insert(0, str(ROOT / "tests" / "linear"))
from history import NEVER, Fate, History, Life, Object, Op, Verb, spec  # noqa: E402
from judge import (  # noqa: E402
    CONFLICT, EMPTY, FULL, MARGIN, NOT_HELD, STALE_TOKEN, TIMEOUT, WOULD_BLOCK, Rules, judge)
from search import TooWide, beginning, search  # noqa: E402
from simulate import World  # noqa: E402

MS = 1_000_000
LOCK = Object("lock", "lock", 1, False, False)
SEM = Object("sem", "sem", 3, False, False)
QUEUE = Object("queue", "queue", 2, False, False)
CLAIMED = Object("queue", "claimed", 4, True, False)
VALUE = Object("value", "value", 0, False, False)
CREATE = {"lock": "lock.create", "sem": "semaphore.create", "queue": "queue.create", "value": "value.create"}


# --- the judges are heard -------------------------------------------------------------------------------------------

class Tale:
    """A history by hand: lives by name, times in milliseconds."""

    def __init__(self, thing):
        self.thing, self.lives, self.ops = thing, {}, []

    def life(self, name, **more):
        if name not in self.lives:
            self.lives[name] = Life(len(self.lives), 1000 + len(self.lives), **more)
        return self.lives[name]

    def killed(self, name, at, fate=Fate.KILLED):
        life = self.life(name)
        life.fate, life.dying, life.gone = fate, at * MS, (at + 10) * MS
        return self

    def op(self, name, begin, end, verb, a=0, b=0, result=(), code=0, timeout=0):
        self.ops.append(Op(begin * MS, NEVER if end is None else end * MS, self.life(name), verb, a, b, result, code,
                           timeout * MS))
        return self

    def wrong(self):
        """What the judge says, and the search: the operation at which no order is left."""
        self.ops.sort(key=lambda op: op.begin)
        return judge(self.thing, self.ops, Rules(margin=0)), search(self.thing, self.ops, Rules(margin=0))


def acquire(tale, name, begin, end, token=0, code=0, timeout=0, n=1, free=0, told=0):
    if tale.thing.kind == "lock":
        return tale.op(name, begin, end, Verb.LOCK_ACQUIRE, 0, 0, (token, 0, told), code, timeout)
    return tale.op(name, begin, end, Verb.SEM_ACQUIRE, n, 0, (token, free), code, timeout)


def release(tale, name, begin, end, token, code=0, n=1, free=0):
    if tale.thing.kind == "lock":
        return tale.op(name, begin, end, Verb.LOCK_RELEASE, token, 0, (), code)
    return tale.op(name, begin, end, Verb.SEM_RELEASE, token, n, (0, free), code)


def put(tale, name, begin, end, item, number=0, code=0, timeout=0):
    return tale.op(name, begin, end, Verb.QUEUE_PUT, item, 0, (number,), code, timeout)


def get(tale, name, begin, end, item=0, number=0, claim=0, again=0, code=0, timeout=0):
    return tale.op(name, begin, end, Verb.QUEUE_GET, 0, 0, (number, item, claim, again), code, timeout)


def good_lock(t):
    acquire(t, "a", 1, 2, 1)
    acquire(t, "b", 1, 2, code=WOULD_BLOCK)
    acquire(t, "b", 2, 6, 2, timeout=10)
    release(t, "a", 4, 5, 1)
    acquire(t, "c", 4, 9, code=TIMEOUT, timeout=4)
    release(t, "b", 10, 11, 2)
    release(t, "b", 12, 13, 2, code=STALE_TOKEN)
    t.op("c", 14, 15, Verb.LOCK_LOCKED, result=(0,))


def good_death_of_a_holder(t):
    acquire(t, "a", 1, 2, 1)
    acquire(t, "c", 3, None)
    t.killed("a", 5).killed("c", 6, Fate.UNREAD)
    acquire(t, "b", 3, 8, 3, timeout=20, told=1000)
    release(t, "b", 9, 10, 3)


def good_sem(t):
    acquire(t, "a", 1, 2, 1, n=2, free=1)
    acquire(t, "b", 3, 4, n=2, code=WOULD_BLOCK)
    acquire(t, "b", 5, 6, 2, n=1, free=0)
    t.op("c", 5, 6, Verb.SEM_VALUE, result=(0, 1))
    release(t, "a", 7, 8, 1, n=2, free=2)


def good_queue(t):
    put(t, "a", 1, 4, 10, 1)
    put(t, "b", 2, 3, 20, 2)
    put(t, "b", 5, 6, 30, code=FULL)
    get(t, "c", 7, 8, 10, 1)
    get(t, "c", 9, 10, 20, 2)
    get(t, "c", 11, 12, code=EMPTY)


def good_claims(t):
    put(t, "a", 1, 2, 10, 1)
    put(t, "a", 3, 4, 20, 2)
    get(t, "b", 5, 6, 10, 1, 101)
    get(t, "c", 7, 8, 20, 2, 102)
    t.killed("b", 9)
    get(t, "c", 10, 12, 10, 1, 103, again=1, timeout=5)
    t.op("c", 13, 14, Verb.QUEUE_NACK, 103)
    get(t, "d", 15, 16, 10, 1, 104, again=2)
    t.op("d", 17, 18, Verb.QUEUE_ACK, 104)
    t.op("c", 17, 18, Verb.QUEUE_ACK, 102)


def good_value(t):
    t.op("a", 1, 2, Verb.VALUE_SET, 5, 0, (1, 5))
    t.op("b", 1, 4, Verb.VALUE_ADD, 2, 0, (2, 7))
    t.op("c", 3, 4, Verb.VALUE_CAS, 0, 9, (2, 7), CONFLICT)
    t.op("c", 5, None, Verb.VALUE_CAS, 7, 9).killed("c", 6)
    t.op("a", 7, 8, Verb.VALUE_GET, 0, 0, (2, 7))
    t.op("a", 9, 10, Verb.VALUE_WAIT, 7, 0, (3, 9), timeout=5)


GOOD = [(LOCK, good_lock), (LOCK, good_death_of_a_holder), (SEM, good_sem), (QUEUE, good_queue),
        (CLAIMED, good_claims), (VALUE, good_value)]


@pytest.mark.parametrize("thing, tell", GOOD, ids=lambda p: getattr(p, "__name__", ""))
def test_a_good_history_is_accepted(thing, tell):
    tale = Tale(thing)
    tell(tale)
    assert tale.wrong() == ([], None)


def two_hold_the_lock(t):
    acquire(t, "a", 1, 2, 1)
    acquire(t, "b", 3, 4, 2)
    release(t, "a", 5, 6, 1)
    release(t, "b", 7, 8, 2)


def a_token_is_older_than_the_one_before(t):
    acquire(t, "a", 1, 2, 7)
    release(t, "a", 3, 4, 7)
    acquire(t, "b", 5, 6, 3)


def a_token_twice(t):
    acquire(t, "a", 1, 2, 7)
    release(t, "a", 3, 4, 7)
    acquire(t, "b", 5, 6, 7)


def refused_though_free(t):
    acquire(t, "a", 1, 2, 1)
    release(t, "a", 3, 4, 1)
    acquire(t, "b", 5, 6, code=WOULD_BLOCK)


def a_wake_up_is_lost(t):
    acquire(t, "a", 1, 2, 1)
    acquire(t, "b", 2, 13, code=TIMEOUT, timeout=10)
    release(t, "a", 3, 4, 1)


def a_stale_token_releases(t):
    acquire(t, "a", 1, 2, 1)
    release(t, "a", 3, 4, 1)
    acquire(t, "b", 5, 6, 2)
    release(t, "a", 7, 8, 1)


def the_holder_may_not_release(t):
    acquire(t, "a", 1, 2, 1)
    release(t, "a", 3, 4, 1, code=NOT_HELD)


def free_though_it_is_held(t):
    acquire(t, "a", 1, 2, 1)
    t.op("b", 3, 4, Verb.LOCK_LOCKED, result=(0,))
    release(t, "a", 5, 6, 1)


def granted_before_the_holder_died(t):
    acquire(t, "a", 1, 2, 1)
    acquire(t, "b", 1, 4, 2, timeout=10)
    t.killed("a", 6)


def the_death_is_not_told(t):
    acquire(t, "a", 1, 2, 1)
    t.killed("a", 6)
    acquire(t, "b", 3, 8, 2, timeout=10)


def a_death_that_was_none(t):
    acquire(t, "a", 1, 2, 1)
    release(t, "a", 3, 4, 1)
    acquire(t, "b", 5, 6, 2, told=1000)


def a_death_of_one_who_never_knew(t):
    acquire(t, "a", 1, None)
    t.killed("a", 3, Fate.UNREAD)
    acquire(t, "b", 5, 20, 2, timeout=30, told=1000)


def a_permit_too_many(t):
    acquire(t, "a", 1, 2, 1, n=2, free=1)
    acquire(t, "b", 3, 4, 2, n=2, free=0)


def permits_are_miscounted(t):
    acquire(t, "a", 1, 2, 1, n=2, free=1)
    t.op("b", 3, 4, Verb.SEM_VALUE, result=(0, 3))


def the_dead_ones_permits_stay_away(t):
    acquire(t, "a", 1, 2, 1, n=3, free=0)
    t.killed("a", 3)
    acquire(t, "b", 200, 201, n=1, code=WOULD_BLOCK)


def overtaken(t):
    put(t, "a", 1, 2, 10, 1)
    put(t, "a", 3, 4, 20, 2)
    get(t, "b", 5, 6, 20, 2)
    get(t, "b", 7, 8, 10, 1)


def twice(t):
    put(t, "a", 1, 2, 10, 1)
    get(t, "b", 3, 4, 10, 1)
    get(t, "c", 5, 6, 10, 1)


def from_nowhere(t):
    put(t, "a", 1, 2, 10, 1)
    get(t, "b", 3, 4, 11, 1)
    get(t, "b", 5, 6, 10, 1)


def empty_though_there_is_one(t):
    put(t, "a", 1, 2, 10, 1)
    get(t, "b", 3, 4, code=EMPTY)
    get(t, "b", 5, 6, 10, 1)


def waits_though_there_is_one(t):
    get(t, "b", 1, 12, code=EMPTY, timeout=10)
    put(t, "a", 3, 4, 10, 1)
    get(t, "c", 13, 14, 10, 1)


def full_though_there_is_room(t):
    put(t, "a", 1, 2, 10, 1)
    put(t, "a", 3, 4, 20, code=FULL)
    get(t, "b", 5, 6, 10, 1)


def three_in_a_queue_of_two(t):
    for i in (1, 2, 3):
        put(t, "a", i * 2, i * 2 + 1, i, i)
    for i in (1, 2, 3):
        get(t, "b", i * 2 + 10, i * 2 + 11, i, i)


def later_and_yet_before(t):
    put(t, "a", 1, 2, 10, 2)
    put(t, "b", 3, 4, 20, 1)
    get(t, "c", 5, 6, 20, 1)
    get(t, "c", 7, 8, 10, 2)


def lost(t):
    put(t, "a", 1, 2, 10, 1)
    put(t, "a", 3, 4, 20, 2)
    get(t, "b", 5, None)
    t.killed("b", 6, Fate.UNREAD)
    get(t, "c", 20, 21, 20, 2)


def settled_and_back(t):
    put(t, "a", 1, 2, 10, 1)
    get(t, "b", 3, 4, 10, 1, 101)
    t.op("b", 5, 6, Verb.QUEUE_ACK, 101)
    get(t, "c", 7, 8, 10, 1, 102, again=1)


def claimed_by_two(t):
    put(t, "a", 1, 2, 10, 1)
    get(t, "b", 3, 4, 10, 1, 101)
    get(t, "c", 5, 6, 10, 1, 102, again=1)
    t.op("b", 7, 8, Verb.QUEUE_NACK, 101)


def back_at_the_end(t):
    put(t, "a", 1, 2, 10, 1)
    put(t, "a", 3, 4, 20, 2)
    get(t, "b", 5, 6, 10, 1, 101)
    t.op("b", 7, 8, Verb.QUEUE_NACK, 101)
    get(t, "b", 9, 10, 20, 2, 102)
    get(t, "c", 11, 12, 10, 1, 103, again=1)


def an_older_value(t):
    t.op("a", 1, 2, Verb.VALUE_SET, 5, 0, (1,))
    t.op("b", 3, 4, Verb.VALUE_GET, 0, 0, (0, 0))


def a_newer_value_and_then_an_older(t):
    t.op("a", 1, 9, Verb.VALUE_SET, 5, 0, (1,))
    t.op("b", 2, 3, Verb.VALUE_GET, 0, 0, (1, 5))
    t.op("c", 4, 5, Verb.VALUE_GET, 0, 0, (0, 0))


def cas_of_what_it_was_not(t):
    t.op("a", 1, 2, Verb.VALUE_SET, 5, 0, (1,))
    t.op("b", 3, 4, Verb.VALUE_CAS, 4, 6, (2, 6))


def a_sum_is_lost(t):
    t.op("a", 1, 4, Verb.VALUE_ADD, 1, 0, (1, 1))
    t.op("b", 1, 4, Verb.VALUE_ADD, 1, 0, (1, 1))


def written_by_nobody(t):
    t.op("a", 1, 2, Verb.VALUE_SET, 5, 0, (1,))
    t.op("a", 3, 4, Verb.VALUE_SET, 6, 0, (3,))


def conflict_with_what_was_expected(t):
    t.op("a", 1, 2, Verb.VALUE_CAS, 0, 6, (0, 0), CONFLICT)


BAD = [(LOCK, two_hold_the_lock), (LOCK, a_token_is_older_than_the_one_before), (LOCK, a_token_twice),
       (LOCK, refused_though_free), (LOCK, a_wake_up_is_lost), (LOCK, a_stale_token_releases),
       (LOCK, the_holder_may_not_release), (LOCK, free_though_it_is_held), (LOCK, granted_before_the_holder_died),
       (LOCK, the_death_is_not_told), (LOCK, a_death_that_was_none), (LOCK, a_death_of_one_who_never_knew),
       (SEM, a_permit_too_many),
       (SEM, permits_are_miscounted), (SEM, the_dead_ones_permits_stay_away), (QUEUE, overtaken), (QUEUE, twice),
       (QUEUE, from_nowhere), (QUEUE, empty_though_there_is_one), (QUEUE, waits_though_there_is_one),
       (QUEUE, full_though_there_is_room), (QUEUE, three_in_a_queue_of_two), (QUEUE, later_and_yet_before),
       (QUEUE, lost), (CLAIMED, settled_and_back), (CLAIMED, claimed_by_two), (CLAIMED, back_at_the_end),
       (VALUE, an_older_value), (VALUE, a_newer_value_and_then_an_older), (VALUE, cas_of_what_it_was_not),
       (VALUE, a_sum_is_lost), (VALUE, written_by_nobody), (VALUE, conflict_with_what_was_expected)]
# What is no question of order: that a wait ended too late, what the next holder is told, an item's id.
JUDGE_ALONE = (a_wake_up_is_lost, the_death_is_not_told, a_death_that_was_none, a_death_of_one_who_never_knew,
               waits_though_there_is_one, later_and_yet_before)


@pytest.mark.parametrize("thing, tell", BAD, ids=lambda p: getattr(p, "__name__", ""))
def test_a_bad_history_is_found(thing, tell):
    tale = Tale(thing)
    tell(tale)
    judged, stuck = tale.wrong()
    assert judged
    assert stuck or tell in JUDGE_ALONE


PERMITS = ("a wake-up is lost", "a death is not noticed", "anyone releases", "granted while it is held",
           "a token repeats")
FLAWS = {
    LOCK: (*PERMITS, "a death is not told", "a death is invented"),
    SEM: (*PERMITS, "permits are miscounted"),
    QUEUE: ("a death is not noticed", "the size is wrong", "it lies about its room", "an item is lost",
            "it says it is empty", "the newest comes first", "an item comes twice"),
    CLAIMED: ("a death is not noticed", "what was settled comes back", "what comes back goes to the end",
              "an item is lost"),
    VALUE: ("a read is stale", "cas does not compare", "a write is lost", "a sum is wrong", "a version repeats"),
}
SIMULATED = Rules(margin=0)


@pytest.mark.parametrize("thing", FLAWS, ids=lambda thing: thing.name)
def test_simulated_histories_are_accepted(thing):
    for seed in range(60):
        ops = World(thing, seed).run()
        assert not judge(thing, ops, SIMULATED), f"seed {seed}"
        try:
            assert not search(thing, ops, SIMULATED, most=20_000), f"seed {seed}"
        except TooWide:
            pass  # the judge's word has to do


@pytest.mark.parametrize("thing, flaw", [(thing, flaw) for thing, flaws in FLAWS.items() for flaw in flaws],
                         ids=lambda p: getattr(p, "name", p))
def test_simulated_flaws_are_found(thing, flaw):
    """By the judge alone, and in more than one history of a few."""
    histories = (World(thing, seed, ops=600, flaw=flaw).run() for seed in itertools.count())
    found = (bool(judge(thing, ops, SIMULATED)) for ops in itertools.islice(histories, 20))
    assert len(list(itertools.islice(filter(None, found), 2))) == 2


# --- the real thing -------------------------------------------------------------------------------------------------

def build_client():
    tool = TOOLS / "linear_client"
    if not tool.exists():
        subprocess.run(["make", "-s", f"BUILD={BUILD}", str(tool)], cwd=ROOT, check=True)
    return tool


def things_for(ops):
    """Some that all clients use all the time, and some for each kind that are used for a few dozen operations."""
    things = [Object("lock", f"lock{i}", 1, False, False) for i in range(2)]
    things += [Object("sem", f"sem{i}", 2 + i, False, False) for i in range(2)]
    things += [Object("queue", f"queue{limit}", limit, False, False) for limit in (0, 2, 20)]
    things += [Object("queue", f"claimed{limit}", limit, True, False) for limit in (0, 3)]
    things += [Object("value", f"value{i}", 0, False, False) for i in range(2)]
    for i in range(ops // 700):
        things += [Object("lock", f"lock-{i}", 1, False, True), Object("sem", f"sem-{i}", 3, False, True),
                   Object("queue", f"queue-{i}", 3 * (i % 2), i % 3 == 0, True),
                   Object("value", f"value-{i}", 0, False, True)]
    return things


def create(mpd, things):
    """Makes them; returns each value's first version and what it is."""
    first = {}
    with mpd.connect() as connection:
        for thing in things:
            shape = {"sem": {"value": thing.limit}, "queue": {"maxsize": thing.limit, "max_deliveries": 0},
                     "value": {"type": "q"}}.get(thing.kind, {})
            connection.call(CREATE[thing.kind], name=thing.name, **shape)
            if thing.kind == "value":
                now = connection.call("value.get", name=thing.name)
                first[thing.name] = (now["version"], now["value"])
    return first


class Killer(threading.Thread):
    """Kills the engine again and again, once it serves, until told to stop. Every fourth engine lives for so long that
    the keeper does not think it is broken."""
    HEALTHY = 1.1

    def __init__(self, mpd, seed):
        super().__init__()
        self.mpd, self.random, self.over, self.kills, self.error = mpd, random.Random(seed), threading.Event(), 0, None

    def run(self):
        try:
            while not self.over.wait(self.random.uniform(0, 0.1) * SLOW + self.HEALTHY * (self.kills % 4 == 3)):
                self.mpd.kill_engine()
                self.kills += 1
                self.mpd.status()
        except Exception as error:  # told by the test
            self.error = error

    def stop(self):
        self.over.set()
        self.join()
        assert not self.error, self.error


def run_clients(mpd, path, seed, ops, kill_us, sessions, things, seconds):
    with spawn([build_client(), mpd.socket, path, seed, 8, ops, kill_us, int(sessions), seconds,
                *map(spec, things)], stderr=subprocess.PIPE, text=True) as proc:
        try:
            _, said = proc.communicate(timeout=seconds + 60)
        finally:
            proc.kill()
    return proc.returncode, said


def unanswered(history):
    """For a run that got stuck: what the last in their places were waiting for."""
    return [f"{thing.name}: {op}" for number, thing in enumerate(history.objects) for op in history.ops(number)
            if not op.answered and op.life.gone == NEVER]


def judge_all(history, rules, first, most=2000):
    """(violations, operations that were searched as well, at MOST so many of an object, and those where that was too
    wide)."""
    wrong, searched, wide = [], 0, 0
    for number, thing in enumerate(history.objects):
        ops = history.ops(number)
        begins = first.get(thing.name, (0, 0))
        wrong += [f"{thing.name}: {w}" for w in judge(thing, ops, rules, begins)]
        some = beginning(ops, most)
        try:
            stuck = search(thing, some, rules, begins, most=20_000)
            wrong += [f"{thing.name}: no order allows {stuck}"] if stuck else []
            searched += len(some)
        except TooWide:
            wide += len(some)
    return wrong, searched, wide


@pytest.mark.parametrize("engine_dies", [False, True], ids=["clients die", "the engine dies as well"])
def test_histories_are_linearizable(mpd, tmp_path, full, engine_dies):
    seed = int(os.environ.get("MPD_SEED") or secrets.randbelow(1 << 30))
    ops = int((1_000_000 if full else 100_000) / SLOW)
    things, path = things_for(ops), tmp_path / "history"
    first = create(mpd, things)
    killer = Killer(mpd, seed)
    if engine_dies:
        killer.start()
    begin = time.monotonic()
    try:
        code, said = run_clients(mpd, path, seed, ops, 20_000, engine_dies, things,
                                 int(1200 * SLOW if full else 120 * SLOW))
    finally:
        if engine_dies:
            killer.stop()
    took, history = time.monotonic() - begin, History(path, things)
    assert code == 0, f"MPD_SEED={seed}: {said}\n" + "\n".join(unanswered(history)[:40])
    rules = Rules(margin=int(MARGIN * SLOW), engine_dies=engine_dies)
    wrong, searched, _ = judge_all(history, rules, first, 20_000 if full else 2000)
    deaths = sum(life.fate not in (Fate.RUNNING, Fate.FINISHED) for life in history.lives)
    figure(f"linearizability: {len(wrong)} violations in {len(history)} operations on {len(things)} objects "
           f"({searched} of them searched), {deaths} deaths of clients, {killer.kills} of the engine, MPD_SEED={seed}; "
           f"{took:.1f} s, judged in {time.monotonic() - begin - took:.1f} s")
    assert not wrong, f"MPD_SEED={seed}: {len(wrong)} violations:\n" + "\n".join(wrong[:20])
    assert len(history) >= ops and deaths >= ops / 5000 and searched > ops / 10
    assert not engine_dies or killer.kills >= 2
