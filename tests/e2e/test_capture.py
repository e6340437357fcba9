# SPDX-License-Identifier: MIT
"""What a process writes is captured: all of it, once, in order, whatever happens to the engine and to the log."""
import base64
import hashlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

import pytest

from harness import PATIENCE, SLOW, figure, open_fds, spawn, until, wait_dead


def test_much_output_is_complete(mpd):
    size = 20_000_000
    script = f"head -c {size} /dev/urandom | tee {mpd.dir}/copy"
    mpd.begin("/bin/sh", "-c", script, name="x")
    assert mpd.join("x")["processes"][0]["exitcode"] == 0
    captured = pathlib.Path(mpd.process("x")["log"]["stdout"])
    assert captured.stat().st_size == size
    assert hashlib.sha256(captured.read_bytes()).digest() == hashlib.sha256((mpd.dir / "copy").read_bytes()).digest()


def test_join_means_that_all_output_is_there(mpd):
    with mpd.connect() as connection:
        for n in range(50):
            connection.call("process.start", argv=["/bin/sh", "-c", f"echo {n}; echo {n} >&2"], name=f"p{n}")
            connection.call("process.join", targets=[f"p{n}"])
            assert connection.call("process.logs", target=f"p{n}")["data"] == f"{n}\n"
            assert connection.call("process.logs", target=f"p{n}", stderr=True)["data"] == f"{n}\n"


def test_a_grandchild_that_keeps_the_pipe_keeps_nobody_waiting(mpd):
    mpd.begin("/bin/sh", "-c", "setsid sh -c 'echo early; exec sleep 1000' & sleep 0.05; echo main; exit 3", name="x",
              kill_mode="process")
    ended = mpd.join("x", timeout=PATIENCE)
    assert ended["done"] is True and ended["processes"][0]["exitcode"] == 3
    assert sorted(mpd.output("x").split()) == [b"early", b"main"]
    mpd.rpc("process.kill", targets=["x"])


def test_a_reader_asks_for_lines_and_from_an_offset(mpd):
    mpd.begin("/bin/sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; printf tail", name="x")
    mpd.join("x")
    text = "".join(f"line {n}\n" for n in range(1, 6)) + "tail"
    assert mpd.rpc("process.logs", target="x")["data"] == text
    assert mpd.rpc("process.logs", target="x", lines=2)["data"] == "line 5\ntail"
    assert mpd.rpc("process.logs", target="x", lines=0)["data"] == ""
    part = mpd.rpc("process.logs", target="x", **{"from": 7, "max": 6})
    assert (part["data"], part["from"], part["next"], part["size"]) == ("line 2", 7, 13, len(text))


def test_a_reader_waits_for_what_comes(mpd, fifo):
    gate = fifo()
    mpd.begin("/bin/sh", "-c", f"read x < {gate.path}; echo now; exec sleep 1000", name="x")
    with mpd.connect() as connection:
        number = connection.request("process.logs", target="x", timeout=PATIENCE, **{"from": 0})
        os.write(gate.fd, b"go\n")
        assert connection.reply(number)["data"] == "now\n"
        assert connection.call("process.logs", target="x", timeout=0.05, **{"from": 4})["data"] == ""


def test_following_ends_with_the_process(mpd, fifo):
    gate = fifo()
    mpd.begin("/bin/sh", "-c", f"echo one; read x < {gate.path}; echo two", name="x")
    with mpd.ctl_popen("logs", "-f", "x") as logs:
        assert logs.stdout.readline() == "one\n"
        os.write(gate.fd, b"go\n")
        assert logs.stdout.readline() == "two\n"
        assert logs.stdout.read() == "" and logs.wait(PATIENCE) == 0


def test_any_bytes(mpd):
    raw = bytes(range(256)) * 3
    (mpd.dir / "raw").write_bytes(raw)
    mpd.begin("/bin/cat", f"{mpd.dir}/raw", name="x")
    mpd.join("x")
    assert mpd.output("x") == raw
    assert base64.b64decode(mpd.rpc("process.logs", target="x", **{"from": 0})["data"]["b64"]) == raw


def test_output_over_engine_deaths(mpd):
    """A writer that never waits, and engines that die while they read: every number is there, once, in order."""
    mpd.begin("/usr/bin/seq", "1", "3000000", name="x")
    kills = 0
    while kills < 5 and mpd.process("x")["alive"]:
        mpd.kill_engine()
        kills += 1
        until(lambda: mpd.process("x")["log"] or True)
    assert mpd.join("x")["processes"][0]["exitcode"] == 0
    figure(f"the engine died {kills} times while it captured")
    wanted = hashlib.sha256(subprocess.run(["/usr/bin/seq", "1", "3000000"], stdout=subprocess.PIPE, check=True).stdout)
    assert hashlib.sha256(mpd.output("x")).digest() == wanted.digest()
    assert kills >= 1


def test_a_deleted_log_does_not_block(mpd, fifo):
    gate = fifo()
    mpd.begin("/bin/sh", "-c", f"echo before; read x < {gate.path}; seq 1 200000; exit 5", name="x")
    log = pathlib.Path(mpd.process("x")["log"]["stdout"])
    until(lambda: log.exists() and log.stat().st_size)
    log.unlink()
    os.write(gate.fd, b"go\n")
    assert mpd.join("x", timeout=PATIENCE)["processes"][0]["exitcode"] == 5


@pytest.mark.parametrize("what", ["fifo", "directory", "missing directory"])
def test_a_log_that_cannot_be_written_does_not_block_the_job(make_mpd, tmp_path, what):
    path = tmp_path / "log"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    else:
        path = tmp_path / "nowhere" / "log"
    mpd = make_mpd(f"[job:x]\ncommand = /bin/sh -c 'seq 1 100000; exit 5'\nlog_file = {path}\nrestart = no\n")
    assert mpd.join("x", timeout=PATIENCE)["processes"][0]["exitcode"] == 5
    assert mpd.rpc("mpd.ping") == "pong"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_does_not_block_the_job(make_mpd, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        mpd = make_mpd(f"[job:x]\ncommand = /bin/sh -c 'seq 1 200000; exit 5'\nlog_file = {small}/log\nrestart = no\n")
        assert mpd.join("x", timeout=PATIENCE)["processes"][0]["exitcode"] == 5
        assert mpd.rpc("mpd.ping") == "pong"
        mpd.stop()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_job_that_writes_without_end_lets_others_live(mpd):
    mpd.begin("/usr/bin/yes", name="noise")
    slowest = 0
    with mpd.connect() as connection:
        for _ in range(100):
            before = time.monotonic()
            connection.call("mpd.ping")
            slowest = max(slowest, time.monotonic() - before)
    mpd.rpc("process.kill", targets=["noise"])
    figure(f"slowest of 100 pings beside a job that writes without end: {slowest * 1000:.1f} ms")
    assert slowest < 0.5 * SLOW


def test_output_of_a_process_killed_in_the_middle(mpd):
    made = mpd.begin("/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; done", name="x")
    until(lambda: mpd.rpc("process.logs", target="x")["size"] > 50000)
    os.kill(made["pid"], signal.SIGKILL)
    assert wait_dead(made["pid"])
    mpd.join("x")
    numbers = mpd.output("x").split(b"\n")[:-1]
    assert numbers == [str(n).encode() for n in range(1, len(numbers) + 1)]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_without_memory_for_the_scratch_output_goes_on(mpd):
    engine = mpd.engine_pid()
    strace = spawn(["strace", "-o", mpd.dir / "trace", "-e", "trace=splice", "-e", "inject=splice:error=ENOSPC", "-p",
                    engine], stderr=subprocess.DEVNULL)
    until(lambda: f"TracerPid:\t{strace.pid}\n" in pathlib.Path(f"/proc/{engine}/status").read_text())
    mpd.begin("/bin/sh", "-c", "head -c 300000 /dev/zero; echo end >&2; exec sleep 1000", name="x")
    until(lambda: mpd.output("x", "stderr") == b"end\n")
    until(lambda: len(mpd.output("x")) == 300_000)
    strace.send_signal(signal.SIGINT)
    assert wait_dead(strace.pid) and "ENOSPC" in (mpd.dir / "trace").read_text()
    strace.wait()
    assert mpd.status()["captured"] == {"bytes": 300_004, "dropped": 0} and mpd.engine_pid() == engine


def test_an_engine_without_descriptors_leaves_no_pipe_unread(mpd):
    engine = mpd.engine_pid()
    with mpd.connect() as connection:
        connection.call("mpd.ping")
        _, hard = resource.prlimit(engine, resource.RLIMIT_NOFILE)
        resource.prlimit(engine, resource.RLIMIT_NOFILE, (max(open_fds(engine)) + 1 + 3, hard))  # 3 for the start
        os.kill(mpd.pid, signal.SIGSTOP)
        connection.request("process.start", argv=["/bin/sh", "-c", "head -c 300000 /dev/zero; exec sleep 1000"], name="x")
        connection.call("mpd.ping")  # it is with the keeper now
        crowd = [mpd.connect() for _ in range(8)]  # which has those 3 by the time the pipes come
        assert "descriptors" in crowd[7].recv()["error"]["message"]
        os.kill(mpd.pid, signal.SIGCONT)
        assert wait_dead(engine)
        for one in crowd:
            one.close()
    until(lambda: len(mpd.output("x")) == 300_000)
    assert mpd.process("x")["state"] == "running"
