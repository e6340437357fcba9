# SPDX-License-Identifier: MIT
"""
The engine dies and nobody notices: between every two of its system calls, at random under load, while it hangs. What is
held to: each process was started once, each status, each byte of output, each name, parent, flag and counter is as it
would be without a death; clients with a session reconnect, send again, and get one answer.
"""
import concurrent.futures
import contextlib
import os
import random
import secrets
import signal
import statistics
import subprocess
import threading
import time

import pytest

from harness import (PATIENCE, SLOW, TOOLS, Connection, ConnectionLost, Daemon, Fifo, RpcError, alive, all_stats,
                     figure, until, wait_dead)


class Client:
    """What a client has to do to outlive engines: a session, ids that do not repeat, and sending again."""

    def __init__(self, mpd):
        self.mpd, self.session, self.connection = mpd, secrets.token_hex(16), None
        self.number, self.open, self.reconnects = 0, {}, -1

    def close(self):
        if self.connection:
            self.connection.close()

    def _connect(self):
        self.close()
        self.reconnects += 1
        self.connection = Connection(self.mpd.socket)
        self.connection.send_line({"id": "hello", "method": "mpd.hello", "params": {"session": self.session}})
        self.connection.reply("hello")
        for request in self.open.values():
            self.connection.send_line(request)

    def post(self, method, /, **params):
        """Sends, and returns the id to wait() for."""
        self.number += 1
        self.open[self.number] = {"id": self.number, "method": method, "params": params}
        if self.connection:
            with contextlib.suppress(ConnectionLost):
                self.connection.send_line(self.open[self.number])
        return self.number

    def wait(self, number):
        while True:
            try:
                if not self.connection:
                    self._connect()
                result = self.connection.reply(number)
            except ConnectionLost:
                self.close()
                self.connection = None
                continue
            except RpcError:
                del self.open[number]
                raise
            del self.open[number]
            return result

    def call(self, method, /, **params):
        return self.wait(self.post(method, **params))


# --- between every two system calls -------------------------------------------------------------------------------------

FLAKY = """
[job:flaky]
command = /bin/sh @DIR@/flaky.sh
autostart = false
restart = on-failure
restart_delay = 10ms
start_seconds = 5ms
log_timestamps = false
"""
SCRIPTS = {
    # Every start leaves a line in `starts`, which is appended to: a process that is started twice is seen twice.
    "writer": 'echo writer >> $D/starts; echo "first line"; echo up > $D/told; read x < $D/gate;'
              ' head -c 150000 /dev/zero | tr "\\0" "x"; echo; echo oops >&2; exit 7',
    "counter": 'trap "echo hit >> $D/hits; echo hit > $D/told" USR1; echo counter >> $D/starts; echo up > $D/told;'
               ' while :; do sleep 1000 & wait $!; done',
    "boss": "echo boss >> $D/starts; echo up > $D/told; exec sleep 1000",
    "tied": "echo tied >> $D/starts; echo up > $D/told; exec sleep 1000",
    "flaky": 'echo flaky >> $D/starts; n=$(grep -c flaky $D/starts); echo run $n; echo up > $D/told;'
             ' [ $n -gt 1 ] || { read x < $D/gate; exit 1; }; exec sleep 1000',
}
OUTPUT = {"writer": b"first line\n" + b"x" * 150000 + b"\n", "flaky": b"run 1\nrun 2\n", "counter": b"", "boss": b""}


class Scenario:
    """The same short life for every point of death. run() causes it, check() says what is wrong with what came of it."""

    def __init__(self, mpd):
        self.mpd = mpd
        self.told, self.gate = Fifo(mpd.dir / "told"), Fifo(mpd.dir / "gate")
        for name, text in SCRIPTS.items():
            (mpd.dir / f"{name}.sh").write_text(f"D={mpd.dir}\n{text}\n")
        self.a, self.b = Client(mpd), Client(mpd)
        self.wrong, self.made = [], {}

    def close(self):
        for each in (self.told, self.gate, self.a, self.b):
            each.close()

    def start(self, name, **params):
        self.made[name] = self.a.call("process.start", argv=["/bin/sh", f"{self.mpd.dir}/{name}.sh"], name=name, **params)
        assert self.told.line() == "up"

    def run(self):
        a, b = self.a, self.b
        self.start("writer")
        joining = b.post("process.join", targets=["writer"])
        self.start("boss")
        self.start("tied", parent=self.made["boss"]["id"], daemon=True)
        self.start("counter")
        a.call("process.signal", signal="USR1", targets=["counter"])
        assert self.told.line() == "hit"
        a.call("job.start", targets=["flaky"])
        assert self.told.line() == "up"
        os.write(self.gate.fd, b"\n\n")  # writer and the first run of flaky end
        self.joined = b.wait(joining)["processes"]
        assert self.told.line() == "up"  # the second run of flaky
        self.before_the_end = {p["name"]: p for p in a.call("process.list")["processes"]}
        a.call("process.kill", targets=["boss"])
        self.tied = b.call("process.join", targets=["tied"])["processes"]

    def expect(self, what, seen, wanted):
        if seen != wanted:
            self.wrong.append(f"{what}: {seen!r} instead of {wanted!r}")

    def check(self, engines):
        mpd = self.mpd
        starts = sorted((mpd.dir / "starts").read_text().split())
        self.expect("what was started", starts, sorted(["writer", "boss", "tied", "counter", "flaky", "flaky"]))
        self.expect("signals", (mpd.dir / "hits").read_text(), "hit\n")
        self.expect("the join of writer", [(p["name"], p["exitcode"]) for p in self.joined], [("writer", 7)])
        self.expect("the join of tied", [(p["name"], p["exitcode"]) for p in self.tied], [("tied", -15)])
        self.expect("engines", mpd.status()["engines"], engines)
        boss, tied = self.made["boss"]["id"], self.before_the_end["tied"]
        self.expect("tied's bond", (tied["daemon"], tied["parent"], tied["alive"]), (True, {"id": boss}, True))
        now = {p["name"]: p for p in mpd.rpc("process.list")["processes"]}
        self.expect("names", sorted(now), sorted(["writer", "boss", "tied", "counter", "flaky"]))
        self.expect("exit codes", {n: p["exitcode"] for n, p in now.items()},
                    {"writer": 7, "boss": -9, "tied": -15, "counter": None, "flaky": None})
        self.expect("ids", {n: now[n]["id"] for n in self.made}, {n: m["id"] for n, m in self.made.items()})
        self.expect("pids", {n: now[n]["pid"] for n in self.made}, {n: m["pid"] for n, m in self.made.items()})
        self.expect("restarts", {n: p["restarts"] for n, p in now.items()},
                    {"writer": 0, "boss": 0, "tied": 0, "counter": 0, "flaky": 1})
        for name, output in OUTPUT.items():
            seen = mpd.output(name)
            if seen != output:
                self.wrong.append(f"output of {name}: {len(seen)} bytes instead of {len(output)}: {seen[:80]!r}...")
        self.expect("writer's stderr", mpd.output("writer", "stderr"), b"oops\n")
        self.expect("processes", self.offspring(), sorted([now["counter"]["pid"], now["flaky"]["pid"]]))

    def offspring(self):
        """The keeper's own living children but for the engine (orphans it adopted among them)."""
        return sorted(s.pid for s in all_stats() if s.ppid == self.mpd.pid and s.comm != "mpd-engine" and s.state not in "ZX")


def syskill(mpd, point):
    killer = subprocess.Popen([str(TOOLS / "syskill"), str(mpd.engine_pid()), str(point)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    Daemon.keepers.add(killer.pid)  # no daemon's leftover
    return killer


def run_scenario(make, point, lock):
    """One scenario whose engine dies at its point-th system call. Returns (what killed it or None, what is wrong)."""
    with lock:  # the harness looks at all its children when a daemon starts and ends
        mpd = make(config=FLAKY)
        killer = syskill(mpd, point)
    scenario = Scenario(mpd)
    try:
        assert killer.stdout.readline() == "seized\n"
        try:
            scenario.run()
        except Exception as error:  # told with its point, and the rest of the points is run as well
            scenario.wrong.append(f"the scenario broke: {type(error).__name__}: {error}")
        killer.stdin.close()
        fate = killer.stdout.read().strip()
        code = killer.wait(PATIENCE)
        if not scenario.wrong:
            scenario.check(engines=2 if code == 0 else 1)
        if code not in (0, 1):
            scenario.wrong.append(f"the engine ended by itself: {fate}")
        return (fate if code == 0 else None), scenario.wrong, mpd
    except Exception as error:
        return "?", scenario.wrong + [f"{type(error).__name__}: {error}"], mpd
    finally:
        if killer.poll() is None:
            killer.kill()
            killer.wait()
        killer.stdout.close()
        scenario.close()


def require_syskill():
    if not (TOOLS / "syskill").exists():
        subprocess.run(["make", "-s", f"BUILD={TOOLS.parents[1]}", str(TOOLS / "syskill")], cwd=TOOLS.parents[2], check=False)
    if not (TOOLS / "syskill").exists():
        pytest.skip("syskill is not built (make tools)")


def test_death_between_every_two_system_calls(make_mpd):
    require_syskill()
    step = 1 if SLOW == 1 else 5
    tested, failures, lock, over = 0, [], threading.Lock(), threading.Event()
    points = iter(range(1, 100000, step))

    def work():
        nonlocal tested
        while not over.is_set() and len(failures) < 8:
            with lock:
                point = next(points)
            fate, wrong, mpd = run_scenario(make_mpd, point, lock)
            with lock:
                if fate is None and not wrong:
                    over.set()
                tested += fate is not None
                failures.extend(f"point {point} ({fate}): {w}" for w in wrong)
                if not wrong:
                    make_mpd.finish(mpd)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work) for _ in range(2)]:
            done.result()
    figure(f"the engine was killed at {tested} of its system calls, every {step}.")
    assert not failures, "\n".join(failures)
    assert tested >= 50 / step, "the scenario is too short to mean anything"


# --- at random, under load ------------------------------------------------------------------------------------------------

OUTAGE = """
import os, socket, sys, time

for line in sys.stdin:
    begin, answer = time.monotonic(), b""
    os.kill(int(line), 9)
    while not answer.endswith(b"\\n"):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(sys.argv[1])
                s.sendall(b'{"id":1,"method":"mpd.ping"}\\n')
                answer = s.recv(100)
            except OSError:
                pass
    print(time.monotonic() - begin, flush=True)
"""


class Stopwatch:
    """Kills engines, and tells the seconds to the first answered ping on a fresh connection; in a process of its own,
    because the threads that make the load hold each other up."""

    def __init__(self, mpd):
        self.proc = subprocess.Popen(["/usr/bin/python3", "-c", OUTAGE, str(mpd.socket)], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)

    def outage(self, victim):
        self.proc.stdin.write(f"{victim}\n")
        self.proc.stdin.flush()
        return float(self.proc.stdout.readline())

    def close(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc.wait(PATIENCE)


class Load:
    """Clients that start and join without end; each status is checked, each start counted by what it leaves behind."""

    def __init__(self, mpd, clients):
        self.mpd, self.stop, self.done, self.wrong = mpd, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def work(self, worker):
        client = Client(self.mpd)
        try:
            serial = 0
            while not self.stop.is_set():
                serial += 1
                name, code = f"w{worker}-{serial}", serial % 200
                client.call("process.start", argv=["/bin/sh", "-c", f"echo {name} >> {self.mpd.dir}/runs; exit {code}"], name=name)
                ended = client.call("process.join", targets=[name])["processes"][0]
                if ended["exitcode"] != code:
                    self.wrong.append(f"{name}: {ended['exitcode']} instead of {code}: {ended}")
                client.call("process.forget", targets=[name])
                self.done += 1
        except Exception as error:
            self.wrong.append(f"worker {worker}: {type(error).__name__}: {error}")
        finally:
            client.close()

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        runs = (self.mpd.dir / "runs").read_text().split()
        assert not self.wrong, "\n".join(self.wrong[:10])
        assert len(runs) == len(set(runs)) == self.done, "something was started twice, or never"


def test_death_at_random_under_load(make_mpd, full):
    kills = 200 if full else 25 if SLOW == 1 else 8
    mpd = make_mpd()
    crew = {}
    with mpd.connect() as connection:
        for n in range(200):
            made = connection.call("process.start", argv=["/bin/sleep", str(100000 + n)], name=f"crew{n}")
            crew[made["name"]] = made
    load = Load(mpd, clients=2)
    watch, outages = Stopwatch(mpd), []
    rng = random.Random(7)
    for _ in range(kills):
        # A death within a second of the engine's start would count for the back-off: this is about deaths at work.
        time.sleep(1.02 + rng.random() * 0.2)
        outages.append(watch.outage(mpd.find_engine()))
    watch.close()
    load.finish()
    now = {p["name"]: p for p in mpd.rpc("process.list")["processes"]}
    assert {n: (p["id"], p["pid"], p["alive"]) for n, p in now.items()} == {
        n: (m["id"], m["pid"], True) for n, m in crew.items()}
    assert mpd.status()["engines"] == kills + 1
    outages.sort()
    p50, p99 = statistics.median(outages) * 1000, outages[min(len(outages) - 1, int(len(outages) * 0.99))] * 1000
    figure(f"engine killed {kills} times under load ({load.done} start+join beside 200 processes): outage p50 {p50:.1f} ms, "
          f"p99 {p99:.1f} ms (goal: 50 ms)")
    if SLOW == 1:
        assert p50 < 100 and p99 < 500
    mpd.rpc("process.kill", all=True)


# --- while it is dead, and while it hangs -----------------------------------------------------------------------------------

def gated(mpd, gate, name, code):
    return mpd.begin("/bin/sh", "-c", f"read x < {gate.path}; echo out of {name}; exit {code}", name=name)


def test_exits_while_the_engine_is_stopped_and_then_killed(mpd, fifo):
    gate = fifo()
    made = [gated(mpd, gate, f"p{n}", n) for n in range(20)]
    engine = mpd.engine_pid()
    os.kill(engine, signal.SIGSTOP)
    os.write(gate.fd, b"go\n" * 20)
    assert all(wait_dead(m["pid"]) for m in made)
    os.kill(engine, signal.SIGKILL)
    ended = mpd.join(*[f"p{n}" for n in range(20)])["processes"]
    assert [p["exitcode"] for p in ended] == list(range(20))
    assert [mpd.output(f"p{n}") for n in range(20)] == [f"out of p{n}\n".encode() for n in range(20)]
    assert mpd.status()["engines"] == 2


def test_the_keeper_keeps_exits_during_the_back_off(mpd, fifo):
    """Deaths at once after the start are answered more and more slowly: what ends meanwhile is told afterwards."""
    gate = fifo()
    made = [gated(mpd, gate, f"p{n}", 40 + n) for n in range(5)]
    last = None
    for _ in range(4):
        last = until(lambda: (e := mpd.find_engine()) and e != last and e)
        os.kill(last, signal.SIGKILL)
        assert wait_dead(last)
    os.write(gate.fd, b"go\n" * 5)
    assert all(wait_dead(m["pid"]) for m in made)
    ended = mpd.join(*[f"p{n}" for n in range(5)])["processes"]
    assert [(p["exitcode"], p["pid"]) for p in ended] == [(40 + n, m["pid"]) for n, m in enumerate(made)]
    assert [mpd.output(f"p{n}") for n in range(5)] == [f"out of p{n}\n".encode() for n in range(5)]


def test_a_hanging_engine_is_replaced(mpd, fifo):
    gate = fifo()
    gated(mpd, gate, "x", 5)
    hanging = mpd.engine_pid()
    os.kill(hanging, signal.SIGSTOP)
    begin = time.monotonic()
    os.write(gate.fd, b"go\n")  # the keeper's message of this exit stays unread: so it begins to look
    assert wait_dead(hanging, 10 * SLOW), "nobody killed the engine that hangs"
    took = time.monotonic() - begin
    figure(f"a hanging engine was killed after {took:.1f} s")
    assert 1.5 < took < 6 * SLOW
    assert mpd.join("x")["processes"][0]["exitcode"] == 5
    assert mpd.engine_pid() != hanging


def test_an_idle_stopped_engine_is_left_alone(mpd):
    """Nothing waits for it, so nothing ticks: who stops the engine in a debugger is not punished."""
    engine = mpd.engine_pid()
    os.kill(engine, signal.SIGSTOP)
    try:
        assert not wait_dead(engine, 3)
    finally:
        os.kill(engine, signal.SIGCONT)
    assert mpd.engine_pid() == engine


# --- what survives -----------------------------------------------------------------------------------------------------------

def test_statuses_of_the_ended_survive(mpd):
    for n in (0, 3, 200):
        mpd.begin("/bin/sh", "-c", f"exit {n}", name=f"p{n}")
    before = mpd.join("p0", "p3", "p200")["processes"]
    mpd.kill_engine()
    after = mpd.join("p0", "p3", "p200")["processes"]
    ignore = ("uptime",)
    assert [{k: v for k, v in p.items() if k not in ignore} for p in after] == [
        {k: v for k, v in p.items() if k not in ignore} for p in before]


def test_everything_about_the_living_survives(make_mpd, fifo):
    told = fifo()
    mpd = make_mpd("[job:j]\ncommand = /bin/sleep 1000\nprocesses = 2\nstart_seconds = 10ms\n"
                   "[job:off]\ncommand = /bin/sleep 1000\nautostart = false\n")
    mpd.inside(f"mpctl start --name plain -- sleep 1000; mpctl start --name tied --daemon -- sleep 1000; echo up > {told.path};"
               " sleep 1000", name="parent", stop_signal="INT", stop_timeout=3, kill_mode="group", cwd="/usr")
    told.line()
    until(lambda: all(p["state"] == "running" for p in mpd.rpc("process.list", alive=True)["processes"]))
    changing = ("uptime",)

    def all_of_it():
        return [{k: v for k, v in p.items() if k not in changing} for p in mpd.rpc("process.list")["processes"]]

    before = all_of_it()
    for _ in range(2):
        mpd.kill_engine()
        assert all_of_it() == before
    mpd.rpc("process.kill", targets=["parent"])
    assert mpd.join("tied")["processes"][0]["exitcode"] == -15
    assert mpd.process("plain")["alive"] is True


def test_forgotten_stays_forgotten_and_ids_go_on(mpd):
    last = mpd.begin("/bin/true", name="x")["id"]
    mpd.join("x")
    mpd.rpc("process.forget", targets=["x"])
    mpd.kill_engine()
    assert mpd.rpc("process.list")["processes"] == []
    assert mpd.begin("/bin/true", name="y")["id"] > last


def test_the_back_off_of_a_job_survives(make_mpd):
    mpd = make_mpd("[job:j]\ncommand = /bin/sh -c 'exit 4'\nrestart_delay = 1h\nrestart_delay_max = 1h\n")
    until(lambda: mpd.process("j")["state"] == "backoff")
    before = mpd.process("j")
    mpd.kill_engine()
    after = mpd.process("j")
    assert {k: after[k] for k in ("state", "exitcode", "restarts", "id", "reason")} == {
        k: before[k] for k in ("state", "exitcode", "restarts", "id", "reason")}


def test_a_start_of_a_job_that_is_sent_again_is_not_done_twice(make_mpd):
    """The engine dies between the start and its answer. The run is over by the time the client asks again."""
    mpd = make_mpd("[job:j]\ncommand = /bin/sh -c 'echo run >> @DIR@/runs; exit 4'\nautostart = false\n"
                   "restart_delay = 1h\nrestart_delay_max = 1h\n")
    engine, client = mpd.engine_pid(), Client(mpd)
    client.call("mpd.ping")
    os.kill(mpd.pid, signal.SIGSTOP)  # the keeper: so the engine waits for it, and the client for the engine
    try:
        number = client.post("job.start", targets=["j"])
        with mpd.connect() as connection:
            until(lambda: connection.call("job.status", targets=["j"])["processes"][0]["state"] == "starting")
        os.kill(engine, signal.SIGKILL)
    finally:
        os.kill(mpd.pid, signal.SIGCONT)
    until(lambda: mpd.process("j")["state"] == "backoff")
    client.wait(number)
    client.close()
    assert mpd.process("j")["state"] == "backoff"
    assert (mpd.dir / "runs").read_text() == "run\n"


def test_a_stopped_job_stays_stopped(make_mpd):
    mpd = make_mpd("[job:j]\ncommand = /bin/sleep 1000\nrestart = always\n")
    mpd.rpc("job.stop", targets=["j"])
    mpd.kill_engine()
    assert mpd.process("j")["state"] == "stopped"


def test_a_stop_in_progress_goes_on(mpd, fifo):
    told = fifo()
    mpd.begin("/bin/sh", "-c", f"trap '' TERM; echo up > {told.path}; while :; do sleep 1000; done", name="deaf", stop_timeout=1)
    told.line()
    mpd.rpc("process.stop", targets=["deaf"], wait=False)
    mpd.kill_engine()
    assert mpd.join("deaf")["processes"][0]["exitcode"] == -9


def test_mpctl_notices_nothing(mpd, fifo):
    """Every mpctl has a session: it reconnects and goes on by itself."""
    gate = fifo()
    gated(mpd, gate, "x", 6)
    with mpd.connect() as connection, mpd.ctl_popen("join", "x") as join, mpd.ctl_popen("run", "--", "cat") as run:
        until(lambda: connection.call("mpd.status")["connections"] >= 3)
        run.stdin.write("one\n")
        run.stdin.flush()
        assert run.stdout.readline() == "one\n"
        mpd.kill_engine()
        run.stdin.write("two\n")
        run.stdin.flush()
        assert run.stdout.readline() == "two\n"
        os.write(gate.fd, b"go\n")
        assert join.wait(PATIENCE) == 6
        run.stdin.close()
        assert run.wait(PATIENCE) == 0
