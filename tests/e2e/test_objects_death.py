# SPDX-License-Identifier: MIT
"""
A client is killed between the server's write and its read, on a real socket: what it had not read was never its, and is
where it was; what it had read was.

The client is a process that connects and hands the test a copy of its socket. So the test says what it sends and how
much it reads, sees what lies unread in its socket, and kills it when just that is true.
"""
import array
import base64
import contextlib
import fcntl
import json
import signal
import socket
import sys
import termios

import pytest
from harness import PATIENCE, SLOW, Connection, spawn, stat_of, until, wait_dead
from puppets import connect, error, info, refused, waited  # noqa: F401

BODY = """
import socket, sys
wire = socket.socket(socket.AF_UNIX)
wire.connect(sys.argv[1])
lender = socket.socket(fileno=0)
socket.send_fds(lender, [b"!"], [wire.fileno()])
lender.recv(1)
"""


class Mortal(Connection):
    """The connection of a process that only lives."""

    def __init__(self, mpd):
        self.lender, theirs = socket.socketpair()
        with theirs:
            self.proc = spawn([sys.executable, "-S", "-E", "-c", BODY, mpd.socket], stdin=theirs)
        self.pid = self.proc.pid
        super().__init__(mpd.socket)

    def _made(self, path, timeout):
        self.lender.settimeout(timeout)
        _, (fd,), _, _ = socket.recv_fds(self.lender, 1, 1)
        sock = socket.socket(fileno=fd)
        sock.settimeout(timeout)
        return sock

    def send_together(self, *calls):
        """In one write. CALL: (method, params)."""
        self.sock.sendall(b"".join(self.line({"id": next(self.ids), "method": method, "params": params})
                                   for method, params in calls))

    def unread(self):
        """How many bytes lie in its socket."""
        room = array.array("i", [0])
        fcntl.ioctl(self.sock, termios.FIONREAD, room)
        return room[0]

    def answered(self, lines=1):
        """Returns once so many lines lie in its socket."""
        until(lambda: self.unread() and self.sock.recv(1 << 20, socket.MSG_PEEK).count(b"\n") >= lines)

    def read_line(self):
        """Just the next line, and nothing of what lies behind it."""
        self.answered()
        size = self.sock.recv(1 << 20, socket.MSG_PEEK).index(b"\n") + 1
        return json.loads(self.sock.recv(size))

    def read_bytes(self, n):
        while n:
            n -= len(self.sock.recv(n))

    def read_answer(self, leave=0):
        """All of an answer, and of the bytes that follow it, but for the last LEAVE."""
        got, total = b"", None
        while total is None or len(got) < total - leave:
            seen = self.sock.recv(65536, socket.MSG_PEEK)
            if total is None and b"\n" in seen:
                line = got + seen[:seen.index(b"\n") + 1]
                total = len(line) + json.loads(line).get("raw", 0)
            got += self.sock.recv(len(seen) if total is None else min(len(seen), total - leave - len(got)))

    def kill(self):
        self.sock.close()
        self.proc.kill()
        assert wait_dead(self.pid)

    def hang_up(self):
        """It shuts its half, and is killed: the other way to the same end."""
        self.sock.shutdown(socket.SHUT_WR)
        self.kill()

    def close(self):
        self.sock.close()
        self.lender.close()
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()


@pytest.fixture
def mortal(mpd):
    """mortal() makes a Mortal of the daemon `mpd`; mortal.gone() returns when the daemon knows nothing of them."""
    made = []
    mpd.status()

    def connections():
        return mpd.rpc("mpd.stats")["connections"]

    class Make:
        def __call__(self):
            if not made:
                self.others = connections()
            made.append(Mortal(mpd))
            return made[-1]

        def gone(self):
            until(lambda: connections() <= self.others, what="the daemon sees their end")

    yield Make()
    for each in made:
        each.close()


OWNERS = {"connection": {}, "process": {"owner": "process"}}
owners = pytest.mark.parametrize("owner", OWNERS.values(), ids=OWNERS)
ends = pytest.mark.parametrize("owner, end", [({}, Mortal.kill), (OWNERS["process"], Mortal.hang_up)],
                               ids=["connection, killed", "process, half-closed and killed"])


# --- permits --------------------------------------------------------------------------------------------------------

# By kind: how it is made, taken, given back.
MUTEXES = {
    "lock": ("lock.create", {}, "lock.acquire", "lock.release"),
    "rlock": ("rlock.create", {}, "rlock.acquire", "rlock.release"),
    "condition": ("condition.create", {}, "condition.acquire", "condition.release"),
    "value": ("value.create", {}, "value.lock", "value.unlock"),
    "array": ("array.create", {"type": "i", "size": 1}, "value.lock", "value.unlock"),
}
mutexes = pytest.mark.parametrize("kind", MUTEXES)


def make(client, kind):
    """Makes x; returns what takes it and what gives it back."""
    create, shape, take, give = MUTEXES[kind]
    client.call(create, name="x", **shape)
    return take, give


@ends
@mutexes
@pytest.mark.parametrize("when", ["unread", "half read", "read"])
def test_mutex(connect, mortal, kind, owner, end, when):
    c, m = connect(), mortal()
    take, give = make(c, kind)
    m.request(take, name="x", **owner)
    m.answered()
    if when == "half read":
        m.read_bytes(10)
    if when == "read":
        m.read_line()
    end(m)
    got = c.call(take, name="x", timeout=PATIENCE)
    assert ("abandoned" in got) is (when == "read"), got
    if when == "read":
        assert got["abandoned"]["pid"] == m.pid
        assert got["abandoned"].get("signal") in ("KILL", None)  # its sockets close a moment before it has ended
    c.call(give, name="x")


@owners
@mutexes
def test_mutex_passes_by_the_dead(mpd, connect, mortal, kind, owner):
    """It goes from one who releases it to one who never reads of it, to the next in line."""
    a, m, b = connect(), mortal(), connect()
    take, give = make(a, kind)
    first = a.call(take, name="x")["token"]
    m.request(take, name="x", **owner)
    waited(mpd, "x", 1)
    number = b.request(take, name="x")
    waited(mpd, "x", 2)
    a.call(give, name="x")
    m.answered()
    m.kill()
    got = b.reply(number)
    assert "abandoned" not in got and got["token"] > first


@owners
@mutexes
def test_death_is_told_to_who_reads_of_it(mpd, connect, mortal, kind, owner):
    """Who was told of an abandoned lock, and did not read of it, does not take the news into its grave."""
    c, holder, m = connect(), mortal(), mortal()
    take, give = make(c, kind)
    holder.call(take, name="x", **owner)
    m.request(take, name="x", **owner)
    waited(mpd, "x", 1)
    holder.kill()
    m.answered()
    m.kill()
    assert c.call(take, name="x", timeout=PATIENCE)["abandoned"]["pid"] == holder.pid


@owners
@pytest.mark.parametrize("read", [0, 1, 2])
def test_depth_of_an_rlock(connect, mortal, owner, read):
    """Each in a write of its own: what was read counts, and that is enough to have held it."""
    c, m = connect(), mortal()
    for i in range(2):
        m.request("rlock.acquire", name="x", **owner)
        m.answered(1 if i < read else i - read + 1)
        if i < read:
            m.read_line()
    m.kill()
    assert ("abandoned" in c.call("rlock.acquire", name="x", timeout=PATIENCE)) is (read > 0)


@owners
def test_many_locks_in_one_write(connect, mortal, owner):
    """Of answers that left together none is known to have been read: nobody is told of a death."""
    c, m = connect(), mortal()
    names = [f"x{i}" for i in range(5)]
    m.send_together(*[("lock.acquire", {"name": name, **owner}) for name in names])
    m.answered(5)
    m.kill()
    for name in names:
        assert "abandoned" not in c.call("lock.acquire", name=name, timeout=PATIENCE)


@ends
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("read", [0, 1, 2])
def test_permits(mpd, connect, mortal, owner, end, bounded, read):
    c, m = connect(), mortal()
    c.call("semaphore.create", name="x", value=5, bounded=bounded)
    for i, n in enumerate([2, 3]):
        m.request("semaphore.acquire", name="x", n=n, **owner)
        m.answered(1 if i < read else i - read + 1)
        if i < read:
            m.read_line()
    number = c.request("semaphore.acquire", name="x", n=5)
    waited(mpd, "x", 1)
    end(m)
    assert c.reply(number)["value"] == 0
    c.call("semaphore.release", name="x", n=5)
    assert c.call("semaphore.value", name="x") == {"value": 5}


@pytest.mark.parametrize("read", [False, True])
def test_permit_that_is_not_remembered(connect, mortal, read):
    """Python's semaphore: who had it takes it along, who never read of it did not have it."""
    c, m = connect(), mortal()
    c.call("semaphore.create", name="x", value=2, unowned=True)
    m.request("semaphore.acquire", name="x")
    m.answered()
    if read:
        m.read_line()
    m.kill()
    mortal.gone()
    assert c.call("semaphore.value", name="x") == {"value": 1 if read else 2}


@pytest.mark.parametrize("read", [False, True])
def test_notify(mpd, connect, mortal, read):
    """Who was woken and did not read of it was not woken: the next is."""
    m, b, c = mortal(), connect(), connect()
    m.call("condition.acquire", name="x")
    m.request("condition.wait", name="x")
    until(lambda: info(mpd, "x")["state"]["waiting"] == 1)
    b.call("condition.acquire", name="x")
    number = b.request("condition.wait", name="x", timeout=0.2 * SLOW if read else PATIENCE)
    until(lambda: info(mpd, "x")["state"]["waiting"] == 2)
    c.call("condition.acquire", name="x")
    assert c.call("condition.notify", name="x") == {"notified": 1}
    c.call("condition.release", name="x")
    m.answered()
    if read:
        m.read_line()
    m.kill()
    got = b.reply(number)
    assert got["notified"] is not read
    assert ("abandoned" in got) is read


@pytest.mark.parametrize("read", [False, True])
def test_party(mpd, connect, mortal, read):
    """What is taken from nobody counts at once: a party is one before it knows, and the others hear of its death."""
    c, m = connect(), mortal()
    number = c.request("barrier.wait", name="x", parties=2)
    waited(mpd, "x", 1)
    m.request("barrier.register", name="x")
    m.answered()
    if read:
        m.read_line()
    m.kill()
    wrong = error(c, number)
    assert wrong.data["cause"] == "death" and wrong.data["who"]["pid"] == m.pid


@pytest.mark.parametrize("read", [False, True])
def test_end_of_a_pipe(mpd, connect, mortal, read):
    """The same with an end that is held."""
    c, m = connect(), mortal()
    c.call("pipe.create", name="x")
    number = c.request("pipe.recv", name="x:0")
    waited(mpd, "x", 1)
    m.request("pipe.hold", name="x:1")
    m.answered()
    if read:
        m.read_line()
    m.kill()
    assert error(c, number).symbol == "EOF"


def test_barrier_is_passed(mpd, connect, mortal):
    """All had come: who does not read of it any more breaks nothing."""
    c, m = connect(), mortal()
    m.request("barrier.wait", name="x", parties=2)
    waited(mpd, "x", 1)
    assert c.call("barrier.wait", name="x") == {"index": 1, "generation": 0}
    m.answered()
    m.kill()
    mortal.gone()
    assert c.call("barrier.info", name="x")["broken"] is False


@pytest.mark.parametrize("read", [False, True])
def test_action_goes_nowhere(mpd, connect, mortal, read):
    """Whether or not it knew that it was to act: it will not, and the others are told."""
    c, m = connect(), mortal()
    number = c.request("barrier.wait", name="x", parties=2)
    waited(mpd, "x", 1)
    m.request("barrier.wait", name="x", action=True)
    m.answered()
    if read:
        m.read_line()
    m.kill()
    wrong = error(c, number)
    assert wrong.symbol == "BROKEN" and wrong.data["cause"] == "death"


# --- who is no longer there, and who is ------------------------------------------------------------------------------

@mutexes
def test_heir_owns_nothing(connect, mortal, kind):
    """A child that inherited the connection is not the owner, and does not become it."""
    c, m = connect(), mortal()
    take, give = make(c, kind)
    token = m.call(take, name="x")["token"]
    m.proc.kill()
    got = c.call(take, name="x", timeout=PATIENCE)
    assert got["abandoned"]["pid"] == m.pid and got["abandoned"]["signal"] == "KILL"
    for verb in (take, give):  # its connection is still open: in this test
        assert refused(m, verb, name="x").symbol == "LOST"
    assert refused(m, give, name="x", token=token).symbol in ("LOST", "STALE_TOKEN")
    assert m.call("mpd.ping") is not None


@mutexes
def test_stopped_keeps_what_it_has(mpd, connect, mortal, kind):
    c, m = connect(), mortal()
    take, give = make(c, kind)
    m.call(take, name="x")
    m.proc.send_signal(signal.SIGSTOP)
    until(lambda: stat_of(m.pid).state == "T")
    number = c.request(take, name="x")
    waited(mpd, "x", 1)
    assert refused(c, take, name="x", timeout=0.05, tag="other").symbol == "TIMEOUT"
    m.proc.send_signal(signal.SIGCONT)
    m.call(give, name="x")
    assert "abandoned" not in c.reply(number)


@mutexes
def test_half_closed_has_its_answer(mpd, connect, mortal, kind):
    c, m = connect(), mortal()
    take, give = make(c, kind)
    c.call(take, name="x")
    number = m.request(take, name="x")
    m.sock.shutdown(socket.SHUT_WR)
    waited(mpd, "x", 1)
    c.call(give, name="x")
    assert m.reply(number)["token"]


# --- items ----------------------------------------------------------------------------------------------------------

class Store:
    """Something with the items 1 to 6 in it, in the order in which they come out."""

    def __init__(self, client, shape, take):
        self.client, self.take = client, take
        client.call("queue.create", name="x", **shape)
        for item in self.put_order(shape):
            client.call("queue.put", name="x", item=item, **({"priority": item} if shape.get("priority") else {}))

    @staticmethod
    def put_order(shape):
        return [6, 5, 4, 3, 2, 1] if shape.get("lifo") else [3, 1, 6, 5, 2, 4] if shape.get("priority") else range(1, 7)

    def left(self):
        """What comes out: each item with how often it may have come out before."""
        items = self.client.call("queue.get", name="x", max=100, timeout=0)["items"]
        return [(i["item"], i.get("redelivered", 0)) for i in items]


class Channel(Store):
    def __init__(self, client, shape, take):
        self.client, self.take = client, take
        client.call("pipe.create", name="x")
        for item in range(1, 7):
            client.call("pipe.send", name="x:1", item=item)

    def left(self):
        items = []
        with contextlib.suppress(Exception):
            while True:
                items.append((self.client.call("pipe.recv", name="x:0", timeout=0)["item"], 0))
        return items


GET, MANUAL = ("queue.get", {"name": "x"}), ("queue.get", {"name": "x", "ack": "manual"})
# What is kept, how one is taken, whether what was read comes back (it was claimed, not taken).
STORES = {
    "auto": (Store, {}, GET, False),
    "manual": (Store, {}, MANUAL, True),
    "joinable": (Store, {"joinable": True}, GET, True),
    "simple": (Store, {"simple": True}, GET, False),
    "lifo": (Store, {"lifo": True}, MANUAL, True),
    "priority": (Store, {"priority": True}, GET, False),
    "pipe": (Channel, {}, ("pipe.recv", {"name": "x:0"}), False),
}
stores = pytest.mark.parametrize("kind", STORES)


def stocked(client, kind):
    made, shape, take, comes_back = STORES[kind]
    return made(client, shape, take), comes_back


def taken(m, store, owner):
    m.request(store.take[0], **store.take[1], **owner)


ALL = [(n, 0) for n in range(1, 7)]


@ends
@stores
@pytest.mark.parametrize("read", [0, 1, 2, 3])
def test_items(connect, mortal, kind, owner, end, read):
    """Three gets, each answered by a write of its own, READ of which are read."""
    c, m = connect(), mortal()
    store, comes_back = stocked(c, kind)
    for i in range(3):
        taken(m, store, owner)
        m.answered(1 if i < read else i - read + 1)
        if i < read:
            assert m.read_line()["result"]["item"] == i + 1
    end(m)
    mortal.gone()
    left = store.left()
    assert [item for item, _ in left] == [n for n, _ in ALL[0 if comes_back else read:]]
    again = dict(left)
    if kind != "pipe":
        assert all(again[n] == 1 for n in range(1, read + 1) if comes_back)
        assert read == 3 or again[3] == 0, "nobody can have read the last one"


@stores
@pytest.mark.parametrize("read", [0, 1, 3])
def test_items_in_one_write(connect, mortal, kind, read):
    """They are confirmed or undone together. What may have been read is marked, and all are in their old place."""
    c, m = connect(), mortal()
    store, comes_back = stocked(c, kind)
    m.send_together(*[store.take] * 3)
    m.answered(3)
    for _ in range(read):
        m.read_line()
    m.kill()
    mortal.gone()
    left = store.left()
    if read < 3:
        assert [item for item, _ in left] == [1, 2, 3, 4, 5, 6]
        if kind != "pipe":
            assert dict(left)[3] == 0 and all(dict(left)[n] == 1 for n in range(1, read + 1))
    else:
        assert left == ([(n, 1) for n in (1, 2, 3)] if comes_back else []) + ALL[3:]


@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("kind", ["auto", "manual", "joinable"])
def test_many_in_one_answer(connect, mortal, kind, read):
    c, m = connect(), mortal()
    store, comes_back = stocked(c, kind)
    m.request("queue.get", **store.take[1], max=4)
    m.answered()
    if read:
        assert [i["item"] for i in m.read_line()["result"]["items"]] == [1, 2, 3, 4]
    m.kill()
    mortal.gone()
    if not read:
        assert store.left() == ALL
    else:
        assert store.left() == ([(n, 1) for n in (1, 2, 3, 4)] if comes_back else []) + ALL[4:]


@pytest.mark.parametrize("kind", ["auto", "manual"])
def test_handed_to_the_dead(mpd, connect, mortal, kind):
    """An item comes for one who waits; it never reads of it; it is the next waiter's."""
    c, m, b = connect(), mortal(), connect()
    c.call("queue.create", name="x")
    take, params = STORES[kind][2]
    m.request(take, **params)
    waited(mpd, "x", 1)
    number = b.request(take, **params)
    waited(mpd, "x", 2)
    c.call("queue.put", name="x", item="only")
    m.answered()
    m.kill()
    got = b.reply(number)
    assert got["item"] == "only" and "redelivered" not in got


# What does not fit into the socket: as JSON, as bytes; one that is read to its last byte was taken.
BIG = 1 << 20
SHAPES = {
    "json": ({"item": "j" * BIG}, {}),
    "raw": ({"item": {"b64": base64.b64encode(bytes(range(256)) * (BIG >> 8)).decode()}}, {"want": "raw"}),
}


@pytest.mark.parametrize("read", ["nothing", "some", "all but one", "all"])
@pytest.mark.parametrize("take", [("queue.put", "x", "queue.get", "x"), ("pipe.send", "x:1", "pipe.recv", "x:0")],
                         ids=["queue", "pipe"])
@pytest.mark.parametrize("shape", SHAPES)
def test_more_than_the_socket_holds(mpd, connect, mortal, shape, take, read):
    """Part of it is written, part is still the daemon's: it is back whole, byte for byte, unless all was read."""
    c, m = connect(), mortal()
    put, into, get, out = take
    c.call("queue.create" if put == "queue.put" else "pipe.create", name="x")
    item, want = SHAPES[shape]
    c.call(put, name=into, **item)
    m.request(get, name=out, **want)
    until(lambda: m.unread() > 100_000)
    if read == "some":
        m.read_bytes(50_000)
    elif read != "nothing":
        m.read_answer(leave=read == "all but one")
    m.kill()
    mortal.gone()
    if read == "all":
        assert refused(c, get, name=out, timeout=0).symbol in ("EMPTY", "WOULD_BLOCK")
    else:
        assert c.call(get, name=out, timeout=0)["item"] == item["item"]


@pytest.mark.parametrize("read", [0, 1, 2])
@pytest.mark.parametrize("want", ["json", "raw"])
def test_many_that_do_not_fit(connect, mortal, want, read):
    """Some are written whole, one in part, others not at all: none is lost, and of those that may have been read none
    comes again as if for the first time."""
    c, m = connect(), mortal()
    c.call("queue.create", name="x")
    items = [str(n) * 150_000 for n in range(6)]
    for item in items:
        c.call("queue.put", name="x", item=item)
    m.send_together(*[("queue.get", {"name": "x", "want": want})] * 5)
    until(lambda: m.unread() > 150_000)
    for _ in range(read):
        m.read_answer()
    m.kill()
    mortal.gone()
    left = c.call("queue.get", name="x", max=100, timeout=0)["items"]
    back = items.index(left[0]["item"])
    assert [i["item"] for i in left] == items[back:] and back <= read
    assert [i.get("redelivered", 0) for i in left][:read - back] == [1] * (read - back)
    assert "redelivered" not in left[-1] and "redelivered" not in left[-2]


@stores
def test_read_by_an_heir(mpd, connect, mortal, kind):
    """The owner has ended; who inherited its connection owns nothing, but reads: what is undone says that it may have
    been read."""
    c, m = connect(), mortal()
    store, _ = stocked(c, kind)
    taken(m, store, {"owner": "process"})
    m.answered()
    m.proc.kill()
    until(lambda: info(mpd, "x")["holds"] == [])
    m.read_line()
    m.close()
    mortal.gone()
    left = store.left()
    assert left in ([(1, 1)] + ALL[1:], ALL[1:]) or kind == "pipe" and left in (ALL, ALL[1:])
