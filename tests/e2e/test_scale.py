# SPDX-License-Identifier: MIT
"""Many processes: that all statuses are right and nothing is left, and what it costs. Each figure is printed; it is
held to a limit with room for a noisy machine only where MPD_SLOW is 1. `make soak` runs the full figures."""
import json
import os
import pathlib
import re
import statistics
import sys
import time

import pytest

from harness import PATIENCE, ROOT, SLOW, RpcError, alive, children_of, figure, open_fds, until

sys.path.insert(0, str(ROOT / "tests" / "bench"))
import bench  # noqa: E402

FAST = SLOW == 1


def private_dirty(pid):
    """Bytes of memory that are the process's own."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"Private_Dirty:\s+(\d+) kB", text)[1]) * 1024


def wake_ups(pid):
    return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def start_many(connection, argvs):
    """Starts them all at once, in waves of what may be in flight; returns what was answered, in order."""
    made = []
    for at in range(0, len(argvs), 1000):
        numbers = [connection.request("process.start", argv=argv, name=f"m{at + i}") for i, argv in
                   enumerate(argvs[at:at + 1000])]
        made += [connection.reply(number) for number in numbers]
    return made


def room_for(mpd, n):
    if mpd.status()["processes"]["max"] < n:
        pytest.skip(f"the limit on descriptors leaves no room for {n} processes")


def test_a_thousand_processes(mpd, full):
    count = 1000 if FAST else 200
    room_for(mpd, count)
    keeper, engine = mpd.pid, mpd.engine_pid()
    with mpd.connect() as connection:
        pids = [m["pid"] for m in start_many(connection, [["/bin/sleep", "1000000"]] * count)]
        connection.call("mpd.ping")

    memory = {"keeper": private_dirty(keeper), "engine": private_dirty(engine)}
    figure(f"{count} processes: private dirty memory of the keeper {memory['keeper'] >> 10} KiB (goal 300), "
          f"of the engine {memory['engine'] / (1 << 20):.1f} MiB (goal 12)")

    span = 60 if full else 10
    time.sleep(1)  # what the starts set in motion comes to rest
    before = wake_ups(keeper), wake_ups(engine)
    time.sleep(span)  # idleness is a length of time
    woken = wake_ups(keeper) - before[0], wake_ups(engine) - before[1]
    figure(f"woken in {span} s of idleness: keeper {woken[0]}, engine {woken[1]} times (goal: 2 a minute)")

    times = []
    for _ in range(11):
        begin = time.monotonic()
        shown = mpd.ctl("ps", "--no-header")
        times.append((time.monotonic() - begin) * 1000)
        assert len(shown.out.splitlines()) == count
    figure(f"mpctl ps of {count}: {statistics.median(times):.1f} ms (goal 20)")

    begin = time.monotonic()
    stopped = mpd.ctl("stop", "--all", timeout=60)
    took = time.monotonic() - begin
    assert stopped.code == 0 and not any(alive(pid) for pid in pids)
    figure(f"mpctl stop --all of {count}: {took:.2f} s (goal 0.5)")
    assert mpd.status()["processes"]["alive"] == 0

    assert sum(woken) <= max(1, span // 30)
    if FAST:
        assert memory["keeper"] <= 300 << 10 and memory["engine"] <= 12 << 20
        assert statistics.median(times) < 40 and took < 1.5


def nothing_left(mpd, fds):
    until(lambda: [c for c in children_of(mpd.pid) if c.comm != "mpd-engine"] == [],
          what="an empty brood of the keeper")
    spare = 1  # the journal's other file, once it was compacted
    until(lambda: len(open_fds(mpd.pid)) <= fds[0] and len(open_fds(mpd.engine_pid())) <= fds[1] + spare,
          what=f"{fds} descriptors")


def warm(mpd):
    mpd.begin("/bin/true", name="warm")
    mpd.join("warm")
    return len(open_fds(mpd.pid)), len(open_fds(mpd.engine_pid()))


def test_ten_thousand_one_after_the_other(mpd):
    count = 10_000 if FAST else 1000
    fds = warm(mpd)
    begin = time.monotonic()
    with mpd.connect() as connection:
        for n in range(count):
            made = connection.call("process.start", argv=["/bin/sh", "-c", f"exit {n % 256}"])
            ended = connection.call("process.join", targets=[f"#{made['id']}"])["processes"]
            assert [(p["id"], p["exitcode"]) for p in ended] == [(made["id"], n % 256)]
    took = time.monotonic() - begin
    figure(f"{count} started and joined one after the other: {took:.1f} s, {took / count * 1e6:.0f} us each; "
          f"engine's private dirty memory now {private_dirty(mpd.engine_pid()) / (1 << 20):.1f} MiB")
    nothing_left(mpd, fds)


@pytest.mark.parametrize("mode", ["cgroup", "scan"])
def test_no_request_about_all_of_them_takes_the_loop_long(make_mpd, mode):
    count = 800 if FAST else 200
    mpd = make_mpd(env={} if mode == "cgroup" else {"MPD_CGROUP": "off"})
    room_for(mpd, count)
    engine = mpd.engine_pid()
    with mpd.connect() as connection:
        connection.call("process.start", argv=["/bin/sleep", "1000000"], name="many", processes=count)
        connection.call("process.start", argv=["/bin/sh", "-c", "sleep 1000000 & wait"], name="two")
        until(lambda: len(connection.call("process.status", targets=["two"])["processes"][0]["tree"]) == 2)
        began = time.monotonic()
        processes = connection.call("process.status", targets=["*"])["processes"]
        figure(f"{mode}: the trees of {count} processes in {(time.monotonic() - began) * 1e3:.0f} ms")
        assert sorted(len(p["tree"]) for p in processes) == [1] * count + [2]
        assert len(connection.call("process.signal", signal="CONT", targets=["m*"] * 64)["processes"]) == count
        for targets in ["m*"] * 65, ["m" + "*" * 256]:
            with pytest.raises(RpcError, match="patterns"):
                connection.call("process.signal", signal="CONT", targets=targets)
    assert mpd.engine_pid() == engine


def test_two_thousand_at_once(mpd, fifo):
    count = 2000 if FAST else 500
    room_for(mpd, count)
    gate, fds = fifo(), warm(mpd)
    argvs = [["/bin/sh", "-c", f"read x < {gate.path}; exit {n % 256}"] for n in range(count)]
    with mpd.connect(PATIENCE * 3) as connection:
        begin = time.monotonic()
        made = start_many(connection, argvs)
        assert mpd.status()["processes"]["alive"] == count and len({m["pid"] for m in made}) == count
        number = connection.request("process.join", targets=[m["name"] for m in made])
        for _ in range(count):
            os.write(gate.fd, b"\n")
        ended = connection.reply(number)["processes"]
        figure(f"{count} at once, started and joined in {time.monotonic() - begin:.2f} s")
    assert [(p["id"], p["exitcode"]) for p in ended] == [(m["id"], n % 256) for n, m in enumerate(made)]
    nothing_left(mpd, fds)


def test_exits_all_at_once_are_all_counted(mpd):
    count = 1000 if FAST else 200
    room_for(mpd, count)
    with mpd.connect(PATIENCE * 3) as connection:
        made = start_many(connection, [["/bin/sleep", "1000000"]] * count)
        ended = connection.call("process.kill", all=True)["processes"]
    assert sorted(p["id"] for p in ended if p["exitcode"] == -9) == sorted(m["id"] for m in made)


@pytest.mark.parametrize("mode, turns, rounds, limit",
                         [("serial", 200, 5, 2.5), ("burst", 300, 5, 3.0), ("ping", 60, 5, 2.0)])
def test_the_cost_over_the_systems_own(mpd, mode, turns, rounds, limit):
    if not FAST:
        pytest.skip("figures of a slowed-down build say nothing")
    result = bench.measure(mpd, mode, turns, rounds)
    figure(bench.line(result))
    assert result["ratio"] < limit, json.dumps(result)
