# SPDX-License-Identifier: MIT
"""
The line itself: what docs/protocol.md, "The line", promises, point by point, from a raw socket.

Nothing here looks at what a method does beyond what tells whether it was executed.
"""
import contextlib
import json
import os
import pathlib
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness import BUILD, Connection, ConnectionLost, RpcError, SLOW, alive, open_fds, readable, spawn, until

MIB = 1 << 20
LINE_MAX = 16 * MIB
INVALID, PARSE, METHOD, PARAMS, CANCELLED = -32600, -32700, -32601, -32602, -32800

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users and others' limits")


@pytest.fixture
def conn(mpd):
    with mpd.connect() as connection:
        yield connection


@pytest.fixture
def nap(mpd):
    """The name of a process that outlives the test's waits."""
    return mpd.begin("sleep", "600", name="nap")["name"]


def ask(conn, line):
    conn.send_line(line)
    return conn.recv()


def ping(conn, number=4711):
    """The connection lives, and nothing else was sent on it before."""
    assert ask(conn, {"id": number, "method": "mpd.ping"}) == {"jsonrpc": "2.0", "id": number, "result": "pong"}


def closed(conn):
    """The daemon closes the connection, and says nothing before."""
    with pytest.raises(ConnectionLost):
        line = conn.recv_raw_line()
        raise AssertionError(f"not closed, but said {line[:200]!r}")
    return True


def code(reply):
    assert set(reply) == {"jsonrpc", "id", "error"}, reply
    assert reply["jsonrpc"] == "2.0" and reply["error"]["data"]["symbol"], reply
    return reply["error"]["code"]


def symbol(reply):
    assert code(reply)
    return reply["error"]["data"]["symbol"]


def join(number, **params):
    return {"id": number, "method": "process.join", "params": {"targets": ["nap"], **params}}


def connections(mpd):
    """How many there are beside the one that asks."""
    return mpd.rpc("mpd.stats")["connections"] - 1


# --- 1: ids ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["0", "-1", "9007199254740991", "-9007199254740991", '""', '"x"', r'"\u00e9\n\\"', '"é"'])
def test_an_id_comes_back_as_it_was_written(conn, text):
    conn.send_line('{"id": %s ,"method":"mpd.ping"}' % text)
    assert conn.recv_raw_line().decode() == '{"jsonrpc":"2.0","id":%s,"result":"pong"}' % text


@pytest.mark.parametrize("text", ["null", "true", "1.5", "1.0", "1e3", "9007199254740992", "-9007199254740992", "[]", "{}",
                                  "1" * 30, '"' + "x" * 200 + '"'])
def test_what_is_no_id_is_refused_with_null(conn, text):
    reply = ask(conn, '{"id":%s,"method":"mpd.ping"}' % text)
    assert (reply["id"], code(reply)) == (None, INVALID)
    ping(conn)


def test_replies_come_in_the_order_in_which_requests_finish(conn, nap):
    conn.send_line(join(1, timeout=0.4 * SLOW))
    conn.send_line(join(2, timeout=0.1 * SLOW))
    conn.send_line({"id": 3, "method": "mpd.ping"})
    assert [conn.recv()["id"] for _ in range(3)] == [3, 2, 1]


def test_a_join_that_waits_holds_up_nobody(mpd, conn, nap):
    conn.send_line(join(1))
    ping(conn)
    with mpd.connect() as other:
        ping(other)
    mpd.rpc("process.kill", targets=["nap"])
    assert conn.recv()["result"]["done"] is True


def test_an_id_may_not_be_in_use(conn, nap):
    conn.send_line(join(1, timeout=0.3 * SLOW))
    assert code(ask(conn, {"id": 1, "method": "mpd.ping"})) == INVALID
    assert conn.recv()["result"]["done"] is False
    ping(conn, 1)  # free again


def test_ids_of_other_connections_do_not_count(mpd, conn, nap):
    conn.send_line(join(1))
    with mpd.connect() as other:
        ping(other, 1)


def test_without_id_executed_and_not_answered(mpd, conn):
    conn.send_line({"method": "process.start", "params": {"argv": ["sleep", "600"], "name": "quiet"}})
    ping(conn)
    until(lambda: mpd.rpc("process.list", targets=["quiet*"])["processes"])


@pytest.mark.parametrize("method, params", [("mpd.nothing", {}), ("mpd.ping", {"wrong": 1}),
                                            ("process.join", {"targets": ["nobody"]})])
def test_without_id_errors_are_not_answered_either(conn, method, params):
    conn.send_line({"method": method, "params": params})
    ping(conn)


# --- the request ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [
    "3", "null", '"mpd.ping"', "{}", '{"id":1}', '{"id":1,"method":3}', '{"id":1,"method":null}', '{"method":["mpd.ping"]}',
    '{"jsonrpc":"1.0","id":1,"method":"mpd.ping"}', '{"jsonrpc":2.0,"id":1,"method":"mpd.ping"}',
    '{"id":1,"method":"mpd.ping","parms":{}}', '{"id":1,"Method":"mpd.ping"}', '{"id":1,"method":"mpd.ping","raw":-1}', '{"id":1,"method":"mpd.ping","raw":"3"}', '{"id":1,"method":"mpd.ping","raw":1.5}',
    '{"id":1,"method":"mpd.ping","fds":-1}', '{"id":1,"method":"mpd.ping","fds":"1"}', '{"id":1,"method":"mpd.ping","fds":1}',
])
def test_what_is_no_request(conn, line):
    reply = ask(conn, line)
    assert code(reply) == INVALID
    assert reply["id"] == (1 if '"id":1' in line else None)
    ping(conn)


def test_jsonrpc_may_be_there_or_not(conn):
    assert ask(conn, '{"jsonrpc":"2.0","id":1,"method":"mpd.ping"}') == {"jsonrpc": "2.0", "id": 1, "result": "pong"}
    assert ask(conn, ' {"method":"mpd.ping","id":1}\r') == {"jsonrpc": "2.0", "id": 1, "result": "pong"}
    assert ask(conn, r'{"method":"mpd\u002eping","id":1}') == {"jsonrpc": "2.0", "id": 1, "result": "pong"}


@pytest.mark.parametrize("line, expected, hint", [
    ('{"id":1,"method":"mpd.pong"}', METHOD, "mpd.ping"),
    ('{"id":1,"method":"Process.Start"}', METHOD, "process.start"),
    ('{"id":1,"method":"process.join","params":{"target":["x"]}}', PARAMS, "targets"),
    ('{"id":1,"method":"process.join","params":{"targets":["x"],"Timeout":1}}', PARAMS, "timeout"),
    ('{"id":1,"metod":"mpd.ping"}', INVALID, "method"),
    ('{"id":1,"method":"mpd.subscribe","params":{"topics":["proces"]}}', PARAMS, "process"),
])
def test_did_you_mean(conn, line, expected, hint):
    reply = ask(conn, line)
    assert code(reply) == expected
    assert "did you mean" in reply["error"]["message"] and hint in reply["error"]["message"]


@pytest.mark.parametrize("params", ["[]", "null", "3", '"x"', '["nap"]'])
def test_params_are_an_object(conn, params):
    assert code(ask(conn, '{"id":1,"method":"mpd.ping","params":%s}' % params)) == PARAMS


# --- 2, 3: the line and its JSON --------------------------------------------------------------------------------------

BAD_JSON = [
    b"", b" ", b"{", b"}", b"nul", b"{'id':1}", b'{"id":1,}', b'{"id":1 "method":"mpd.ping"}', b'{"id":01,"method":"mpd.ping"}',
    b'{"id":1,"method":"mpd.ping"}{}', b'{"id":1,"method":"mpd.ping"} x', b'{"id":1,"id":1,"method":"mpd.ping"}',
    b'{"id":1,"method":"mpd.ping","params":{"a":1,"\\u0061":2}}', b'{"id":1,"method":"mpd.\xff"}', b'"\xed\xa0\x80"',
    b'"\xc0\xaf"', b'"\\ud800"', b'"\\x"', b'"a\tb"', b"\xef\xbb\xbf{}", b"[" * 33 + b"]" * 33, b"NaN", b"+1", b".5", b"1.",
    b'{"id":1,"method":"mpd.ping"}\0',
]


@pytest.mark.parametrize("line", BAD_JSON)
def test_strict_json(conn, line):
    reply = ask(conn, line + b"\n")
    assert (reply["id"], code(reply)) == (None, PARSE)
    ping(conn)


def test_depth_32_is_json(conn):
    assert [code(r) for r in ask(conn, b"[" * 32 + b"]" * 32)] == [INVALID]


def test_ten_bad_lines_in_a_row_close(conn):
    conn.send_line(b"{\n" * 12)
    for _ in range(10):
        assert code(conn.recv()) == PARSE
    assert closed(conn)


def test_a_good_line_between_bad_ones(conn):
    for _ in range(5):
        for _ in range(9):
            assert code(ask(conn, "{")) == PARSE
        ping(conn)


def test_a_line_of_exactly_the_limit(conn):
    head, tail = b'{"id":1,"method":"mpd.ping"', b"}"
    writer = threading.Thread(target=conn.send_line, args=(head + b" " * (LINE_MAX - len(head) - len(tail)) + tail,))
    writer.start()
    assert conn.recv()["result"] == "pong"
    writer.join()


@pytest.mark.parametrize("size", [LINE_MAX + 1, 17 * MIB])
def test_a_longer_line_is_skipped_and_the_connection_lives(mpd, conn, size):
    pid = mpd.engine_pid()
    before = rss(pid)

    def write():
        conn.send_line(b"x" * size)
        conn.send_line({"id": 1, "method": "mpd.ping"})

    writer = threading.Thread(target=write)
    writer.start()
    reply = conn.recv()
    assert (reply["id"], symbol(reply)) == (None, "TOO_LARGE")
    assert conn.recv() == {"jsonrpc": "2.0", "id": 1, "result": "pong"}
    writer.join()
    if "asan" not in BUILD.name:
        assert rss(pid) < before + 4 * MIB  # its memory went back


def rss(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what + ":"))


def test_a_line_in_pieces(conn):
    for byte in b'{"id":1,"method":"mpd.ping"}\n':
        conn.sock.sendall(bytes([byte]))
    assert conn.recv()["result"] == "pong"


def test_a_part_line_at_the_end_is_not_executed(mpd, conn):
    start = json.dumps({"id": 1, "method": "process.start", "params": {"argv": ["sleep", "600"], "name": "part"}})
    conn.sock.sendall(start.encode())
    conn.sock.shutdown(socket.SHUT_WR)
    assert closed(conn)
    assert mpd.rpc("process.list", targets=["part*"])["processes"] == []


def test_any_bytes(mpd):
    """An error or a closed connection; and the daemon serves as before."""
    rng = random.Random(8)
    seeds = [b'{"id":1,"method":"process.list","params":{}}\n', b'[{"id":1,"method":"mpd.ping"}]\n', b'{"id":"a\\u00e9"}\n',
             b'{"jsonrpc":"2.0","id":1,"method":"process.join","params":{"targets":["x"],"timeout":0}}\n']
    engine = mpd.engine_pid()
    for _ in range(60):
        with mpd.connect() as conn:
            for _ in range(20):
                data = bytearray(rng.choice(seeds) if rng.random() < 0.8 else rng.randbytes(rng.randrange(400)))
                for _ in range(rng.randrange(4)):
                    data[rng.randrange(len(data) or 1):1] = rng.randbytes(rng.randrange(3))
                try:
                    conn.sock.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    break
            try:
                conn.sock.shutdown(socket.SHUT_WR)
                while True:
                    reply = conn.recv()
                    for each in reply if isinstance(reply, list) else [reply]:
                        assert each["jsonrpc"] == "2.0" and ("result" in each) != ("error" in each)
            except (ConnectionLost, OSError):
                pass
    assert mpd.engine_pid() == engine


# --- 4: batches -----------------------------------------------------------------------------------------------------

def test_a_batch_is_answered_by_one_line(conn):
    batch = [{"id": n, "method": "mpd.ping"} for n in range(5)] + [{"method": "mpd.ping"}, {"id": "w", "method": "mpd.whoami"}]
    replies = {r["id"]: r for r in ask(conn, batch)}
    assert sorted(replies, key=str) == [0, 1, 2, 3, 4, "w"]
    assert all(replies[n]["result"] == "pong" for n in range(5))
    assert replies["w"]["result"]["uid"] == os.geteuid()


def test_each_in_a_batch_succeeds_or_fails_alone(conn):
    replies = ask(conn, [{"id": 1, "method": "mpd.ping"}, 3, {"id": 2, "method": "no"}, [], {"id": 3, "method": "mpd.ping"}])
    assert [r["id"] for r in replies] == [1, None, 2, None, 3]
    assert [r["error"]["code"] if "error" in r else 0 for r in replies] == [0, INVALID, METHOD, INVALID, 0]


def test_nothing_in_a_batch_may_wait(mpd, conn, nap):
    replies = ask(conn, [join(1, timeout=0), {"id": 2, "method": "process.start", "params": {"argv": ["true"], "name": "no"}},
                         {"id": 3, "method": "mpd.ping"}])
    assert [code(r) for r in replies[:2]] == [INVALID] * 2 and replies[2]["result"] == "pong"
    assert mpd.rpc("process.list", targets=["no*"])["processes"] == []


def test_a_batch_of_notifications_is_not_answered(conn):
    conn.send_line([{"method": "mpd.ping"}, {"method": "no"}])
    ping(conn)


def test_sizes_of_a_batch(conn):
    assert len(ask(conn, [{"id": n, "method": "mpd.ping"} for n in range(1000)])) == 1000
    for wrong in [], [{"id": n, "method": "mpd.ping"} for n in range(1001)]:
        reply = ask(conn, wrong)
        assert (reply["id"], code(reply)) == (None, INVALID)
    ping(conn)


# --- 5: in flight, and clients that do not read ---------------------------------------------------------------------

def test_1024_in_flight(conn, nap):
    for n in range(1024):
        conn.send_line(join(n))
    assert symbol(ask(conn, join(1024))) == "OVERLOADED"
    conn.send_line({"id": "c", "method": "cancel", "params": {"id": 7}})
    replies = {r["id"]: r for r in (conn.recv(), conn.recv())}
    assert code(replies[7]) == CANCELLED and replies["c"]["result"] == {"cancelled": True}
    conn.send_line(join("again", timeout=0))
    assert conn.recv()["result"]["done"] is False


def fill(conn):
    """Asks for long answers and reads none, until the daemon reads no more."""
    line = b'{"id":1,"method":"mpd.describe"}\n' * 100
    conn.sock.setblocking(False)
    quiet = 0
    while quiet < 5:
        if select.select([], [conn.sock], [], 0.1)[1]:
            try:
                conn.sock.send(line)
                quiet = 0
                continue
            except BlockingIOError:
                pass
        quiet += 1
        time.sleep(0.02)
    conn.sock.setblocking(True)


def test_who_never_reads_is_not_read_from_and_then_closed(mpd, conn):
    pid = mpd.engine_pid()
    before = rss(pid)
    fill(conn)
    if "asan" not in BUILD.name:
        assert rss(pid) < before + 8 * MIB
    with mpd.connect() as other:
        ping(other)
    hung_up = select.poll()
    hung_up.register(conn.sock, 0)
    assert hung_up.poll(15000 * SLOW), "10 s without progress close"
    assert connections(mpd) == 0


def test_who_reads_late_gets_everything(conn):
    asked = 400
    writer = threading.Thread(target=lambda: [conn.send_line({"id": n, "method": "mpd.describe"}) for n in range(asked)])
    writer.start()
    time.sleep(0.3)
    assert [conn.recv()["id"] for _ in range(asked)] == list(range(asked))
    writer.join()


def test_a_flood_holds_up_nobody(mpd):
    """Pings of others while one client sends as fast as it can and another never reads."""
    stop = threading.Event()
    block = b'{"id":1,"method":"mpd.ping"}\n' * 1000

    def read_all(flooder):
        while flooder.sock.recv(MIB):
            pass

    def flood(flooder):
        reader = threading.Thread(target=read_all, args=(flooder,))
        reader.start()
        while not stop.is_set():
            flooder.sock.sendall(block)
        flooder.sock.shutdown(socket.SHUT_WR)
        reader.join()

    with mpd.connect() as flooder, mpd.connect() as idle, mpd.connect() as conn:
        fill(idle)
        writer = threading.Thread(target=flood, args=(flooder,))
        writer.start()
        times = []
        for _ in range(200):
            begin = time.monotonic()
            ping(conn)
            times.append(time.monotonic() - begin)
        stop.set()
        writer.join()
    assert sorted(times)[190] < 0.05 * SLOW


def test_half_frames_and_idle_connections_cost_nothing(mpd):
    crowd = [mpd.connect() for _ in range(500)]
    for each in crowd:
        each.sock.sendall(b'{"id":1,"meth')
    assert connections(mpd) == 500
    pid = mpd.engine_pid()
    before = cpu(pid)
    time.sleep(1)
    assert cpu(pid) - before < 0.05 * SLOW
    for each in crowd:
        each.close()
    until(lambda: connections(mpd) == 0)


def cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@as_root
def test_out_of_descriptors(mpd):
    """A polite refusal, no spin, and all is well again when there are some."""
    pid = mpd.engine_pid()
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(open_fds(pid)) + 1 + 20, hard))
    crowd = []
    while True:
        crowd.append(mpd.connect())
        with contextlib.suppress(ConnectionLost):  # refused and closed already
            crowd[-1].send_line({"id": 1, "method": "mpd.ping"})
        reply = crowd[-1].recv()
        if "error" in reply:
            break
        assert len(crowd) < 100
    assert (reply["id"], symbol(reply)) == (None, "OVERLOADED")
    with pytest.raises(ConnectionLost):
        crowd[-1].recv()
    before = cpu(pid)
    waiting = [mpd.connect() for _ in range(5)]
    time.sleep(1)
    assert cpu(pid) - before < 0.05 * SLOW
    for each in crowd + waiting:
        each.close()

    def recovered():
        with contextlib.suppress(ConnectionLost):
            return connections(mpd) == 0

    until(recovered)


# --- 6: descriptors -------------------------------------------------------------------------------------------------

def start_to(n, name):
    """Writes its name into the descriptor that comes along."""
    return {"id": n, "method": "process.start", "fds": 1,
            "params": {"argv": ["echo", name], "name": name, "stdout": "fd"}}


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_descriptors_belong_to_their_line(conn):
    """Also when many lines are under way, and some do not claim what they bring."""
    pipes = [os.pipe() for _ in range(8)]
    for n, (_, end) in enumerate(pipes):
        conn.send_fds({"id": f"x{n}", "method": "mpd.ping"}, [0, 0])
        conn.send_fds(start_to(n, f"to-{n}"), [end])
        os.close(end)
    for _ in range(16):
        assert "result" in conn.recv()
    for n, (end, _) in enumerate(pipes):
        with open(end) as output:
            assert output.read() == f"to-{n}\n"


def test_descriptors_of_a_line_in_pieces(conn, pipe):
    line = conn.line(start_to(1, "pieces"))
    conn.send_line({"id": 0, "method": "mpd.ping"})
    socket.send_fds(conn.sock, [line[:5]], [pipe[1]])
    assert conn.recv()["id"] == 0
    conn.sock.sendall(line[5:40])
    time.sleep(0.05)
    conn.sock.sendall(line[40:])
    assert "result" in conn.recv()
    assert readable(pipe[0]) and os.read(pipe[0], 100) == b"pieces\n"


def test_unclaimed_descriptors_are_closed(mpd, conn):
    pid = mpd.engine_pid()
    ping(conn)
    before = len(open_fds(pid))
    for n in range(50):
        conn.send_fds({"id": n, "method": "mpd.ping"}, [0, 1, 2])
        assert conn.recv()["result"] == "pong"
    conn.send_fds({"id": 1, "method": "no.such", "fds": 2}, [0, 1, 2])
    assert code(conn.recv()) == METHOD
    conn.send_fds("{", [0, 1])
    assert code(conn.recv()) == PARSE
    assert len(open_fds(pid)) == before


def test_more_claimed_than_came(conn):
    conn.send_fds({"id": 1, "method": "process.start", "fds": 2, "params": {"argv": ["true"]}}, [0])
    assert code(conn.recv()) == INVALID
    ping(conn)


def test_a_flood_of_descriptors_is_refused(mpd):
    pid = mpd.engine_pid()
    before = len(open_fds(pid))
    with mpd.connect() as conn:
        socket.send_fds(conn.sock, [b'{"id":1,"method":"mpd.ping"}\n'], [0] * 17)
        assert symbol(conn.recv()) == "OVERLOADED"
        assert closed(conn)
    with mpd.connect() as conn:
        with pytest.raises(BrokenPipeError):
            for _ in range(100):
                socket.send_fds(conn.sock, [b" "], [0] * 4)  # a line that never ends
                time.sleep(0.001)
    until(lambda: len(open_fds(pid)) <= before)


class Taker:
    """Reads replies with the descriptors that come with them: those of a line are the next of all that came."""

    def __init__(self, conn):
        self.conn, self.fds, self.buffer = conn, [], b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.drop(self.fds)

    @staticmethod
    def drop(fds):
        while fds:
            os.close(fds.pop())

    def more(self, size=1 << 16):
        data, fds, flags, _ = socket.recv_fds(self.conn.sock, size, 64)
        assert not flags & socket.MSG_CTRUNC
        if not data:
            raise ConnectionLost
        self.buffer += data
        self.fds += fds

    def bytes(self, n):
        """The next N, raw ones."""
        while len(self.buffer) < n:
            self.more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def recv(self, size=1 << 16):
        """The next reply, and its descriptors."""
        while b"\n" not in self.buffer:
            self.more(size)
        line, _, self.buffer = self.buffer.partition(b"\n")
        reply = json.loads(line)
        result = reply.get("result")
        n = result.get("fds", 0) if isinstance(result, dict) else 0
        assert len(self.fds) >= n, "descriptors come no later than the first byte of their line"
        fds, self.fds = self.fds[:n], self.fds[n:]
        return reply, fds

    def ask(self, line):
        self.conn.send_line(line)
        return self.recv()


def status(n, *targets):
    return {"id": n, "method": "process.status", "params": {"targets": targets, "pidfd": True}}


def pid_of_pidfd(fd):
    with open(f"/proc/self/fdinfo/{fd}") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


@pytest.fixture
def taker(conn):
    with Taker(conn) as taker:
        yield taker


def test_a_pidfd_fires_at_the_exit(mpd, taker, nap):
    reply, fds = taker.ask(status(1, nap))
    [process] = reply["result"]["processes"]
    assert reply["result"]["fds"] == len(fds) == 1 and process["pidfd"] == 0
    assert pid_of_pidfd(fds[0]) == process["pid"]
    assert not readable(*fds, timeout=0)
    mpd.rpc("process.kill", targets=[nap])
    assert readable(*fds) == fds
    reply, none = taker.ask(status(2, nap))
    assert reply["result"]["fds"] == 0 and reply["result"]["processes"][0]["pidfd"] is None and not none
    taker.drop(fds)


def test_pidfds_are_those_of_the_living_in_order(mpd):
    pids = {}
    for n in range(6):
        pids[f"p{n}"] = mpd.begin("sleep", "600", name=f"p{n}")["pid"]
    mpd.kill_engine()  # an engine that did not start them hands out theirs as well
    mpd.rpc("process.kill", targets=["p1", "p4"])
    with mpd.connect() as conn, Taker(conn) as taker:
        reply, fds = taker.ask(status(1, *pids))
    processes = reply["result"]["processes"]
    assert [p["pidfd"] for p in processes] == [0, None, 1, 2, None, 3]
    for p in processes:
        assert p["pidfd"] is None or pid_of_pidfd(fds[p["pidfd"]]) == p["pid"] == pids[p["name"]]
    taker.drop(fds)


@as_root
def test_a_pidfd_is_never_that_of_who_got_the_pid(mpd, taker):
    """The engine is asked for one whose end it has not read of yet, behind many others' ends."""
    others = mpd.rpc("process.start", argv=["sleep", "600"], name="other", processes=600)["processes"]
    pid, engine = mpd.begin("sleep", "600", name="late")["pid"], mpd.engine_pid()
    os.kill(engine, signal.SIGSTOP)
    try:
        taker.conn.send_line(status(1, "late"))
        for ends in [*(other["pid"] for other in others), pid]:
            os.kill(ends, signal.SIGKILL)
        until(lambda: not os.path.exists(f"/proc/{pid}"))
        try:
            pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        except OSError as error:
            pytest.skip(f"ns_last_pid: {error}")
        stranger = spawn(["sleep", "600"])
    finally:
        os.kill(engine, signal.SIGCONT)
    try:
        reply, fds = taker.recv()
        assert reply["result"]["processes"][0]["pidfd"] is None and not fds
    finally:
        stranger.kill()
        stranger.wait()
    if stranger.pid != pid or not reply["result"]["processes"][0]["alive"]:
        pytest.skip("the pid went to another, or the engine had heard of the end")


def test_pidfds_of_too_many_and_in_a_batch(mpd, taker):
    pid = mpd.engine_pid()
    mpd.rpc("process.start", argv=["sleep", "600"], name="many", processes=17)
    before = len(open_fds(pid))
    reply, fds = taker.ask(status(1, "many.*"))
    assert code(reply) == PARAMS and not fds
    reply, fds = taker.ask(status(2, *(f"many.{n}" for n in range(1, 17))))
    assert reply["result"]["fds"] == len(fds) == 16
    taker.drop(fds)
    [reply] = ask(taker.conn, [status(3, "many.1")])
    assert code(reply) == PARAMS
    until(lambda: len(open_fds(pid)) <= before)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_pipelined_replies_keep_order_with_descriptors_in_their_midst(mpd, taker, size):
    """Also when many more are asked for at once than a connection may have under way."""
    for n in range(3):
        mpd.begin("sleep", "600", name=f"p{n}")
    asked = 30 if size == 1 else 300
    pids = {p["name"]: p["pid"] for p in mpd.rpc("process.list")["processes"]}
    lines = [status(n, *[f"p{k}" for k in range(n % 4)]) if n % 4 else {"id": n, "method": "mpd.ping"}
             for n in range(asked)]
    writer = threading.Thread(target=lambda: [taker.conn.send_line(line) for line in lines])
    writer.start()
    for n in range(asked):
        reply, fds = taker.recv(size)
        assert reply["id"] == n and len(fds) == n % 4
        for p in reply["result"]["processes"] if n % 4 else ():
            assert pid_of_pidfd(fds[p["pidfd"]]) == p["pid"] == pids[p["name"]]
        taker.drop(fds)
    writer.join()
    assert not taker.fds


def test_a_client_that_never_reads_its_descriptors(mpd, nap):
    pid = mpd.engine_pid()
    before = len(open_fds(pid))
    with mpd.connect() as conn:
        conn.sock.setblocking(False)
        line = conn.line(status(1, nap)) * 100
        with contextlib.suppress(BlockingIOError):
            while True:
                conn.sock.send(line)
                time.sleep(0.01)
        with mpd.connect() as other:
            ping(other)
        assert before < len(open_fds(pid)) <= before + 70
    until(lambda: len(open_fds(pid)) <= before)


def test_descriptors_that_a_plain_read_drops(mpd, conn, nap):
    pid = mpd.engine_pid()
    ping(conn)
    before = len(open_fds(pid))
    for n in range(200):
        assert ask(conn, status(n, nap))["result"]["fds"] == 1
    conn.send_line(status("x", nap))
    conn.send_line({key: value for key, value in status(0, nap).items() if key != "id"})  # answered to nobody
    assert conn.recv()["id"] == "x"
    ping(conn)
    until(lambda: len(open_fds(pid)) <= before)


# --- 7: sessions ----------------------------------------------------------------------------------------------------

def test_a_request_sent_again_in_its_session_is_not_done_twice(mpd):
    start = {"id": "once", "method": "process.start", "params": {"argv": ["sleep", "600"], "name": "one"}}
    with mpd.connect() as conn:
        session = conn.hello()
        first = ask(conn, start)
        assert "result" in first
        assert ask(conn, start) == first
    with mpd.connect() as conn:
        conn.hello(session)
        conn.send_line(start)
        assert json.loads(conn.recv_raw_line()) == first
    assert len(mpd.rpc("process.list", targets=["one*"])["processes"]) == 1


def test_an_answer_outlives_the_engine(mpd):
    start = {"id": 99, "method": "process.start", "params": {"argv": ["sleep", "600"], "name": "one"}}
    with mpd.connect() as conn:
        session = conn.hello()
        first = ask(conn, start)
    mpd.kill_engine()
    with mpd.connect() as conn:
        conn.hello(session)
        assert ask(conn, start) == first


def test_sessions_do_not_mix(mpd):
    started = set()
    for name in "a", "b":
        with mpd.connect() as conn:
            conn.hello()
            started.add(ask(conn, {"id": 5, "method": "process.start", "params": {"argv": ["true"], "name": name}})["result"]["id"])
    with mpd.connect() as conn:  # none at all
        for name in "c", "d":
            started.add(ask(conn, {"id": 5, "method": "process.start", "params": {"argv": ["true"], "name": name}})["result"]["id"])
    assert len(started) == 4


@pytest.mark.parametrize("session", ["", "12", "0" * 31, "0" * 33, "g" * 32, "0" * 31 + "\u0010"])
def test_what_is_no_session(conn, session):
    with pytest.raises(RpcError) as error:
        conn.call("mpd.hello", session=session)
    assert error.value.code == PARAMS


# --- 8: cancel, and the two ways to close ---------------------------------------------------------------------------

def test_cancel_answers_both(conn, nap):
    conn.send_line(join("j"))
    conn.send_line({"id": "c", "method": "cancel", "params": {"id": "j"}})
    replies = {r["id"]: r for r in (conn.recv(), conn.recv())}
    assert code(replies["j"]) == CANCELLED and symbol(replies["j"]) == "CANCELLED"
    assert replies["c"]["result"] == {"cancelled": True}
    ping(conn, "j")


def test_cancel_of_nothing(mpd, conn, nap):
    with mpd.connect() as other:
        other.send_line(join(1))
        for number in 1, "1", "c":  # another's, none, itself
            assert ask(conn, {"id": "c", "method": "cancel", "params": {"id": number}})["result"] == {"cancelled": False}
        ping(other)


def test_cancel_of_a_wait_that_cannot_end_at_once(mpd, conn):
    conn.call("condition.acquire", name="c")
    conn.send_line({"id": "w", "method": "condition.wait", "params": {"name": "c"}})
    with mpd.connect() as other:
        other.call("condition.acquire", name="c")
        for _ in range(2):
            assert ask(conn, {"id": "c", "method": "cancel", "params": {"id": "w"}})["result"] == {"cancelled": True}
        assert code(ask(conn, {"id": "w", "method": "mpd.ping"})) == INVALID  # still in flight
        other.call("condition.release", name="c")
        assert code(conn.recv()) == CANCELLED
    conn.call("condition.release", name="c")  # it has it again
    ping(conn, "w")


def test_a_half_close_waits_for_the_answers(conn, nap):
    conn.send_line(join(1, timeout=0.3 * SLOW))
    conn.send_line({"id": 2, "method": "mpd.ping"})
    conn.sock.shutdown(socket.SHUT_WR)
    assert conn.recv()["id"] == 2
    reply = conn.recv()
    assert reply["id"] == 1 and reply["result"]["done"] is False
    assert closed(conn)


def test_socat_gets_its_answer(mpd, nap):
    line = json.dumps(join(1, timeout=0.3)) + "\n"
    done = subprocess.run(["socat", "-t", "20", "-", f"UNIX:{mpd.socket}"], input=line, capture_output=True, text=True,
                          timeout=30 * SLOW)
    assert json.loads(done.stdout)["result"]["done"] is False


def test_a_half_closed_connection_does_not_spin(mpd, conn, nap):
    conn.send_line(join(1))
    conn.sock.shutdown(socket.SHUT_WR)
    pid = mpd.engine_pid()
    before = cpu(pid)
    time.sleep(1)
    assert cpu(pid) - before < 0.05 * SLOW
    assert connections(mpd) == 1


@pytest.mark.parametrize("half_first", [False, True])
def test_a_full_close_cancels(mpd, nap, half_first):
    conn = mpd.connect()
    conn.send_line(join(1))
    ping(conn)
    if half_first:
        conn.sock.shutdown(socket.SHUT_WR)
    assert connections(mpd) == 1
    conn.close()
    until(lambda: connections(mpd) == 0)
    assert alive(mpd.process("nap")["pid"])


def test_what_was_sent_before_a_full_close_is_executed(mpd):
    with mpd.connect() as conn:
        conn.send_line({"id": 1, "method": "process.start", "params": {"argv": ["sleep", "600"], "name": "sent"}})
    until(lambda: mpd.rpc("process.list", targets=["sent*"])["processes"])


def test_mpd_close(conn):
    conn.send_line('{"id":1,"method":"mpd.close"}\n{"id":2,"method":"mpd.ping"}')
    assert conn.recv() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert closed(conn)


@pytest.mark.parametrize("how", ["close", "half", "sends more"])
@pytest.mark.parametrize("reads", [True, False])
def test_the_daemon_knows_whether_a_client_has_read_its_answer(mpd, conn, how, reads):
    mpd.rpc("mpd.log_level", level="debug")
    conn.send_line({"id": 1, "method": "mpd.describe"})
    assert readable(conn.sock.fileno())
    if how == "half":
        conn.sock.shutdown(socket.SHUT_WR)
        mpd.rpc("mpd.ping")  # the daemon has seen it
    if reads:
        assert conn.recv()["id"] == 1
    if how == "sends more":
        conn.send_line("[]")
        assert not reads or "error" in conn.recv()
    conn.close()
    said = f"connection 1 of pid {os.getpid()} ended, "
    assert until(lambda: mpd.log().partition(said)[2]).startswith("all read" if reads else "something unread")


def test_a_client_that_reads_nothing_after_a_half_close_is_waited_for_and_then_closed(mpd, conn):
    conn.send_line('{"id":1,"method":"mpd.ping"}\n{"id":2,"method":"mpd.close"}')
    conn.sock.shutdown(socket.SHUT_WR)
    assert readable(conn.sock.fileno())
    assert connections(mpd) == 1
    pid = mpd.engine_pid()
    before = cpu(pid)
    until(lambda: connections(mpd) == 0, 15 * SLOW)
    assert cpu(pid) - before < 0.5 * SLOW
    assert [conn.recv()["id"] for _ in range(2)] == [1, 2]
    assert closed(conn)


# --- 9: raw bytes ---------------------------------------------------------------------------------------------------

ANY_BYTES = bytes(range(256)) + b'\n{"id":"inside","method":"mpd.ping"}\n'


def put(number, data, **more):
    return Connection.line({"id": number, "method": "queue.put", "params": {"name": "q"}, "raw": len(data), **more}) + data


def get(number, **params):
    return {"id": number, "method": "queue.get", "params": {"name": "q", "want": "raw", **params}}


def recv_raw(conn):
    """The next reply, and the bytes behind it."""
    reply = conn.recv()
    while len(conn.buffer) < reply.get("raw", 0):
        more = conn.sock.recv(MIB)
        assert more, "closed amid raw bytes"
        conn.buffer += more
    data, conn.buffer = conn.buffer[:reply.get("raw", 0)], conn.buffer[reply.get("raw", 0):]
    return reply, data


def send_aside(conn, data):
    """Sends what the daemon may not take at once; to be joined."""
    writer = threading.Thread(target=conn.sock.sendall, args=(data,))
    writer.start()
    return writer


@pytest.mark.parametrize("data", [b"", b"\n", ANY_BYTES, os.urandom(64 << 10), os.urandom(MIB), bytes(LINE_MAX)],
                         ids=["none", "newline", "any", "64k", "1M", "16M"])
def test_raw_bytes_come_back_as_they_went(conn, data):
    writer = send_aside(conn, put(1, data) + Connection.line(get(2)))
    assert conn.recv()["result"]["id"]
    reply, got = recv_raw(conn)
    assert reply["raw"] == len(data) and reply["result"]["bytes"] is True and got == data
    writer.join()
    ping(conn)


def test_raw_bytes_in_pieces(conn):
    stream = put(1, ANY_BYTES) + Connection.line(get(2))
    for at in range(len(stream)):
        conn.sock.sendall(stream[at:at + 1])
    assert "result" in conn.recv()
    assert recv_raw(conn)[1] == ANY_BYTES
    ping(conn)


def test_raw_bytes_pipelined_with_lines_between(conn):
    rng = random.Random(12)
    items = [rng.randbytes(rng.choice((0, 1, 100, 5000, 70000))) for _ in range(300)]
    stream = b"".join(put(n, item) + Connection.line({"id": f"p{n}", "method": "mpd.ping"}) + Connection.line(get(f"g{n}"))
                      for n, item in enumerate(items))
    writer = send_aside(conn, stream)
    for n, item in enumerate(items):
        assert conn.recv()["id"] == n
        assert conn.recv() == {"jsonrpc": "2.0", "id": f"p{n}", "result": "pong"}
        reply, data = recv_raw(conn)
        assert (reply["id"], data) == (f"g{n}", item)
    writer.join()
    ping(conn)


def test_large_answers_keep_their_place_among_small_ones_and_descriptors(mpd, taker, nap):
    """Also when nothing was read for a while, so that the daemon has to go on later, wherever it was."""
    rng = random.Random(5)
    items = [rng.randbytes(rng.choice((10, 16 << 10, 70000, 300000))) for _ in range(40)]
    for n, item in enumerate(items):
        taker.conn.sock.sendall(put(n, item))
        assert taker.recv()[0]["id"] == n
    for n in range(len(items)):
        taker.conn.send_line(get(f"g{n}"))
        taker.conn.send_line(status(f"s{n}", nap) if n % 2 else {"id": f"s{n}", "method": "mpd.ping"})
    for n, item in enumerate(items):
        reply, fds = taker.recv()
        assert reply["id"] == f"g{n}" and reply["raw"] == len(item)
        assert taker.bytes(len(item)) == item
        reply, fds = taker.recv()
        assert reply["id"] == f"s{n}" and len(fds) == n % 2
        taker.drop(fds)
    ping(taker.conn)


def test_who_leaves_in_the_midst_of_a_large_answer_leaves_nothing_behind(mpd):
    pid = mpd.engine_pid()
    item = os.urandom(4 * MIB)
    before = None
    for n in range(12):
        with mpd.connect() as conn:
            writer = send_aside(conn, put(1, item) + Connection.line(get(2)))
            assert conn.recv()["id"] == 1
            writer.join()
            assert conn.sock.recv(100000)
        until(lambda: connections(mpd) == 0)
        until(lambda: mpd.rpc("queue.size", name="q")["size"] == 1)  # it was not read to its end
        mpd.rpc("queue.get", name="q")
        before = before or rss(pid, "RssAnon")  # the journal is shared
    if "asan" not in BUILD.name:
        assert rss(pid, "RssAnon") < before + 3 * len(item)


def refused(conn, stream):
    """What the stream is answered with, once, and its bytes are not lines."""
    writer = send_aside(conn, stream)
    reply = conn.recv()
    writer.join()
    ping(conn)
    return symbol(reply) if isinstance(reply, dict) else [symbol(each) for each in reply]


@pytest.mark.parametrize("change, expected", [
    ({"method": "mpd.ping"}, "PARAMS"), ({"method": "mpd.pin"}, "METHOD"), ({"params": []}, "PARAMS"),
    ({"params": {"nam": "q"}}, "PARAMS"), ({"id": 1.5}, "INVALID_REQUEST"), ({"method": 3}, "INVALID_REQUEST"),
    ({"wrong": 1}, "INVALID_REQUEST"), ({"fds": 1}, "INVALID_REQUEST"), ({"jsonrpc": "1.0"}, "INVALID_REQUEST"),
])
@pytest.mark.parametrize("size", [1, 300_000])
def test_the_raw_bytes_of_what_is_refused_are_skipped(conn, change, expected, size):
    assert refused(conn, put(1, b"\n" * size, **change)) == expected


def test_too_many_raw_bytes_are_skipped_as_they_come(mpd, conn):
    pid = mpd.engine_pid()
    before = rss(pid)
    assert refused(conn, put(1, b"\n" * (LINE_MAX + 1))) == "TOO_LARGE"
    if "asan" not in BUILD.name:
        assert rss(pid) < before + 4 * MIB


def test_raw_bytes_in_a_batch(conn):
    requests = [{"id": 1, "method": "queue.put", "params": {"name": "q"}, "raw": 3},
                {"id": 2, "method": "mpd.ping", "raw": 4}]
    assert refused(conn, Connection.line(requests) + b"\n" * 7) == ["INVALID_REQUEST", "INVALID_REQUEST"]


def test_raw_bytes_that_end_early_are_not_executed(mpd):
    for data in put(1, b"xyz")[:-1], put(1, b""), put(1, b"\n" * MIB)[:-1]:
        with mpd.connect() as conn:
            writer = send_aside(conn, data)
            writer.join()
            conn.sock.shutdown(socket.SHUT_WR)
            if data.endswith(b"\n") and len(data) < 1000:
                assert "result" in conn.recv()
            assert closed(conn)
    assert mpd.rpc("queue.size", name="q")["size"] == 1


def test_raw_bytes_without_id(mpd, conn):
    conn.send_line(put(1, ANY_BYTES).replace(b'"id":1,', b""))
    ping(conn)
    assert mpd.rpc("queue.size", name="q")["size"] == 1


def test_an_answer_with_raw_bytes_comes_again(mpd):
    with mpd.connect() as conn:
        session = conn.hello()
        conn.sock.sendall(put("p", ANY_BYTES) + put("o", b"other") + Connection.line(get("g")))
        first = conn.recv(), conn.recv(), recv_raw(conn)
        assert first[2][1] == ANY_BYTES
    mpd.kill_engine()
    with mpd.connect() as conn:
        conn.hello(session)
        conn.sock.sendall(put("p", ANY_BYTES) + put("o", b"other") + Connection.line(get("g")))
        assert (conn.recv(), conn.recv(), recv_raw(conn)) == first
        ping(conn)
    assert mpd.rpc("queue.size", name="q")["size"] == 1


# --- events ---------------------------------------------------------------------------------------------------------

def test_events_are_numbered(mpd, conn):
    sub = conn.call("mpd.subscribe", topics=["process"])["sub"]
    mpd.begin("true", name="t")
    events = [conn.event() for _ in range(2)]
    assert [(e["sub"], e["seq"], e["topic"], e["event"], e["name"]) for e in events] == [
        (sub, 1, "process", "started", "t"), (sub, 2, "process", "exited", "t")]
    assert events[1]["exitcode"] == 0 and events[0]["time"] <= events[1]["time"]
    conn.call("mpd.unsubscribe", sub=sub)
    mpd.begin("true", name="u")
    mpd.join("u")
    ping(conn)
    with pytest.raises(RpcError) as error:
        conn.call("mpd.unsubscribe", sub=sub)
    assert error.value.symbol == "NOT_FOUND"


def test_subscriptions_outlive_a_half_close(mpd, conn):
    conn.call("mpd.subscribe")
    conn.sock.shutdown(socket.SHUT_WR)
    mpd.begin("true", name="t")
    assert conn.event()["event"] == "started"


def test_a_slow_reader_is_told_what_it_lost(mpd, conn):
    sub = conn.call("mpd.subscribe", topics=["process"])["sub"]
    fill(conn)
    for n in range(3):
        mpd.begin("true", name=f"lost-{n}")
        mpd.join(f"lost-{n}")
    with pytest.raises(TimeoutError):
        while True:  # what it asked for, all of it
            assert "result" in conn.recv(timeout=1 * SLOW)
    mpd.begin("true", name="seen")
    gap, event = conn.event(), conn.event()
    assert gap == {"sub": sub, "event": "gap", "from": 1, "to": 6}
    assert (event["seq"], event["name"]) == (7, "seen")


# --- who and what ---------------------------------------------------------------------------------------------------

def test_hello(conn):
    result = conn.call("mpd.hello", version=1, tag="test")
    assert result["protocol"] == 1
    assert result["limits"] == {"message": LINE_MAX, "depth": 32, "inflight": 1024, "batch": 1000}
    whoami = result["whoami"]
    assert (whoami["uid"], whoami["gid"], whoami["pid"]) == (os.geteuid(), os.getegid(), os.getpid())
    assert whoami["groups"] == os.getgroups() and whoami["admin"] is True and whoami["process"] is None
    assert conn.call("mpd.whoami") == whoami


def test_a_protocol_not_spoken(conn):
    with pytest.raises(RpcError) as error:
        conn.call("mpd.hello", version=99)
    assert error.value.symbol == "VERSION"


def test_describe(conn):
    methods = conn.call("mpd.describe")
    assert "process.start" in json.dumps(methods)
    assert "process.join" not in json.dumps(conn.call("mpd.describe", method="mpd.ping"))


STRANGER = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
answers = s.makefile()
for method, params in json.load(sys.stdin):
    s.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\\n")
    print(answers.readline(), end="")
"""


def stranger(mpd, *calls):
    """What another user is answered."""
    os.chmod(mpd.socket, 0o666)
    done = subprocess.run([sys.executable, "-c", STRANGER, str(mpd.socket)], input=json.dumps(calls), user=12345, group=12345,
                          extra_groups=[7], capture_output=True, text=True, timeout=20 * SLOW, cwd="/")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@as_root
def test_what_admins_alone_may(mpd):
    whoami, level, pong = stranger(mpd, ("mpd.whoami", {}), ("mpd.log_level", {"level": "debug"}), ("mpd.ping", {}))
    assert {k: whoami["result"][k] for k in ("uid", "gid", "groups", "admin")} == {
        "uid": 12345, "gid": 12345, "groups": [7], "admin": False}
    assert symbol(level) == "DENIED" and "12345" in level["error"]["message"]
    assert pong["result"] == "pong"


@as_root
def test_what_is_another_users_is_not_there(mpd):
    made = mpd.begin("sleep", "1000000", name="private")
    ways = ["private", f"#{made['id']}", f"pid:{made['pid']}"]
    calls = [(f"process.{verb}", {"targets": [way]}) for verb in ("status", "kill", "join", "forget") for way in ways]
    calls += [("process.logs", {"target": way}) for way in ways]
    calls += [("process.start", {"argv": ["true"], "parent": made["id"]})]
    assert {symbol(answer) for answer in stranger(mpd, *calls)} == {"NOT_FOUND"}
    kill, listed, child, daemonic = stranger(
        mpd, ("process.kill", {"targets": ["*"]}), ("process.list", {}),
        ("process.start", {"argv": ["true"], "parent": {"pid": made["pid"]}}),
        ("process.start", {"argv": ["true"], "parent": {"pid": 1}, "daemon": True}))
    assert kill["result"]["processes"] == listed["result"]["processes"] == []
    assert symbol(child) == symbol(daemonic) == "DENIED"
    assert mpd.process("private")["state"] == "running" and mpd.process("private")["children"] == []
