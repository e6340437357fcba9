# SPDX-License-Identifier: MIT
"""
Histories: what clients asked of objects, when, and what they were answered. tests/tools/linear_client.c writes them;
tests make some by hand.

All times are nanoseconds of CLOCK_MONOTONIC. An operation that was not answered has end NEVER: it may have happened at
any time from its begin until the daemon had seen its client's end, or not at all.
"""
import collections
import enum
import mmap
import struct

NEVER = 1 << 62


class Verb(enum.IntEnum):
    """In the order of linear_client.c."""
    LOCK_ACQUIRE = 0
    LOCK_RELEASE = 1
    LOCK_LOCKED = 2
    SEM_ACQUIRE = 3
    SEM_RELEASE = 4
    SEM_VALUE = 5
    QUEUE_PUT = 6
    QUEUE_GET = 7
    QUEUE_ACK = 8
    QUEUE_NACK = 9
    QUEUE_SIZE = 10
    VALUE_GET = 11
    VALUE_SET = 12
    VALUE_ADD = 13
    VALUE_CAS = 14
    VALUE_WAIT = 15


class Fate(enum.IntEnum):
    RUNNING = 0
    FINISHED = 1
    KILLED = 2
    UNREAD = 3  # killed, and of what was not answered nothing was read whole
    LEFT = 4  # exited with all it held, everything read


class Life:
    """One client process: it lived until `dying` at least, and at `gone` the daemon had seen its end. Each of its
    fibers does one thing after the other."""
    __slots__ = ("number", "pid", "fibers", "fate", "place", "drains", "dying", "gone")

    def __init__(self, number, pid=0, fibers=1, fate=Fate.FINISHED, place=0, drains=False, dying=NEVER, gone=NEVER):
        self.number, self.pid, self.fibers, self.fate, self.place = number, pid, fibers, Fate(fate), place
        self.drains, self.dying, self.gone = drains, dying, gone

    def __repr__(self):
        return f"life {self.number} (pid {self.pid}, {self.fate.name.lower()})"


class Op:
    """One operation; `result` means what linear_client.c's table of results says."""
    __slots__ = ("begin", "end", "life", "fiber", "verb", "a", "b", "timeout", "code", "result", "client")

    def __init__(self, begin, end, life, verb, a=0, b=0, result=(), code=0, timeout=None, fiber=0):
        self.begin, self.end, self.life, self.fiber, self.verb = begin, end, life, fiber, verb
        self.a, self.b, self.code, self.timeout = a, b, code, timeout
        self.result = (*result, 0, 0, 0, 0)[:4]

    @property
    def answered(self):
        return self.end != NEVER

    @property
    def good(self):
        return self.end != NEVER and self.code == 0

    def __repr__(self):
        what = f"{self.result}" if self.good else f"error {self.code}" if self.answered else "not answered"
        end = self.end / 1e9 if self.answered else float("inf")
        wait = "" if self.timeout is None else f" timeout {self.timeout / 1e6:g} ms"
        return (f"[{self.begin / 1e9:.6f} {end:.6f}] {self.life.number}.{self.fiber} {Verb(self.verb).name}"
                f"({self.a}, {self.b}){wait} = {what}")


Object = collections.namedtuple("Object", "kind name limit manual brief")


def spec(thing):
    """An Object as linear_client wants to be told of it."""
    return f"{thing.kind}:{thing.name}:{thing.limit}:{'m' * thing.manual}{'s' * thing.brief}"


class History:
    """What linear_client has written of the OBJECTS that it was told, object by object."""
    HEAD, LIFE, RECORD = struct.Struct("=6I3Q"), struct.Struct("=i5I4q"), struct.Struct("=2q4I2q2i4q")

    def __init__(self, path, objects):
        self.objects = objects
        with open(path, "rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        record, life, lives_max, _, lives, _, used, _, _ = self.HEAD.unpack_from(self.map, 0)
        assert (record, life) == (self.RECORD.size, self.LIFE.size), "linear_client writes another format"
        self.lives = [self._life(i) for i in range(lives)]
        self._gone()
        self.at = (self.HEAD.size + lives_max * life + 7) // 8 * 8
        self.where = collections.defaultdict(list)
        for number in range(used):
            offset = self.at + number * record
            begin, object_number = struct.unpack_from("=q20xI", self.map, offset)
            if begin:  # else it was never sent
                self.where[object_number].append(offset)

    def _life(self, number):
        pid, fibers, fate, place, drains, _, _, dying, _, gone = self.LIFE.unpack_from(
            self.map, self.HEAD.size + number * self.LIFE.size)
        return Life(number, pid, fibers, fate, place, bool(drains), dying or NEVER, gone or NEVER)

    def _gone(self):
        """Who died before he had his place was in it nevertheless: whoever got it next has waited for both."""
        gone = {}
        for life in reversed(self.lives):
            life.gone = gone[life.place] = min(life.gone, gone.get(life.place, NEVER))

    def ops(self, number):
        """All operations on an object, in the order of their begin."""
        made = []
        for offset in self.where[number]:
            begin, end, life, fiber, verb, _, a, b, timeout, code, *result = self.RECORD.unpack_from(self.map, offset)
            made.append(Op(begin, end or NEVER, self.lives[life], verb, a, b, result, code,
                           None if timeout < 0 else timeout * 1000, fiber))
        made.sort(key=lambda op: op.begin)
        return made

    def __len__(self):
        return sum(len(where) for where in self.where.values())
