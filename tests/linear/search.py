# SPDX-License-Identifier: MIT
"""
The exact question, for short histories: is there an order of the operations that keeps to the clock, and in which each
was answered as the object, doing one after the other, had to answer? (Wing and Gong's search, event by event with all
orders at once, as Lowe does it.)

What is known after each event is a set of pairs: a state that the object can be in, and which of the operations under
way have happened. Before an answer, whatever is under way may happen, as long as the answered one does; the pairs in
which it has not are dropped. No pair left: no order.

An object is a class with `start` (its state) and `after(state, op)`: the states in which OP with its answer leaves it,
none when it cannot be. An unanswered operation may happen with any answer, or never. A death is an operation of its
own.
"""
import collections
import itertools

from history import NEVER, Fate, Op, Verb
from judge import CONFLICT, EMPTY, FULL, NOT_HELD, NOT_OWNER, STALE_TOKEN, TIMEOUT, WOULD_BLOCK, died


class TooWide(Exception):
    """More is possible at a time than there is patience for."""


class Death:
    """What a client held is free again at some moment from `begin` on, at the latest at `end`."""

    def __init__(self, life, rules):
        self.begin, self.end, self.life, self.verb = life.dying, rules.gone(life), life, None
        self.answered, self.good = True, True

    def __repr__(self):
        return f"death of {self.life}"


# --- what the objects are -------------------------------------------------------------------------------------------

class Lock:
    """State: (holder's token, holder's life; 0, None: free; last token)."""

    def __init__(self, _thing, _ops):
        self.start = (0, None, 0)

    def after(self, state, op):
        token, life, last = state
        if op.verb is None:
            return [(0, None, last)] if life == op.life.number else [state]
        if op.verb == Verb.LOCK_ACQUIRE:
            return self._acquire(state, op)
        if op.verb == Verb.LOCK_RELEASE:
            mine = token == op.a
            return [(0, None, last)] if mine and (op.good or not op.answered) else \
                [state] if not mine and not op.good else []
        return [state] if not op.answered or bool(op.result[0]) == bool(life is not None) else []

    @staticmethod
    def _acquire(state, op):
        _, life, last = state
        if op.answered and op.code:
            return [state] if life is not None else []
        if life is not None:
            return []
        if not op.answered:
            return [(-1, op.life.number, last)]
        return [(op.result[0], op.life.number, op.result[0])] if op.result[0] > last else []


class Sem:
    """State: frozenset of (token, life, n). A request for more comes before one for less that came after it."""

    def __init__(self, thing, ops):
        self.limit, self.start = thing.limit, frozenset()
        self.most = max((op.a for op in ops if op.verb == Verb.SEM_ACQUIRE and not op.life.drains), default=0)

    def free(self, state):
        return self.limit - sum(n for _, _, n in state)

    def after(self, state, op):
        if op.verb is None:
            return [frozenset(hold for hold in state if hold[1] != op.life.number)]
        if op.verb == Verb.SEM_ACQUIRE:
            return self._acquire(state, op)
        if op.verb == Verb.SEM_RELEASE:
            after = frozenset(hold for hold in state if hold[0] != op.a)
            if after == state:
                return [] if op.good else [state]
            fits = not op.answered or (op.good and op.result[1] == self.free(after))
            return [after] if fits else []
        return [state] if not op.answered or op.result[1] == self.free(state) else []

    def _acquire(self, state, op):
        if op.answered and op.code:
            return [state] if self.free(state) < max(op.a, self.most) else []
        token = op.result[0] if op.answered else -op.begin
        after = state | {(token, op.life.number, op.a)}
        fits = self.free(after) >= 0 and (not op.answered or self.free(after) == op.result[1])
        return [after] if fits else []


class Value:
    """State: (version, value)."""

    def __init__(self, _thing, _ops, first=(0, 0)):
        self.start = tuple(first)

    def after(self, state, op):
        version, value = state
        if op.verb == Verb.VALUE_GET:
            return self.seen(state, op, True)
        if op.verb == Verb.VALUE_WAIT:
            return self.seen(state, op, value != op.a) if op.good else [state] if value == op.a else []
        if op.verb == Verb.VALUE_SET:
            return self.wrote((version + 1, op.a), op)
        if op.verb == Verb.VALUE_ADD:
            return self.wrote((version + 1, value + op.a), op)
        if op.answered and op.code == CONFLICT:
            return self.seen(state, op, value != op.a)
        return self.wrote((version + 1, op.b), op) if value == op.a else []

    @staticmethod
    def seen(state, op, fits):
        return [state] if not op.answered or (fits and tuple(op.result[:2]) == state) else []

    @staticmethod
    def wrote(after, op):
        told = op.result[:1] if op.verb == Verb.VALUE_SET else op.result[:2]
        return [after] if not op.answered or (op.good and tuple(told) == after[:len(told)]) else []


UNANSWERED = False  # in place of a claim


class Queue:
    """State: (items in order, away, last id). An item is (id, item); away: (claim, life, id, item) of what was taken
    and may come back: claims, and what its taker may not have read, with whether he was answered for a claim. What
    nobody was told the id of has a half more than the one before it: it can come anywhere."""

    def __init__(self, thing, ops, rules):
        self.limit, self.manual, self.rules, self.start = thing.limit, thing.manual, rules, ((), frozenset(), 0)
        self.ids = {op.result[1]: op.result[0] for op in ops if op.verb == Verb.QUEUE_GET and op.good}
        seen = collections.Counter(op.result[1] for op in ops if op.verb == Verb.QUEUE_GET and op.good)
        self.again = {item for item, times in seen.items() if times > 1}
        self.ids |= {op.a: op.result[0] for op in ops if op.verb == Verb.QUEUE_PUT and op.good}

    def after(self, state, op):
        items = state[0]
        if op.verb is None:
            return self._death(state, op.life)
        if op.verb == Verb.QUEUE_PUT:
            return self._put(state, op)
        if op.verb == Verb.QUEUE_GET:
            return self._get(state, op)
        if op.verb == Verb.QUEUE_SIZE:
            return [state] if not op.answered or op.result[0] == len(items) else []
        return self._settle(state, op)

    def _put(self, state, op):
        items, away, last = state
        full = self.limit and len(items) >= self.limit
        if op.answered and op.code:
            return [state] if full else []
        number = self.ids.get(op.a, last + 0.5)
        return [] if full or number <= last else [((*items, (number, op.a)), away, number)]

    def _get(self, state, op):
        items, away, last = state
        if op.answered and op.code:
            return [] if items else [state]
        if not items or (op.answered and items[0][1] != op.result[1]):
            return []
        claim = (op.result[2] if op.answered else -op.begin) if self.manual else op.answered
        undone = self.rules.may_undo_answered(op.life) and items[0][1] in self.again
        comes_back = self.manual or not op.answered or undone
        taken = {(claim, op.life.number, *items[0])} if comes_back else set()
        return [(items[1:], away | taken, last)]

    def _settle(self, state, op):
        items, away, last = state
        mine = [a for a in away if a[0] == op.a]
        if not mine or (op.answered and op.code):
            return [state] if not mine and not op.good else []
        back = [m[2:] for m in mine] if op.verb == Verb.QUEUE_NACK else []
        return [(tuple(sorted([*items, *back])), away.difference(mine), last)]

    def _death(self, state, life):
        """A claim comes back; what was not answered may have been read before the death, or else comes back, too."""
        items, away, last = state
        taken = sorted(a for a in away if a[1] == life.number)
        left = away.difference(taken)
        sure = [a for a in taken if self.manual or (life.fate == Fate.UNREAD and a[0] == UNANSWERED)]
        unsure = [a for a in taken if a not in sure]
        backs = [b for n in range(len(unsure) + 1) for b in itertools.combinations(unsure, n)]
        return [(tuple(sorted([*items, *(b[2:] for b in [*sure, *back])])), left, last) for back in backs]


# --- the search -----------------------------------------------------------------------------------------------------

KNOWN_ERRORS = {TIMEOUT, WOULD_BLOCK, FULL, EMPTY, NOT_HELD, NOT_OWNER, STALE_TOKEN, CONFLICT}


TAKES = (Verb.LOCK_ACQUIRE, Verb.SEM_ACQUIRE, Verb.QUEUE_GET)


class Search:
    def __init__(self, model, most):
        self.model, self.most, self.open = model, most, set()
        self.pairs = {(model.start, frozenset())}

    def _at_once(self, state, happened):
        """What changes nothing may as well happen as soon as it can: so nothing is lost, and there is less to try."""
        free = {op for op in self.open - happened if op.answered and op.verb is not None
                and self.model.after(state, op) == [state]}
        return (state, happened | free) if free else (state, happened)

    def _grow(self, until):
        """Lets happen whatever is under way, in every order in which UNTIL comes last."""
        done, seen = set(), {self._at_once(*pair) for pair in self.pairs}
        todo = list(seen)
        while todo:
            pair = todo.pop()
            state, happened = pair
            if until in happened:
                done.add(pair)
                continue
            for op in self.open - happened:
                if not op.answered and op.verb in TAKES and op.life in (d.life for d in happened if d.verb is None):
                    continue  # nothing is granted to the dead
                for after in self.model.after(state, op):
                    fresh = self._at_once(after, happened | {op})
                    if fresh not in seen:
                        seen.add(fresh)
                        todo.append(fresh)
            if len(seen) > self.most:
                raise TooWide(len(seen))
        return done

    def _may_happen(self, op):
        """Its time is over: it has happened or never will. Those that can still tell are kept apart."""
        pairs = self._with_and_without(op)
        self.open.discard(op)
        self.pairs = {(state, happened - {op}) for state, happened in pairs}

    def _with_and_without(self, op):
        return self._grow(op) | self.pairs

    def event(self, op, is_end):
        if not is_end:
            self.open.add(op)
        elif op.answered:
            self.pairs = {(state, happened - {op}) for state, happened in self._grow(op)}
            self.open.discard(op)
        else:
            self._may_happen(op)
        return bool(self.pairs)


def model_of(thing, ops, rules, first):
    if thing.kind == "queue":
        return Queue(thing, ops, rules)
    if thing.kind == "value":
        return Value(thing, ops, first)
    return {"lock": Lock, "sem": Sem}[thing.kind](thing, ops)


def without_futile(ops):
    """Without the unanswered puts that never happened: what they put never came out, and nobody can have lost it."""
    if any(op.verb == Verb.QUEUE_GET and not op.answered for op in ops):
        return ops
    seen = {op.result[1] for op in ops if op.verb == Verb.QUEUE_GET and op.good}
    return [op for op in ops if op.answered or op.verb != Verb.QUEUE_PUT or op.a in seen]


def beginning(ops, most):
    """The first so many operations: what was under way then was not answered. Of what is linearizable this is, too."""
    if len(ops) <= most:
        return ops
    until = ops[most].begin
    return [op if op.end <= until else Op(op.begin, NEVER, op.life, op.verb, op.a, op.b, timeout=op.timeout)
            for op in ops[:most]]


def search(thing, ops, rules, first=(0, 0), most=200_000):
    """None when there is an order; else the operation at which none is left. Raises TooWide."""
    ops = without_futile(ops)
    for op in ops:
        if op.answered and op.code and op.code not in KNOWN_ERRORS:
            return op
    deaths = [Death(life, rules) for life in {op.life for op in ops} if died(life)] if thing.kind != "value" else []
    events = []
    for op in [*ops, *deaths]:
        end = op.end if op.answered else rules.gone(op.life)
        events += [(op.begin, 0, op), (end if end < NEVER else NEVER, 1, op)]
    run = Search(model_of(thing, ops, rules, first), most)
    for _, is_end, op in sorted(events, key=lambda e: e[:2]):
        if not run.event(op, is_end):
            return op
    return None
