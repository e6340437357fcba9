# SPDX-License-Identifier: MIT
"""
Judges of histories: each returns what cannot have happened if the object did one thing after the other, each at some
moment between its request and its answer. An empty list: nothing is wrong that this judge knows of.

They are quick, because the objects themselves tell their order: a lock and a semaphore by the token of a grant, a value
by its version, a queue by the id of an item. What remains is to hold that order against the clock (Chain), and to add
up what was certainly and what was possibly there (Steps). What these judges accept may still be wrong; search.py is
exact, and for short histories.

A death is an event at an unknown moment, from `dying` on, and before `gone`. What a dead client was not answered may
have happened until then, or not at all; an item that it was given may have been away for that time, and back.
"""
import bisect
import collections
import itertools

from history import NEVER, Fate, Verb

TIMEOUT, WOULD_BLOCK, FULL, EMPTY = 1, 2, 3, 4
NOT_HELD, NOT_OWNER, STALE_TOKEN, CONFLICT = 17, 18, 20, 28
MARGIN = 2_000_000


class Rules:
    """What holds of the run beside the objects' own semantics."""

    def __init__(self, margin=MARGIN, engine_dies=False):
        self.margin = margin  # from when its owner's end was seen until its connection's was
        self.engine_dies = engine_dies  # then nobody knows any more what had been read

    def gone(self, life):
        """When nothing of a client's can happen any more."""
        return min(NEVER, life.gone + self.margin)

    def may_undo_answered(self, life):
        """Whether a grant that was recorded as answered may be undone at its client's death: with other answers
        unread, as what was written together is undone together."""
        return died(life) and (life.fibers > 1 or self.engine_dies)


def died(life):
    return life.fate not in (Fate.RUNNING, Fate.FINISHED)


class Chain:
    """Events in their known order, each somewhere within [earliest, latest]."""

    def __init__(self, wrong, what):
        self.wrong, self.what, self.reached, self.by = wrong, what, -NEVER, None

    def add(self, earliest, latest, event):
        if latest < self.reached:
            self.wrong.append(f"{self.what}: {event} is over before {self.by}, which comes before it, can have been")
        if earliest > self.reached:
            self.reached, self.by = earliest, event


class Steps:
    """A sum over time of what is there from `begin` to `end`: constant between two neighbours of `times`."""

    def __init__(self, intervals):
        """INTERVALS: (begin, end, n)."""
        changes = collections.Counter()
        for begin, end, n in intervals:
            if begin < end:
                changes[begin] += n
                changes[end] -= n
        self.times = sorted(changes)
        self.sums = list(itertools.accumulate((changes[t] for t in self.times), initial=0))

    def over(self, begin, end):
        """All sums that there are between the two."""
        first = bisect.bisect_right(self.times, begin)
        return self.sums[first:max(first, bisect.bisect_left(self.times, end)) + 1]

    def most(self):
        return max(self.sums)


def window(op):
    """When a request that timed out was certainly waiting; None when that is not certain."""
    if op.timeout and op.end - op.timeout < op.begin + op.timeout:
        return op.end - op.timeout, op.begin + op.timeout
    return None


def refused_wrongly(op, possible, free_below):
    """Whether a request that was told to go away would have found room: what POSSIBLY was there, without the request's
    own share, has to have reached FREE_BELOW; all the time where it waited, else at some moment."""
    own = op_share(op)
    if not op.timeout:
        return max(possible.over(op.begin, op.end)) - own < free_below
    sure = window(op)
    return sure is not None and min(possible.over(*sure)) - own < free_below


def op_share(op):
    return op.a if op.verb == Verb.SEM_ACQUIRE else 1


def unexpected(ops, allowed):
    """Answers that no such operation may get. ALLOWED: verb -> codes."""
    return [f"unexpected: {op}" for op in ops if op.answered and op.code and op.code not in allowed.get(op.verb, ())]


# --- locks and semaphores -------------------------------------------------------------------------------------------

class Hold:
    """From a grant to its end, which is somewhere within [earliest, latest]."""
    __slots__ = ("op", "n", "token", "release", "earliest", "latest")

    def __init__(self, op, releases, rules):
        self.op, self.n, self.token = op, op_share(op), op.result[0]
        mine = [r for r in releases if not r.answered or r.good]
        self.release = min(mine, key=lambda r: r.begin, default=None)
        if self.release and self.release.good:
            self.earliest, self.latest = self.release.begin, self.release.end
        else:
            self.latest = rules.gone(op.life)
            self.earliest = min(op.life.dying, self.release.begin) if self.release else op.life.dying


def holds_of(ops, acquire, release, rules, wrong):
    """The holds, in the order of their tokens."""
    releases = collections.defaultdict(list)
    for op in ops:
        if op.verb == release:
            releases[op.a].append(op)
    holds, seen = [], {}
    for op in sorted((op for op in ops if op.verb == acquire and op.good), key=lambda op: op.result[0]):
        token = op.result[0]
        if token in seen:
            wrong.append(f"token {token} was given twice: {seen[token]} and {op}")
        seen[token] = op
        wrong += releases_wrong(op, releases[token])
        holds.append(Hold(op, releases[token], rules))
    wrong += [f"a token that nobody was given was released: {op}" for token, those in releases.items()
              for op in those if token not in seen and op.good]
    return holds


def releases_wrong(grant, releases):
    """A token's first release by its holder succeeds, and no other after it."""
    good = [op for op in releases if op.good]
    first = min(releases, key=lambda op: op.begin, default=None)
    if len(good) > 1:
        yield f"released twice: {good[0]} and {good[1]}"
    if first and first.answered and not first.good:
        yield f"its holder could not release it: {grant}, then {first}"


def check_order(holds, exclusive, wrong):
    chain = Chain(wrong, "order of tokens")
    for hold in holds:
        chain.add(hold.op.begin, hold.op.end, hold.op)
        if exclusive:
            chain.add(hold.earliest, hold.latest, f"the end of {hold.op}")


def latest_ends(holds, exclusive):
    """When each hold was over at the latest; of a lock: when another was granted it."""
    ends, soonest = [], NEVER
    for hold in reversed(holds):
        ends.append(min(hold.latest, soonest) if exclusive else hold.latest)
        soonest = min(soonest, hold.op.end)
    return ends[::-1]


class Permits:
    """How many were certainly, and how many possibly held, at each time."""

    def __init__(self, ops, holds, acquire, exclusive, rules):
        self.certain = Steps((h.op.end, h.earliest, h.n) for h in holds)
        possible = [(h.op.begin, end, h.n) for h, end in zip(holds, latest_ends(holds, exclusive))]
        # Who waits comes before who comes after him: counted as if he held what he waits for.
        possible += [(op.begin, op.end if op.answered else rules.gone(op.life), op_share(op))
                     for op in ops if op.verb == acquire and not op.good]
        self.possible = Steps(possible)


def check_free(op, n, own, permits, limit):
    """Whether N free can have been seen while OWN permits were changing hands."""
    most = limit - min(permits.certain.over(op.begin, op.end))
    least = limit - (max(permits.possible.over(op.begin, op.end)) - own)
    if not least <= n <= most:
        yield f"{n} of {limit} cannot have been free ({least} to {most}): {op}"


def judge_permits(ops, limit, acquire, release, rules):
    wrong = unexpected(ops, {acquire: (TIMEOUT, WOULD_BLOCK), release: (NOT_HELD, NOT_OWNER, STALE_TOKEN)})
    exclusive = acquire == Verb.LOCK_ACQUIRE
    holds = holds_of(ops, acquire, release, rules, wrong)
    check_order(holds, exclusive, wrong)
    permits = Permits(ops, holds, acquire, exclusive, rules)
    if permits.certain.most() > limit:
        wrong.append(f"{permits.certain.most()} were held at a time, of {limit}")
    wrong += [f"there was room all the time: {op}" for op in ops if op.verb == acquire
              and op.code in (TIMEOUT, WOULD_BLOCK) and refused_wrongly(op, permits.possible, limit - op_share(op) + 1)]
    return wrong, holds, permits


def judge_sem(ops, limit, rules):
    wrong, _, permits = judge_permits(ops, limit, Verb.SEM_ACQUIRE, Verb.SEM_RELEASE, rules)
    for op in ops:
        if op.good and op.verb == Verb.SEM_VALUE:
            wrong += check_free(op, op.result[1], 0, permits, limit)
        elif op.good and op.verb == Verb.SEM_ACQUIRE:
            wrong += check_free(op, op.result[1] + op.a, op.a, permits, limit)
        elif op.good and op.verb == Verb.SEM_RELEASE:
            wrong += check_free(op, op.result[1], op.b, permits, limit)
    return wrong


def judge_lock(ops, rules):
    wrong, holds, permits = judge_permits(ops, 1, Verb.LOCK_ACQUIRE, Verb.LOCK_RELEASE, rules)
    for op in ops:
        if op.good and op.verb == Verb.LOCK_LOCKED:
            if op.result[0] and not max(permits.possible.over(op.begin, op.end)):
                wrong.append(f"nobody can have held it: {op}")
            elif not op.result[0] and min(permits.certain.over(op.begin, op.end)):
                wrong.append(f"it was held all the time: {op}")
    check_abandoned(ops, holds, rules, wrong)
    return wrong


def check_abandoned(ops, holds, rules, wrong):
    """Who gets the lock of a dead holder is told, and nobody else is: what was never read was never held."""
    unknown = {op.life.pid for op in ops if op.verb == Verb.LOCK_ACQUIRE and not op.answered and died(op.life)
               and (rules.engine_dies or op.life.fate != Fate.UNREAD)}
    for before, hold in zip([None, *holds], holds):
        told = hold.op.result[2]
        dead = before is not None and died(before.op.life) and not (before.release and before.release.good)
        if told and told not in unknown and not (dead and told == before.op.life.pid):
            wrong.append(f"abandoned by pid {told}, which did not: {hold.op}, after {before and before.op}")
        elif not told and dead and not before.release and not rules.may_undo_answered(before.op.life):
            wrong.append(f"abandoned, and not told: {hold.op}, after {before.op}")


# --- values ---------------------------------------------------------------------------------------------------------

WRITES = (Verb.VALUE_SET, Verb.VALUE_ADD, Verb.VALUE_CAS)


def written(op, before):
    """What OP makes of BEFORE; None is unknown. Raises ValueError where it would not have written."""
    if op.verb == Verb.VALUE_SET:
        return op.a
    if op.verb == Verb.VALUE_ADD:
        return None if before is None else before + op.a
    if before not in (None, op.a):
        raise ValueError(f"{op} on {before}")
    return op.b


class Versions:
    """What is known of each version from FIRST on: who wrote it, who read it, what it was."""

    def __init__(self, ops, first, value, wrong):
        self.first, self.writers, self.readers, self.values = first, {}, collections.defaultdict(list), {first: value}
        for op in ops:
            if not op.answered or (op.code and op.code != CONFLICT):
                continue
            version = op.result[0]
            if op.verb in WRITES and op.good:
                if version in self.writers or version <= first:
                    wrong.append(f"version {version} was made twice: {self.writers.get(version)} and {op}")
                self.writers[version] = op
            else:
                self.readers[version].append(op)
        self.last = max((first, *self.writers, *self.readers))
        self._learn(wrong)

    def _learn(self, wrong):
        """What every version was: from its readers and writer, and from what the next one's writer found."""
        for version, readers in self.readers.items():
            for op in readers:
                if self.values.setdefault(version, op.result[1]) != op.result[1]:
                    wrong.append(f"version {version} was {self.values[version]}: {op}")
                if op.verb in (Verb.VALUE_CAS, Verb.VALUE_WAIT) and op.result[1] == op.a:
                    wrong.append(f"it was what was expected, or not: {op}")
                if version < self.first:
                    wrong.append(f"older than the first version {self.first}: {op}")
        for version, op in self.writers.items():
            if op.verb != Verb.VALUE_SET:
                self.values.setdefault(version - 1, op.a if op.verb == Verb.VALUE_CAS else op.result[1] - op.a)
        for version in range(self.first + 1, self.last + 1):
            op = self.writers.get(version)
            try:
                value = written(op, self.values.get(version - 1)) if op else None
            except ValueError as error:
                wrong.append(f"version {version}: {error}")
                continue
            told = op.result[1] if op and op.verb != Verb.VALUE_SET else None
            for seen in (value, told):
                if seen is not None and self.values.setdefault(version, seen) != seen:
                    wrong.append(f"version {version} was {self.values[version]}, not {seen}: {op}")

    def order(self, wrong):
        """Holds the order of the versions against the clock. Returns, of each version, from when on it cannot have
        been made any more: what came after it had been seen."""
        chain = Chain(wrong, "order of versions")
        for version in range(self.first, self.last + 1):
            writer = self.writers.get(version)
            if writer:
                chain.add(writer.begin, writer.end, writer)
            soonest = min(self.readers[version], key=lambda op: op.end, default=None)
            latest = max(self.readers[version], key=lambda op: op.begin, default=None)
            if soonest:
                chain.add(-NEVER, soonest.end, soonest)
                chain.add(latest.begin, NEVER, latest)
        until, seen = {}, NEVER
        for version in range(self.last, self.first - 1, -1):
            ops = [*self.readers[version], *filter(None, [self.writers.get(version)])]
            seen = min([seen, *(op.end for op in ops)])
            until[version] = seen
        return until

    def current(self, until):
        """(from, to, value): when a version was certainly the current one."""
        for version in range(self.first, self.last):
            begin, after = until[version], self.writers.get(version + 1)
            if after and version in self.values and begin < after.begin:
                yield begin, after.begin, self.values[version]


def match(gaps, candidates):
    """Those of the GAPS for which no candidate of their own is left. CANDIDATES: gap -> things."""
    taken = {}

    def place(gap, tried):
        for thing in candidates[gap]:
            if thing not in tried:
                tried.add(thing)
                if thing not in taken or place(taken[thing], tried):
                    taken[thing] = gap
                    return True
        return False

    return [gap for gap in gaps if not place(gap, set())]


def can_be(op, versions, version):
    """Whether the unanswered OP can have written this version."""
    try:
        value = written(op, versions.values.get(version - 1))
    except ValueError:
        return False
    return value is None or versions.values.get(version, value) == value


def judge_value(ops, rules, first=0, value=0):
    wrong = unexpected(ops, {Verb.VALUE_CAS: (CONFLICT,), Verb.VALUE_WAIT: (TIMEOUT, WOULD_BLOCK)})
    versions = Versions(ops, first, value, wrong)
    until = versions.order(wrong)
    unanswered = [op for op in ops if op.verb in WRITES and not op.answered]
    gaps = [v for v in range(first + 1, versions.last + 1) if v not in versions.writers]
    candidates = {gap: [op for op in unanswered if op.begin <= until[gap] and can_be(op, versions, gap)]
                  for gap in gaps}
    wrong += [f"version {gap} was made by nobody" for gap in match(gaps, candidates)]
    check_waits(ops, list(versions.current(until)), wrong)
    return wrong


def check_waits(ops, current, wrong):
    """Who waited for another value, and was told there is none, while there was."""
    begins = [begin for begin, _, _ in current]
    for op in ops:
        if op.verb != Verb.VALUE_WAIT or not op.answered or op.code not in (TIMEOUT, WOULD_BLOCK):
            continue
        sure = window(op) if op.timeout else (op.begin, op.end)
        if not sure:
            continue
        for begin, end, value in current[max(0, bisect.bisect_right(begins, sure[0]) - 1):]:
            if begin >= sure[1]:
                break
            whole = begin <= sure[0] and end >= sure[1]
            if value != op.a and (whole or (op.timeout and min(end, sure[1]) > max(begin, sure[0]))):
                wrong.append(f"it was {value} all the time: {op}")
                break


# --- queues ---------------------------------------------------------------------------------------------------------

class Item:
    """Its put, and its deliveries in their order."""
    __slots__ = ("item", "put", "id", "gets")

    def __init__(self, item, put):
        self.item, self.put, self.id, self.gets = item, put, put.result[0] if put.good else None, []


class Absence:
    """How a delivery ended: `back` is within [earliest, latest], when it came back; both NEVER: it did not."""
    __slots__ = ("earliest", "latest", "settled")

    def __init__(self, earliest, latest, settled=None):
        self.earliest, self.latest, self.settled = earliest, latest, settled


def items_of(ops, wrong):
    items, ids = {}, {}
    for op in ops:
        if op.verb == Verb.QUEUE_PUT and (op.good or not op.answered):
            items[op.a] = Item(op.a, op)
    refused = {op.a for op in ops if op.verb == Verb.QUEUE_PUT and op.answered and op.code}
    for op in ops:
        if op.verb == Verb.QUEUE_GET and op.good:
            number, value = op.result[:2]
            if value not in items:
                wrong.append(f"an item that was {'refused' if value in refused else 'never put'}: {op}")
                continue
            item = items[value]
            item.gets.append(op)
            if item.id not in (None, number):
                wrong.append(f"its id was {item.id}: {op}")
            item.id = number
    for item in items.values():
        if item.id is not None and ids.setdefault(item.id, item) is not item:
            wrong.append(f"id {item.id} was given twice: {item.put} and {ids[item.id].put}")
        item.gets.sort(key=lambda op: op.result[3])
    return sorted((i for i in items.values() if i.id is not None), key=lambda i: i.id), \
        [i for i in items.values() if i.id is None]


class Claims:
    """What became of each delivery."""

    def __init__(self, ops, manual, rules, wrong):
        self.manual, self.rules, self.wrong = manual, rules, wrong
        self.settling = collections.defaultdict(list)
        for op in ops:
            if op.verb in (Verb.QUEUE_ACK, Verb.QUEUE_NACK):
                self.settling[op.a].append(op)
        if manual:
            self._check(ops)

    def _check(self, ops):
        claims = {}
        for op in ops:
            if op.verb == Verb.QUEUE_GET and op.good:
                claim = op.result[2]
                if not claim or claim in claims:
                    self.wrong.append(f"a claim of no use: {claims.get(claim)} and {op}")
                claims[claim] = op
        for claim, settling in self.settling.items():
            good = [op for op in settling if op.good]
            first = min(settling, key=lambda op: op.begin)
            if len(good) > 1:
                self.wrong.append(f"settled twice: {good[0]} and {good[1]}")
            if first.answered and first.code:
                self.wrong.append(f"whose claim it is could not settle it: {claims.get(claim)}, then {first}")

    def absence(self, get):
        """How a delivery ended that another may have followed."""
        life, gone = get.life, self.rules.gone(get.life)
        if not self.manual:
            return Absence(life.dying, gone) if self.rules.may_undo_answered(life) else Absence(NEVER, NEVER, get)
        settling = [op for op in self.settling.get(get.result[2], []) if op.good or not op.answered]
        first = min(settling, key=lambda op: op.begin, default=None)
        if first is None:
            return Absence(life.dying, gone) if died(life) else Absence(NEVER, NEVER)
        if first.good:
            return Absence(first.begin, first.end) if first.verb == Verb.QUEUE_NACK else Absence(NEVER, NEVER, first)
        return Absence(min(first.begin, life.dying) if first.verb == Verb.QUEUE_NACK else life.dying, gone, first)


class Doubt:
    """When a client that died may have had an item that nobody saw it get."""

    def __init__(self, ops, rules):
        self.begins, self.ends = [], []
        for begin, end in sorted((op.begin, rules.gone(op.life)) for op in ops
                                 if op.verb == Verb.QUEUE_GET and not op.answered):
            if self.ends and begin <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], end)
            else:
                self.begins.append(begin)
                self.ends.append(end)

    def touches(self, begin, end):
        return bisect.bisect_left(self.ends, begin) < bisect.bisect_right(self.begins, end)

    def without(self, begin, end):
        """What is left of that time."""
        for at in range(bisect.bisect_left(self.ends, begin), bisect.bisect_right(self.begins, end)):
            if begin < self.begins[at]:
                yield begin, self.begins[at]
            begin = self.ends[at]
        if begin < end:
            yield begin, end


class Presence:
    """When items were certainly in the queue, and when they possibly were; and what cannot be."""

    def __init__(self, items, claims, doubt, rules, wrong):
        self.certain = []  # (from, to, item), without what began before the first delivery
        self.first = []  # the same from the put to the first delivery
        self.never_away = []  # (from, to, 1): of what did not come back, which may be more than there is room for
        self.possible = []  # (from, to, n)
        self.missing = 0  # deliveries that somebody else must have had
        for item in items:
            self._walk(item, claims, doubt, rules, wrong)

    def _walk(self, item, claims, doubt, rules, wrong):
        chain = Chain(wrong, f"item {item.item}")
        chain.add(item.put.begin, item.put.end if item.gets else NEVER, item.put)
        number, back, end = -1, item.put.end, NEVER
        for get in item.gets:
            again = get.result[3]
            if again == number:
                wrong.append(f"delivered twice: {item.gets}")
            if again == number + 1 and back < get.begin:
                where = self.certain if number >= 0 else self.first
                if number < 0 and not doubt.touches(back, get.begin):
                    self.never_away.append((back, get.begin, 1))
                where += [(begin, end, item) for begin, end in doubt.without(back, get.begin)]
            self.missing += max(0, again - number - 1)
            chain.add(get.begin, get.end, get)
            absence = claims.absence(get)
            if get is not item.gets[-1]:
                if absence.earliest == NEVER:
                    wrong.append(f"delivered again though it was settled: {item.gets}")
                chain.add(absence.earliest, absence.latest, f"the return of {get}")
            number, back = again, absence.latest
            end = absence.settled.end if absence.settled and absence.settled.answered else rules.gone(get.life)
        # A putter that was refused or died may have waited, in front of others.
        self.possible.append((item.put.begin, end, 1))


def judge_queue(ops, limit, manual, rules, drained=True):
    """LIMIT: maxsize, or 0. DRAINED: in the end it was emptied, so that what did not come out is lost."""
    wrong = unexpected(ops, {Verb.QUEUE_PUT: (FULL,) if limit else (), Verb.QUEUE_GET: (EMPTY,),
                             Verb.QUEUE_ACK: (STALE_TOKEN,), Verb.QUEUE_NACK: (STALE_TOKEN,)})
    items, unseen = items_of(ops, wrong)
    chain = Chain(wrong, "order of ids")
    for item in items:
        chain.add(item.put.begin, item.put.end, item.put)
    doubt = Doubt(ops, rules)
    there = Presence(items, Claims(ops, manual, rules, wrong), doubt, rules, wrong)
    check_fifo(items, there, doubt, wrong)
    check_empty(ops, there, wrong)
    check_room(ops, there, limit, unseen, rules, wrong)
    if drained:
        check_lost(ops, items, there, manual, wrong)
    return wrong


def check_fifo(items, there, doubt, wrong):
    """Nothing comes out while something older is certainly in."""
    soonest, by = NEVER, None  # the first end of a get of something newer
    for item in reversed(items):
        if item.gets:
            if item.gets[0].result[3] == 0 and soonest < item.gets[0].begin:
                wrong.append(f"overtaken: {item.gets[0]} by {by}, which was put later")
            for get in item.gets:
                if get.end < soonest and not doubt.touches(get.begin, get.end):
                    soonest, by = get.end, get
    gets = sorted(((get.begin, item.id, get) for item in items for get in item.gets), key=lambda g: g[0])
    begins = [g[0] for g in gets]
    for begin, end, item in there.certain:
        for _, number, get in gets[bisect.bisect_left(begins, begin):bisect.bisect_left(begins, end)]:
            if number > item.id and get.end < end:
                wrong.append(f"overtaken: {item.item}, which had come back to its place, by {get}")


def check_empty(ops, there, wrong):
    certain = Steps((begin, end, 1) for begin, end, _ in there.certain + there.first)
    for op in ops:
        if op.verb == Verb.QUEUE_GET and op.answered and op.code == EMPTY:
            sums = certain.over(op.begin, op.end) if not op.timeout else \
                [max(certain.over(*window(op)))] if window(op) else [0]
            if min(sums) > 0:
                wrong.append(f"it was not empty: {op}")


def check_room(ops, there, limit, unseen, rules, wrong):
    waiting = [(op.begin, op.end, 1) for op in ops if op.verb == Verb.QUEUE_PUT and op.answered and op.code]
    waiting += [(i.put.begin, NEVER if i.put.good else rules.gone(i.put.life), 1) for i in unseen]
    possible = Steps(there.possible + waiting)
    never_away = Steps(there.never_away)
    if limit and never_away.most() > limit:
        wrong.append(f"{never_away.most()} items in a queue of {limit}")
    certain = Steps((begin, end, 1) for begin, end, _ in there.first + there.certain)
    for op in ops:
        if op.verb == Verb.QUEUE_PUT and op.answered and op.code == FULL and refused_wrongly(op, possible, limit):
            wrong.append(f"there was room: {op}")
        if op.verb == Verb.QUEUE_SIZE and op.good:
            least, most = min(certain.over(op.begin, op.end)), max(possible.over(op.begin, op.end))
            if not least <= op.result[0] <= most:
                wrong.append(f"its size was {least} to {most}: {op}")


def check_lost(ops, items, there, manual, wrong):
    """What was put came out, once. A delivery that nobody recorded was one to a client that died before it could."""
    unanswered = [op for op in ops if op.verb == Verb.QUEUE_GET and not op.answered]
    read = [op for op in unanswered if op.life.fate != Fate.UNREAD]
    lost = [item.put for item in items if not item.gets and item.put.good]
    if manual and lost:
        wrong.append(f"lost, though nobody acknowledged them: {lost}")
    elif len(lost) > len(read):
        wrong.append(f"{len(lost)} items lost, and only {len(read)} were taken by who died: {lost[:10]}")
    if len(lost) + there.missing > len(unanswered):
        wrong.append(f"{there.missing} deliveries and {len(lost)} items too many for {len(unanswered)} unanswered gets")


def judge(thing, ops, rules=None, first=(0, 0)):
    """What is wrong with the history of an Object. FIRST: a value's first version, and what it was."""
    rules = rules or Rules()
    if thing.kind == "lock":
        return judge_lock(ops, rules)
    if thing.kind == "sem":
        return judge_sem(ops, thing.limit, rules)
    if thing.kind == "queue":
        return judge_queue(ops, thing.limit, thing.manual, rules)
    return judge_value(ops, rules, *first)
