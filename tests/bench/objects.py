# SPDX-License-Identifier: MIT
"""
What mpd's objects cost beside Redis's way to do the same: the second half of `make bench`. The measuring is done by
tests/tools/bench_objects.c, which speaks to both servers in the same way; here they are started, pinned and stopped.

The Redis is one of our own, without files, at a socket in a folder of its own. It comes from Debian's redis-tools,
which brings the server's program under another name (it goes by the name it is called by): the package redis-server
would add a service to the system, and start it.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing

from harness import PATIENCE, TOOLS, Daemon, until

TOOL = TOOLS / "bench_objects"
REDIS = "/usr/bin/redis-check-rdb"
FIGURES = {"rate": "requests/s", "cpu_us": "CPU us/request", "p50_us": "us, median", "p99_us": "us, p99"}


class Case(typing.NamedTuple):
    """A line of the table. A goal is for mpd's figure by Redis's: a rate at least, all else at most."""
    what: str
    mode: str
    clients: int
    depth: int
    goals: dict
    figures: tuple = ("rate", "cpu_us")

    @property
    def apart(self):
        """Whether clients and servers have a processor each, so that a rate is what the server can do. One client
        shares the server's: waking an idle processor takes longer than a request."""
        return self.clients > 1

    @property
    def name(self):
        return f"{self.mode}-{self.clients}x{self.depth}"


MANY, CYCLE = {"rate": 1.3, "cpu_us": 0.7}, {"rate": 1.25, "cpu_us": 0.8}
CASES = (
    Case("put+get", "putget", 1, 1, {}),
    Case("put+get", "putget", 8, 1, MANY),
    Case("put+get", "putget", 50, 1, MANY),
    Case("put+get", "putget", 1, 16, {"rate": 1.8}),
    Case("put+get", "putget", 8, 16, {"rate": 1.8}),
    Case("put+get", "putget", 50, 16, {"rate": 1.8}),
    Case("put+get", "putget", 64, 64, {"rate": 2.5}),
    Case("put+get of 64 KiB", "bulk", 1, 1, {"rate": 1.0}),
    Case("put+get of 64 KiB", "bulk", 8, 1, {"rate": 1.0}),
    Case("lock cycle", "lock", 1, 1, CYCLE),
    Case("lock cycle", "lock", 8, 1, CYCLE),
    Case("lock cycle", "lock", 50, 1, CYCLE),
    Case("ping", "ping", 8, 1, {}),
    Case("ping", "ping", 64, 64, {}),
    Case("hand-off", "handoff", 1, 1, {"p50_us": 0.7}, ("p50_us", "p99_us")),
)


@contextlib.contextmanager
def redis():
    """Yields (socket, pid)."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mpd-redis-", dir="/tmp"))
    path, log = folder / "s", folder / "log"
    words = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder,
             "--logfile", log, "--loglevel", "warning"]
    try:
        with subprocess.Popen(words, executable=REDIS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              start_new_session=True) as server:  # as mpd: sessions share the processor evenly
            try:
                until(lambda: path.exists() or server.poll() is not None, what="redis listens")
                if server.poll() is not None:
                    raise RuntimeError(f"redis did not start:\n{log.read_text()}")
                yield path, server.pid
            finally:
                server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def daemon():
    mpd = Daemon().start()
    try:
        yield mpd
    finally:
        wrong = mpd.finish()
        shutil.rmtree(mpd.dir, ignore_errors=True)
    if wrong:
        raise RuntimeError("\n".join(wrong))


def pin(pids, cpu):
    """Puts all threads of the processes, and what they will start, on a processor."""
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {cpu})


def measure(case, ms=200, rounds=9):
    """What the tool prints of a case; both servers are new."""
    cpus = sorted(os.sched_getaffinity(0))
    servers, client = cpus[-1], cpus[0 if case.apart else -1]
    with daemon() as mpd, redis() as (redis_socket, redis_pid):
        mpd_pids = [mpd.pid, mpd.engine_pid()]
        pin([redis_pid, *mpd_pids], servers)
        words = [TOOL, case.mode, case.clients, case.depth, ms, rounds, redis_socket, redis_pid, mpd.socket,
                 ",".join(map(str, mpd_pids))]
        done = subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=lambda: os.sched_setaffinity(0, {client}), timeout=PATIENCE * 5)
    if done.returncode != 0:
        raise RuntimeError(" ".join(done.stderr.split()) or f"{TOOL.name} ended with {done.returncode}")
    return json.loads(done.stdout)


def number(value):
    return f"{value / 1000:.1f}k" if value >= 10000 else f"{value:.2f}"


def goal(name, value, ratio):
    if value is None:
        return ""
    least = name == "rate"
    return f"{'>=' if least else '<='} {value:<4} {'yes' if (ratio >= value) == least else 'no'}"


def cell(case, result, name):
    found = result[name]
    spread = f"({found['low']:.2f}-{found['high']:.2f})"
    return (f"{number(found['redis']):>8} {number(found['mpd']):>8} {found['ratio']:6.2f} {spread:11}"
            f" {goal(name, case.goals.get(name), found['ratio']):11}")


def head(figures):
    cells = "  ".join(f"{FIGURES[name]:17} ratio (quartiles) goal       " for name in figures)
    return f"{'mpd by Redis':18} {'clients':>7} {'depth':>5} {'cpus':>4}  {cells}".rstrip()


def row(case, result):
    cells = "  ".join(cell(case, result, name) for name in case.figures)
    return f"{case.what:18} {case.clients:7} {case.depth:5} {2 if case.apart else 1:4}  {cells}".rstrip()


def main():
    """Prints the table; False when a case could not be measured."""
    figures, good = None, True
    for case in CASES:
        if case.figures != figures:
            figures = case.figures
            print(head(figures))
        try:
            print(row(case, measure(case)), flush=True)
        except RuntimeError as error:
            print(f"{case.what} ({case.clients} x {case.depth}): {error}", flush=True)
            good = False
    return good
