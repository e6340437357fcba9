# SPDX-License-Identifier: MIT
"""
The engine is killed between every two system calls of its own, and nobody notices: each process was started once, each
status, each byte of output, each name, parent, flag and counter is as it would be without a death; clients with a
session reconnect, send again, and get one answer.

A scenario is run once for each point of death, with a daemon of its own: at the entry of the engine's N-th system call
tests/tools/syskill.c kills it, for N = 1, 2, 3 ... until a run of the scenario ends before N comes.
"""
import concurrent.futures
import os
import signal
import subprocess
import threading

import pytest

from harness import (BUILD, ENGINE, PATIENCE, ROOT, SLOW, TOOLS, Client, Fifo, all_stats, children_of, figure,
                     spawn, until, wait_dead)

JOBS = """
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
             ' if [ $n -eq 1 ]; then [ ! -e $D/slow ] || read x < $D/gate; exit 1; fi; exec sleep 1000',
}
OUTPUT = {"writer": b"first line\n" + b"x" * 150000 + b"\n", "flaky": b"run 1\nrun 2\n", "counter": b"", "boss": b""}


class Scenario:
    """What is common: victim() makes ready and returns the engine to be killed, run() is the life in which it dies,
    check() collects what is wrong with what came of it."""

    def __init__(self, mpd):
        self.mpd, self.wrong = mpd, []
        self.told, self.gate = Fifo(mpd.dir / "told"), Fifo(mpd.dir / "gate")
        self.earlier_deaths = 0
        for name, text in SCRIPTS.items():
            (mpd.dir / f"{name}.sh").write_text(f"D={mpd.dir}\n{text}\n")

    def close(self):
        self.told.close()
        self.gate.close()

    def expect(self, what, seen, wanted):
        if seen != wanted:
            self.wrong.append(f"{what}: {seen!r} instead of {wanted!r}")

    def offspring(self):
        """The keeper's own living children but for the engine (orphans it adopted among them)."""
        return sorted(s.pid for s in all_stats() if s.ppid == self.mpd.pid and s.comm != "mpd-engine"
                      and s.state not in "ZX")


class Life(Scenario):
    """Start with capture, a signal, a job that fails and is restarted, a join by another client, exits, the end of a
    parent: by clients with sessions."""

    def __init__(self, mpd):
        super().__init__(mpd)
        self.a, self.b, self.made = Client(mpd), Client(mpd), {}

    def close(self):
        super().close()
        self.a.close()
        self.b.close()

    def start(self, name, **params):
        self.made[name] = self.a.call("process.start", argv=["/bin/sh", f"{self.mpd.dir}/{name}.sh"], name=name,
                                      **params)
        assert self.told.line() == "up"

    def start_family(self):
        self.start("boss")
        self.start("tied", parent=self.made["boss"]["id"], daemon=True)
        self.start("counter")

    def victim(self):
        return self.mpd.engine_pid()

    def run(self):
        a, b = self.a, self.b
        self.start("writer")
        joining = b.post("process.join", targets=["writer"])
        self.start_family()
        a.call("process.signal", signal="USR1", targets=["counter"])
        assert self.told.line() == "hit"
        starting = a.post("job.start", targets=["flaky"])
        os.write(self.gate.fd, b"\n")  # writer ends
        self.joined = b.wait(joining)["processes"]
        a.wait(starting)
        assert self.told.lines(2) == ["up", "up"]  # both runs of flaky
        self.before_the_end = {p["name"]: p for p in a.call("process.list")["processes"]}
        a.call("process.kill", targets=["boss"])
        self.tied = b.call("process.join", targets=["tied"])["processes"]

    def check(self):
        mpd, boss, tied = self.mpd, self.made["boss"]["id"], self.before_the_end["tied"]
        # The second run of flaky spoke for itself: the engine may be told of it, and read what it said, a moment later.
        until(lambda: mpd.process("flaky")["pid"] and len(mpd.output("flaky")) >= len(OUTPUT["flaky"]))
        starts = sorted((mpd.dir / "starts").read_text().split())
        self.expect("what was started", starts, sorted(["writer", "boss", "tied", "counter", "flaky", "flaky"]))
        self.expect("signals", (mpd.dir / "hits").read_text(), "hit\n")
        self.expect("the join of writer", [(p["name"], p["exitcode"]) for p in self.joined], [("writer", 7)])
        self.expect("the join of tied", [(p["name"], p["exitcode"]) for p in self.tied], [("tied", -15)])
        self.expect("tied's bond", (tied["daemon"], tied["parent"], tied["alive"]), (True, {"id": boss}, True))
        now = {p["name"]: p for p in mpd.rpc("process.list")["processes"]}
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


class Recovery(Life):
    """The same, but most of it happens while no engine lives, and the one that dies is its successor: from its first
    system call on, through the replay, into its first requests."""

    def victim(self):
        self.start("writer")
        self.joining = self.b.post("process.join", targets=["writer"])
        self.start_family()
        (self.mpd.dir / "slow").touch()
        self.a.call("job.start", targets=["flaky"])
        assert self.told.line() == "up"
        self.before_the_end = {p["name"]: p for p in self.a.call("process.list")["processes"]}
        hold = self.mpd.dir / "s.hold"
        hold.touch()
        first = self.mpd.kill_engine()
        self.earlier_deaths = 1
        second = until(lambda: next((s.pid for s in children_of(self.mpd.pid) if s.comm == "mpd-engine"
                                     and s.state == "T" and s.pid != first), None), what="a stopped new engine")
        hold.unlink()
        os.write(self.gate.fd, b"\n\n")  # writer fills its pipe, and flaky ends
        os.kill(self.made["boss"]["pid"], signal.SIGKILL)
        assert wait_dead(self.before_the_end["flaky"]["pid"]) and wait_dead(self.made["boss"]["pid"])
        self.second = second
        return second

    def run(self):
        os.kill(self.second, signal.SIGCONT)
        self.a.call("process.signal", signal="USR1", targets=["counter"])
        assert sorted(self.told.lines(2)) == ["hit", "up"]
        self.joined = self.b.wait(self.joining)["processes"]
        self.tied = self.b.call("process.join", targets=["tied"])["processes"]


class Shell(Scenario):
    """The same verbs by mpctl, one command after the other."""

    SCRIPT = """
    cd "$D" || exit
    run() { "$@"; echo "$2 $?" >> codes; }
    run mpctl start --name w -- sh -c 'echo w >> starts; echo out of w; exit 3'
    run mpctl join -q w
    run mpctl run --name r -- sh -c 'echo r >> starts; cat; exit 5' < input > output
    run mpctl start --name k -- sh -c 'echo k >> starts; exec sleep 1000'
    touch slow
    run mpctl start flaky
    read up < told
    run mpctl restart flaky
    read up < told
    run mpctl kill k
    run mpctl logs w
    run mpctl stop flaky
    run mpctl is-alive flaky
    run mpctl join -q k
    """

    def victim(self):
        (self.mpd.dir / "input").write_text("through\n")
        return self.mpd.engine_pid()

    def run(self):
        self.done = self.mpd.shell(self.SCRIPT, env={"D": str(self.mpd.dir)}, timeout=60)

    def check(self):
        mpd = self.mpd
        self.expect("exit codes", (mpd.dir / "codes").read_text().split("\n")[:-1],
                    ["start 0", "join 3", "run 5", "start 0", "start 0", "restart 0", "kill 0", "logs 0", "stop 0",
                     "is-alive 3", "join 137"])
        self.expect("what was started", sorted((mpd.dir / "starts").read_text().split()),
                    ["flaky", "flaky", "k", "r", "w"])
        self.expect("output of run", (mpd.dir / "output").read_text(), "through\n")
        self.expect("stdout", self.done.out.split("\n"), ["w", "k", "out of w", ""])
        self.expect("stderr", self.done.err, "")
        self.expect("processes", self.offspring(), [])
        self.expect("output of w", mpd.output("w"), b"out of w\n")


def engine_with_a_door(folder):
    """An engine that stops before its own first call while SOCKET.hold exists."""
    door = folder / "mpd-engine"
    door.write_text(f'#!/bin/sh\n[ "$1" != --socket ] || [ ! -e "$2.hold" ] || kill -STOP $$\nexec {ENGINE} "$@"\n')
    door.chmod(0o755)
    return door


class Points:
    """Runs a scenario for every step-th point, two at a time."""

    def __init__(self, make, scenario, step, engine):
        self.make, self.scenario, self.engine = make, scenario, engine
        self.points, self.lock, self.over = iter(range(1, 100_000, step)), threading.Lock(), threading.Event()
        self.tested, self.failures = 0, []

    def live(self, scenario, point):
        """Returns what killed the engine, or None when it lived to see the end."""
        victim = scenario.victim()
        killer = spawn([TOOLS / "syskill", victim, point], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            said = killer.stdout.readline()
            assert said == "seized\n", f"the engine {victim} could not be seized: {killer.wait(PATIENCE)} {said}"
            scenario.run()
            killer.stdin.close()
            fate, code = killer.stdout.read().strip(), killer.wait(PATIENCE)
        finally:
            if killer.poll() is None:
                killer.kill()
                killer.wait()
            killer.stdout.close()
        scenario.expect("engines", scenario.mpd.status()["engines"], 1 + scenario.earlier_deaths + (code == 0))
        if code not in (0, 1):
            scenario.wrong.append(f"the engine ended by itself: {fate}")
        scenario.check()
        return fate if code == 0 else None

    def one(self, point):
        scenario, fate = self.scenario(self.make(config=JOBS, args=["--engine", self.engine])), "?"
        try:
            fate = self.live(scenario, point)
        except Exception as error:  # told with its point; the others are run all the same
            scenario.wrong.append(f"the scenario broke: {type(error).__name__}: {error}")
        scenario.close()
        with self.lock:
            self.tested += fate is not None
            self.failures += [f"point {point} ({fate}): {w}" for w in scenario.wrong]
            if fate is None:
                self.over.set()
        if not scenario.wrong:
            self.make.finish(scenario.mpd)

    def work(self):
        while not self.over.is_set() and len(self.failures) < 8:
            with self.lock:
                point = next(self.points)
            self.one(point)

    def run(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(self.work) for _ in range(2)]:
                done.result()


def build_syskill():
    tool = TOOLS / "syskill"
    if not tool.exists():
        subprocess.run(["make", "-s", f"BUILD={BUILD}", str(tool)], cwd=ROOT, check=True)


@pytest.mark.parametrize("scenario, step", [(Life, 1), (Recovery, 1), (Shell, 2)])
def test_death_between_every_two_system_calls(make_mpd, tmp_path, scenario, step, full):
    build_syskill()
    step = 1 if full else step if SLOW == 1 else 6
    points = Points(make_mpd, scenario, step, engine_with_a_door(tmp_path))
    points.run()
    figure(f"{scenario.__name__}: the engine was killed at {points.tested} of its system calls (every {step}.)")
    assert not points.failures, "\n".join(points.failures)
    assert points.tested >= 60 / step, "the scenario is too short to mean anything"
