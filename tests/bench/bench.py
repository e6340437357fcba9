#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
`make bench`: what mpd's processes cost over what the system itself costs, and its objects beside Redis (objects.py).
bench.py [processes] [objects] measures one of them. Of processes keeper, engine and client run on one processor, because
waking an idle second one costs more than what is measured. The measuring is done by tests/tools/bench_spawn.c.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import objects  # noqa: E402
from harness import BUILD, MPCTL, ROOT, TOOLS, Daemon  # noqa: E402

TOOL = TOOLS / "bench_spawn"
GOALS = {"serial": 1.35, "burst": 1.5, "ping": 1.1}
WHAT = {"serial": "start+join of /bin/true with captured output, against posix_spawn+wait",
        "burst": "as many at once and one join of all, against the same without mpd",
        "ping": "mpctl ping as a whole command, against /bin/true"}


def build_tool():
    if not TOOL.exists():
        subprocess.run(["make", "-s", f"BUILD={BUILD}", str(TOOL)], cwd=ROOT, check=True)


def pin(*pids):
    """Puts the processes, and what they start, on the last processor we may use; returns it."""
    cpu = max(os.sched_getaffinity(0))
    for pid in pids:
        os.sched_setaffinity(pid, {cpu})
    return cpu


def measure(mpd, mode, turns, rounds):
    """{bare_us, mpd_us, ratio} of one mode; the daemon stays pinned."""
    build_tool()
    cpu = pin(mpd.pid, mpd.engine_pid())
    done = subprocess.run([str(TOOL), mode, str(mpd.socket), str(turns), str(rounds), str(MPCTL)], check=True,
                          text=True, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    return json.loads(done.stdout)


def line(result):
    mode = result["mode"]
    return (f"{mode:6} {result['turns']:5} x {result['rounds']}: {result['bare_us']:8.1f} us bare,"
            f" {result['mpd_us']:8.1f} us with mpd, ratio {result['ratio']:.2f} (goal {GOALS[mode]}): {WHAT[mode]}")


def processes():
    for mode, turns, rounds in (("serial", 1000, 9), ("burst", 1000, 9), ("ping", 300, 9)):
        mpd = Daemon().start()
        try:
            print(line(measure(mpd, mode, turns, rounds)), flush=True)
        finally:
            wrong = mpd.finish()
            shutil.rmtree(mpd.dir, ignore_errors=True)
        if wrong:
            sys.exit("\n".join(wrong))


def main():
    parts = sys.argv[1:] or ["processes", "objects"]
    if "processes" in parts:
        processes()
    if "objects" in parts and not objects.main():
        sys.exit("not all could be measured")


if __name__ == "__main__":
    main()
