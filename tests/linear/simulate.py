# SPDX-License-Identifier: MIT
"""
Histories of a small daemon in virtual time, that are right by construction, or wrong in a known way: so that it is
known of the judges that they accept the first and find the second. What a client sends takes a while to arrive, what it
is answered as well; clients die, and the daemon notices a while later.

A Flaw is a name; an object asks now and then whether it is to do wrong (`self.flaw("name")`).
"""
import heapq
import itertools
import random

from history import NEVER, Fate, Life, Op, Verb
from judge import CONFLICT, EMPTY, FULL, STALE_TOKEN, TIMEOUT, WOULD_BLOCK

US = 1000


class Request:
    """An operation as the daemon has it."""

    def __init__(self, op):
        self.op, self.waits, self.over = op, False, False


class SimObject:
    """What all kinds have in common: who waits, in order. attempt(request): (code, result), or None: it has to wait."""

    def __init__(self, world, thing):
        self.world, self.thing, self.waiters = world, thing, []
        self.numbers = itertools.count(1)

    def flaw(self, name):
        return self.world.flaw == name and self.world.random.random() < 0.2

    def arrive(self, request):
        if request.op.verb in BLOCKS and self.waiters and not self.ahead(request):
            done = None
        else:
            done = self.attempt(request.op)
        if done:
            self.world.reply(request, *done)
        elif request.op.timeout == 0:
            self.world.reply(request, self.refusal(request.op))
        else:
            self.waiters.append(request)
            if request.op.timeout is not None:
                self.world.at(request.op.timeout, lambda: self.expire(request))
        self.pump()

    def ahead(self, _request):
        return False

    def expire(self, request):
        if request in self.waiters:
            self.waiters.remove(request)
            self.world.reply(request, self.refusal(request.op, True))
            self.pump()

    def pump(self):
        """Grants to the first who wait; of a queue to the first getter and the first putter."""
        served = True
        while served and not self.flaw("a wake-up is lost"):
            served = False
            for verb in BLOCKS:
                first = next((r for r in self.waiters if r.op.verb == verb), None)
                done = first and self.attempt(first.op)
                if done:
                    self.waiters.remove(first)
                    self.world.reply(first, *done)
                    served = True

    def death(self, life):
        self.waiters = [r for r in self.waiters if r.op.life is not life]
        if not self.flaw("a death is not noticed"):
            self.revoke(life)
        self.pump()

    def refusal(self, op, late=False):
        return TIMEOUT if late else WOULD_BLOCK


BLOCKS = (Verb.LOCK_ACQUIRE, Verb.SEM_ACQUIRE, Verb.QUEUE_PUT, Verb.QUEUE_GET, Verb.VALUE_WAIT)


class SimPermits(SimObject):
    def __init__(self, world, thing):
        super().__init__(world, thing)
        self.holds, self.abandoned = {}, 0  # holds: token -> (op, n)

    def free(self):
        return self.thing.limit - sum(n for _, n in self.holds.values()) - self.flaw("permits are miscounted")

    def attempt(self, op):
        if op.verb in (Verb.LOCK_LOCKED, Verb.SEM_VALUE):
            return 0, (int(bool(self.holds)), self.free())
        if op.verb in (Verb.LOCK_RELEASE, Verb.SEM_RELEASE):
            if op.a not in self.holds:
                return (0, (0, self.free())) if self.flaw("anyone releases") else (STALE_TOKEN, ())
            del self.holds[op.a]
            return 0, (0, self.free())
        n = op.a if op.verb == Verb.SEM_ACQUIRE else 1
        if n > self.free() and not self.flaw("granted while it is held"):
            return None
        return self.grant(op, n)

    def grant(self, op, n):
        token = next(self.numbers)
        if self.flaw("a token repeats"):
            token = max(1, token - 1)
        self.holds[token] = (op, n)
        told, self.abandoned = self.abandoned, 0
        told = 0 if self.flaw("a death is not told") else op.life.pid if self.flaw("a death is invented") else told
        return 0, (token, self.free(), told) if op.verb == Verb.LOCK_ACQUIRE else (token, self.free())

    def revoke(self, life):
        for token, (op, _) in list(self.holds.items()):
            if op.life is life:
                del self.holds[token]
                if self.world.was_read(op):
                    self.abandoned = life.pid
                elif op.result[2]:
                    self.abandoned = op.result[2]


class SimQueue(SimObject):
    """An item is [id, item, deliveries]; taken: claim -> (op, item)."""

    def __init__(self, world, thing):
        super().__init__(world, thing)
        self.items, self.taken, self.claims = [], {}, itertools.count(1)

    def attempt(self, op):
        verbs = {Verb.QUEUE_PUT: self.put, Verb.QUEUE_GET: self.get, Verb.QUEUE_SIZE: self.size}
        return verbs.get(op.verb, self.settle)(op)

    def size(self, _op):
        return 0, (len(self.items) + self.flaw("the size is wrong"),)

    def ahead(self, request):
        return not any(r.op.verb == request.op.verb for r in self.waiters)

    def put(self, op):
        if self.thing.limit and (len(self.items) >= self.thing.limit) != self.flaw("it lies about its room"):
            return None
        number = next(self.numbers)
        if not self.flaw("an item is lost"):
            self.items.append([number, op.a, 0])
        return 0, (number,)

    def get(self, op):
        if not self.items or self.flaw("it says it is empty"):
            return None
        place = -1 if self.flaw("the newest comes first") else 0
        item = self.items[place] if self.flaw("an item comes twice") else self.items.pop(place)
        claim = next(self.claims)
        self.taken[claim] = (op, item)
        result = (item[0], item[1], claim if self.thing.manual else 0, item[2])
        item[2] += 1
        return 0, result

    def settle(self, op):
        if op.a not in self.taken:
            return STALE_TOKEN, ()
        taken = self.taken[op.a] if self.flaw("what was settled comes back") else self.taken.pop(op.a)
        if op.verb == Verb.QUEUE_NACK:
            self.back(taken[1])
        return 0, ()

    def back(self, item):
        self.items.append(item)
        if not self.flaw("what comes back goes to the end"):
            self.items.sort()

    def revoke(self, life):
        for claim, (op, item) in list(self.taken.items()):
            if op.life is life:
                del self.taken[claim]
                item[2] -= not self.world.was_read(op)
                if self.thing.manual or not self.world.was_read(op):
                    self.back(item)

    def refusal(self, op, late=False):
        return FULL if op.verb == Verb.QUEUE_PUT else EMPTY


class SimValue(SimObject):
    def __init__(self, world, thing):
        super().__init__(world, thing)
        self.version, self.value, self.old = 0, 0, (0, 0)

    def ahead(self, _request):
        return True

    def attempt(self, op):
        now = (self.version, self.value)
        if op.verb == Verb.VALUE_GET:
            return 0, self.old if self.flaw("a read is stale") else now
        if op.verb == Verb.VALUE_WAIT:
            return (0, now) if self.value != op.a else None
        if op.verb == Verb.VALUE_CAS and self.value != op.a and not self.flaw("cas does not compare"):
            return CONFLICT, now
        if self.flaw("a write is lost"):
            return 0, (self.version + 1, self.after(op, self.value))
        self.old = now
        base = self.old[1] - 1 if self.flaw("a sum is wrong") else self.value
        self.version, self.value = self.version + (not self.flaw("a version repeats")), self.after(op, base)
        return 0, (self.version, self.value)

    @staticmethod
    def after(op, value):
        return {Verb.VALUE_SET: op.a, Verb.VALUE_CAS: op.b, Verb.VALUE_ADD: value + op.a}[op.verb]

    def revoke(self, life):
        pass


KINDS = {"lock": SimPermits, "sem": SimPermits, "queue": SimQueue, "value": SimValue}


class World:
    """One object, some clients, and what they saw."""

    def __init__(self, thing, seed, clients=4, ops=40, deaths=0.03, flaw=None):
        self.random, self.thing, self.flaw, self.deaths = random.Random(seed), thing, flaw, deaths
        self.now, self.events, self.order = 1_000_000_000, [], itertools.count()
        self.left, self.numbers, self.ops = ops, itertools.count(), []
        self.object = KINDS[thing.kind](self, thing)
        for _ in range(clients):
            self.be_born()

    def at(self, delay, what):
        heapq.heappush(self.events, (self.now + delay, next(self.order), what))

    def soon(self):
        return self.random.randrange(1, 60) * US

    def run(self):
        while self.events:
            self.now, _, what = heapq.heappop(self.events)
            what()
        drain = Life(next(self.numbers), drains=True)
        if self.thing.kind == "queue":
            while self.drain(drain, Verb.QUEUE_GET).code == 0:
                if self.thing.manual:
                    self.drain(drain, Verb.QUEUE_ACK, self.ops[-1].result[2])
        self.ops.sort(key=lambda op: op.begin)
        return self.ops

    def drain(self, life, verb, a=0):
        op = Op(self.now, NEVER, life, verb, a, timeout=0)
        self.ops.append(op)
        op.code, op.result = (*(self.object.attempt(op) or (self.object.refusal(op), ())), ())[:2]
        op.result, op.end = (*op.result, 0, 0, 0, 0)[:4], self.now + US
        self.now += 2 * US
        return op

    # clients

    def be_born(self):
        number = next(self.numbers)
        life = Life(number, 1000 + number)
        client = Client(self, life)
        self.at(self.soon(), client.next)

    def reply(self, request, code, result=()):
        op = request.op
        op.result = (*result, 0, 0, 0, 0)[:4]
        self.at(self.soon(), lambda: self.arrived(op, code))

    def arrived(self, op, code):
        if op.life.fate == Fate.FINISHED:
            op.end, op.code = self.now, code
            op.client.answered(op)

    @staticmethod
    def was_read(op):
        return op.answered

    def die(self, life):
        life.fate, life.dying = Fate.UNREAD, self.now
        self.at(100 * US + self.soon(), lambda: self.bury(life))
        self.be_born()

    def bury(self, life):
        life.gone = self.now
        self.object.death(life)


class Client:
    """One fiber: asks, holds, lets go."""

    def __init__(self, world, life):
        self.world, self.life, self.hold, self.stale, self.seen = world, life, None, 0, 0

    def next(self):
        world = self.world
        if self.life.fate != Fate.FINISHED or (world.left <= 0 and self.hold is None):
            return
        world.left -= 1
        op = Op(world.now, NEVER, self.life, *self.choose())
        op.client = self
        world.ops.append(op)
        world.at(world.soon(), lambda: world.object.arrive(Request(op)))
        if world.random.random() < world.deaths and world.left > 0:
            world.at(world.soon() * 2, lambda: self.life.fate == Fate.FINISHED and world.die(self.life))

    def any_timeout(self):
        timeout = self.world.random.choice((0, 50 * US, 400 * US, 2000 * US))
        return dict(zip(("result", "code", "timeout"), ((), 0, timeout))).values()

    def choose(self):
        """verb, a, b, result, code, timeout"""
        rand, kind = self.world.random, self.world.thing.kind
        if self.hold is not None:
            verb, token, n = self.hold
            self.hold, self.stale = None, token
            return rand.choice(verb), token, n
        if kind in ("lock", "sem"):
            acquire, release, look = [Verb.LOCK_ACQUIRE, Verb.LOCK_RELEASE, Verb.LOCK_LOCKED] if kind == "lock" else \
                [Verb.SEM_ACQUIRE, Verb.SEM_RELEASE, Verb.SEM_VALUE]
            verb = rand.choice([acquire] * 5 + [release] * bool(self.stale) + [look])
            if verb == release:
                return verb, self.stale, 1
            return verb, rand.choice((1, 1, 2)) if verb == Verb.SEM_ACQUIRE else 0, 0, *self.any_timeout()
        new = (self.life.number + 1) * 1_000_000 + self.world.left
        if kind == "queue":
            verb = rand.choice([Verb.QUEUE_PUT, Verb.QUEUE_GET] * 4 + [Verb.QUEUE_SIZE])
            return verb, new, 0, *self.any_timeout()
        verb = rand.choice([Verb.VALUE_GET, Verb.VALUE_SET, Verb.VALUE_ADD, Verb.VALUE_CAS, Verb.VALUE_WAIT])
        a = {Verb.VALUE_ADD: 1 + rand.randrange(9), Verb.VALUE_SET: new}.get(verb, self.seen)
        return verb, a, new, *self.any_timeout()

    def answered(self, op):
        if op.code == 0 and op.verb in (Verb.LOCK_ACQUIRE, Verb.SEM_ACQUIRE):
            self.hold = ((Verb.LOCK_RELEASE,) if op.verb == Verb.LOCK_ACQUIRE else (Verb.SEM_RELEASE,),
                         op.result[0], op.a)
        elif op.code == 0 and op.verb == Verb.QUEUE_GET and self.world.thing.manual:
            self.hold = ((Verb.QUEUE_ACK, Verb.QUEUE_ACK, Verb.QUEUE_NACK), op.result[2], 0)
        elif self.world.thing.kind == "value" and op.result[0]:
            self.seen = op.result[1]
        self.world.at(self.world.soon(), self.next)
