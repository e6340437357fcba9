# SPDX-License-Identifier: MIT
"""The keeper alone: build/mpd with tests/tools/fake_engine.c, which says what it was told and sends what it is told."""
import contextlib
import errno
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from harness import BUILD, PATIENCE, SLOW, alive, children_of, open_fds, spawn, stat_of, until, wait_dead

FAKE = BUILD / "tests/tools/fake_engine"
CGROUPS = pathlib.Path("/sys/fs/cgroup/unified")
if not CGROUPS.exists():
    CGROUPS = pathlib.Path("/sys/fs/cgroup")
PROCESS, GROUP, TREE = 0, 1, 2
CLD_EXITED, CLD_KILLED = 1, 2
ROOT = os.geteuid() == 0

pytestmark = pytest.mark.skipif(not FAKE.exists(), reason="make tools")


def order_shutdown(path):
    with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
        s.connect(path)
        s.sendall(b"shutdown\n")


class Keeper:
    """One mpd under a directory of its own, and a connection to its fake engine."""

    def __init__(self, env=None, args=(), wait=True, folder=None, **popen):
        self.dir = folder or tempfile.mkdtemp(prefix="mpk", dir="/tmp")
        self.socket, self.state = f"{self.dir}/s", f"{self.dir}/state"
        self.env = {**os.environ, **(env or {})}
        self.args = [str(BUILD / "mpd"), "--engine", str(FAKE), "-s", self.socket, "-d", self.state, *args]
        self.log_file = open(f"{self.dir}/log", "a")
        self.daemon = subprocess.Popen(self.args, env=self.env, stderr=self.log_file, stdin=subprocess.DEVNULL, **popen)
        self.pid, self.sock, self.lines, self.ids = self.daemon.pid, None, [], 0
        if wait:
            self.connect()
            self.expect("SYNCED")

    # --- the engine's ends ---

    def connect(self, socket_path=None):
        """A new connection, whose lines begin with all that the engine there is has heard."""
        if self.sock:
            self.sock.close()
        def attempt():
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE)
            try:
                self.sock.connect(socket_path or self.socket)
                return True
            except OSError:
                self.sock.close()
                return False
        until(attempt, what="connect")
        self.buffer, self.lines = b"", []

    def send(self, *words):
        self.sock.sendall("\t".join(map(str, words)).encode() + b"\n")

    def expect(self, *words, timeout=PATIENCE):
        """The next line that begins so, as a list of its words; the others stay for later."""
        want = [str(w) for w in words]
        end = time.monotonic() + timeout
        while True:
            for i, line in enumerate(self.lines):
                if line[:len(want)] == want:
                    return self.lines.pop(i)
            assert time.monotonic() < end, f"no {want} in {self.lines}; log: {self.log()}"
            data = self.sock.recv(65536)
            assert data, f"the engine is gone while waiting for {want}: {self.lines}; log: {self.log()}"
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            self.lines += [line.decode(errors="surrogateescape").split("\t") for line in lines]

    def nothing(self, *words):
        """All that the keeper has told until now is here, and no line begins so."""
        self.send("fds")
        self.expect("FDS")
        assert not [line for line in self.lines if line[:len(words)] == [str(w) for w in words]]

    def spawn(self, *argv, **options):
        self.ids += 1
        options = [f"{k}={v}" for k, v in options.items() if k != "env"] + [f"env={e}" for e in options.get("env", [])]
        self.send("spawn", self.ids, *options, "--", *argv)
        return self.ids

    def start(self, *argv, **options):
        """(id, pid) of a process that runs."""
        i = self.spawn(*argv, **options)
        return i, int(self.expect("STARTED", i)[3])

    def status(self, i):
        words = self.expect("EXITED", i)
        return int(words[3]), int(words[4])

    def failure(self, *argv, **options):
        i = self.spawn(*argv, **options)
        words = self.expect("FAILED", i)
        self.send("release", i)
        return words[3], int(words[4])

    def output(self, *argv, **options):
        """What it wrote to stdout, as lines, and its exit."""
        i, _ = self.start(*argv, out="pipe", **options)
        status = self.status(i)
        self.send("read", i, 0)
        text = self.expect("READ", i)[2]
        self.send("release", i)
        return text.split("|")[:-1], status

    def engine(self):
        return int([line for line in self.history() if line[0] == "ENGINE"][-1][2])

    def history(self):
        self.send("fds")
        last = self.expect("FDS")
        return self.lines + [last]

    def next_engine(self):
        """After a death: connects to the next one, which has been told everything."""
        self.connect()
        return self.expect("SYNCED")

    def log(self):
        return open(f"{self.dir}/log").read()

    # --- the end ---

    def stop(self, wait=True):
        self.daemon.send_signal(signal.SIGTERM)
        if not wait:
            return None
        return self.daemon.wait(PATIENCE)

    def finish(self):
        if self.daemon.poll() is None:
            order_shutdown(self.socket)
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
                raise
        if self.sock:
            self.sock.close()
        self.log_file.close()
        log = self.log() if os.path.exists(self.dir) else ""  # a second one in the same place may have cleaned up
        shutil.rmtree(self.dir, ignore_errors=True)
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log and "BUG" not in log, log
        assert not (CGROUPS / f"mpctl.{self.pid}").exists()


@pytest.fixture
def make_keeper():
    made = []
    def make(**options):
        made.append(Keeper(**options))
        return made[-1]
    yield make
    for k in made:
        k.finish()


MODES = {"cgroup": {}, "scan": {"MPD_CGROUP": "off"}}


@pytest.fixture(params=MODES)
def keeper(request, make_keeper):
    k = make_keeper(env=MODES[request.param])
    k.mode = request.param
    return k


@pytest.fixture(scope="module", autouse=True)
def doomed():
    """Its engines die at once from the second on: it needs half a minute to safe mode, while the other tests run."""
    k = Keeper(env={"FAKE_ENGINE": "die 2 99"})
    k.sleeper = k.start("sleep", "1000")
    k.send("exit", 1)
    yield k
    k.finish()


def marked(mark):
    """Pids of all whose command line has the mark, zombies not counted."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark.encode() in open(f"/proc/{pid}/cmdline", "rb").read():
                found.append(int(pid))
        except OSError:
            pass
    return found


# --- starting ------------------------------------------------------------------------------------------------------

def test_statuses(keeper):
    for code in (0, 1, 7, 255):
        i, _ = keeper.start("sh", "-c", f"exit {code}")
        assert keeper.status(i) == (CLD_EXITED, code)
        keeper.send("release", i)
    for signo in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1):
        i, _ = keeper.start("sleep", "1000")
        keeper.send("signal", i, int(signo), PROCESS)
        assert keeper.status(i) == (CLD_KILLED, signo)


def test_failures_name_their_step(keeper, tmp_path):
    (tmp_path / "plain").write_text("echo\n")
    (tmp_path / "lost").write_text("#!/nonexistent\n")
    (tmp_path / "lost").chmod(0o755)
    os.mkfifo(tmp_path / "fifo")
    assert keeper.failure("/nonexistent") == ("exec", errno.ENOENT)
    assert keeper.failure("nonexistent") == ("exec", errno.ENOENT)
    assert keeper.failure(tmp_path / "plain") == ("exec", errno.EACCES)
    assert keeper.failure("plain", env=[f"PATH={tmp_path}"]) == ("exec", errno.EACCES)
    assert keeper.failure(tmp_path / "lost") == ("exec", errno.ENOENT)
    assert keeper.failure("true", cwd="/nonexistent") == ("chdir", errno.ENOENT)
    assert keeper.failure("true", cwd="/etc/passwd") == ("chdir", errno.ENOTDIR)
    assert keeper.failure("true", **{"in": "/nonexistent"}) == ("stdin", errno.ENOENT)
    assert keeper.failure("true", out=tmp_path / "fifo") == ("stdout", errno.ENXIO)  # and nothing blocks
    assert keeper.failure("true", err="/nonexistent/x") == ("stderr", errno.ENOENT)
    assert keeper.failure("true", flags=1) == ("terminal", errno.ENOTTY)
    assert keeper.failure("true", noseal=1) == ("plan", errno.EPERM)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert keeper.output("sh", "-c", "ulimit -n", nofile=min(99, hard))[0] == [str(min(99, hard))]
    assert ROOT or keeper.failure("true", flags=2) == ("identity", errno.EPERM)
    assert ROOT or keeper.failure("true", nofile=hard + 1) == ("limits", errno.EPERM)
    assert keeper.failure("true", noclient=1) == ("identity", errno.EPERM)
    assert keeper.output("true")[1] == (CLD_EXITED, 0)
    assert not [s for s in children_of(keeper.pid) if s.pid != keeper.engine()]


def test_descriptors_are_exactly_three(keeper):
    _, pid = keeper.start("sleep", "1000", out="pipe", err="pipe")
    until(lambda: sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"])  # its loader has files open for a moment
    keeper.send("fds")
    assert keeper.expect("FDS")[1].split() == ["3", "4", "5", "6", "7"]


def test_environment(keeper):
    given = ["A=1", "NOTIFY_SOCKET=/x", "LISTEN_FDS=1", "WATCHDOG_USEC=1", "MPD_PROCESS=99", "B=2"]
    i, pid = keeper.start("sleep", "1000", parent=5, env=given)
    env = until(lambda: open(f"/proc/{pid}/environ").read()).split("\0")[:-1]  # the exec may be about to end
    assert sorted(env) == sorted(["A=1", "B=2", f"MPD_PROCESS={i}", "MPD_PARENT=5", f"MPD_KEEPER={keeper.pid}"])


def test_path_and_scripts(keeper, tmp_path):
    script = tmp_path / "greet"
    script.write_text("echo hello $1\n")
    script.chmod(0o755)
    assert keeper.output("greet", "you", env=[f"PATH=/nonexistent:{tmp_path}:/bin"])[0] == ["hello you"]
    assert keeper.output("sh", "-c", "echo $0", "x")[0] == ["x"]  # no PATH at all


def test_place(keeper, tmp_path):
    assert keeper.output("pwd", cwd=tmp_path)[0] == [str(tmp_path)]
    assert keeper.output("pwd", cwdfd=tmp_path)[0] == [str(tmp_path)]
    assert keeper.output("pwd")[0] == ["/"]
    assert keeper.output("sh", "-c", "umask", umask="027")[0] == ["0027"]
    assert keeper.output("nice", nice=5)[0] == ["5"]
    _, pid = keeper.start("sleep", "1000")
    assert os.getsid(pid) == pid == os.getpgid(pid)
    status = open(f"/proc/{pid}/status").read()
    for field in ("SigBlk", "SigIgn", "SigCgt"):
        assert f"{field}:\t0000000000000000" in status
    limit = [line for line in open(f"/proc/{pid}/limits") if line.startswith("Max open files")][0].split()
    assert limit[3] == [line for line in open("/proc/self/limits") if line.startswith("Max open files")][0].split()[3]


def test_redirects(keeper, tmp_path):
    out = tmp_path / "out"
    i, _ = keeper.start("sh", "-c", "cat; echo err >&2", out=out, err="stdout", **{"in": "/proc/sys/kernel/ostype"})
    keeper.status(i)
    i, _ = keeper.start("echo", "more", out=out)
    keeper.status(i)
    assert out.read_text() == "Linux\nerr\nmore\n"


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_identity_is_the_kernels_word(make_keeper):
    k = make_keeper()
    os.chmod(k.dir, 0o711)
    os.chmod(k.socket, 0o666)
    client = subprocess.Popen(
        [sys.executable, "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
         "s.sendall(b'spawn\\t900\\t--\\tsleep\\t1000\\nspawn\\t901\\tnice=-5\\t--\\ttrue\\n"
         "spawn\\t902\\tout=/root/x\\t--\\ttrue\\nspawn\\t903\\tout=inherit\\t--\\ttrue\\n')\n"
         "sys.stdin.read()", k.socket],
        user=1234, group=1235, extra_groups=[1236, 1237], stdin=subprocess.PIPE)
    started = k.expect("STARTED", 900)
    status = open(f"/proc/{started[3]}/status").read()
    assert started[4] == "1234"
    assert "Uid:\t1234\t1234\t1234\t1234\n" in status and "Gid:\t1235\t1235\t1235\t1235\n" in status
    assert set(status.split("Groups:\t")[1].split("\n")[0].split()) == {"1236", "1237"}
    assert k.expect("FAILED", 901)[3:] == ["nice", str(errno.EPERM)]
    assert k.expect("FAILED", 902)[3:] == ["stdout", str(errno.EACCES)]  # opened as the user
    assert k.expect("FAILED", 903)[3:] == ["stdout", str(errno.EPERM)]
    client.stdin.close()
    client.wait(PATIENCE)


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_a_users_plan_cannot_name_another(make_keeper):
    """Whatever the engine lets pass: the keeper itself asks who the client is."""
    k = make_keeper()
    os.chmod(k.dir, 0o711)
    os.chmod(k.socket, 0o666)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    lines = ["spawn\t900\tflags=2\tuid=0\tgid=0\t--\ttrue\n", "spawn\t901\tflags=2\tuid=1234\tgid=1234\t--\ttrue\n",
             f"spawn\t902\tnofile={hard + 1}\t--\ttrue\n", "spawn\t903\tnofile=99\t--\tsleep\t1000\n"]
    client = subprocess.Popen(
        [sys.executable, "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
         "s.sendall(sys.argv[2].encode())\nsys.stdin.read()", k.socket, "".join(lines)],
        user=1234, group=1234, extra_groups=[], stdin=subprocess.PIPE)
    assert k.expect("FAILED", 900)[3:] == ["identity", str(errno.EPERM)]
    assert k.expect("FAILED", 901)[3:] == ["identity", str(errno.EPERM)]
    assert k.expect("FAILED", 902)[3:] == ["limits", str(errno.EPERM)]
    pid = int(k.expect("STARTED", 903)[3])
    limits = open(f"/proc/{pid}/limits").read()
    assert limits.split("Max open files")[1].split()[:2] == ["99", "99"]
    client.stdin.close()
    client.wait(PATIENCE)


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_roots_plan_may_name_another(keeper):
    nobody = {"flags": 2, "uid": 1234, "gid": 1235, "group": 1236}
    _, pid = keeper.start("sleep", "1000", **nobody)
    status = open(f"/proc/{pid}/status").read()
    assert "Uid:\t1234\t1234\t1234\t1234\n" in status and "Gid:\t1235\t1235\t1235\t1235\n" in status
    assert status.split("Groups:\t")[1].split("\n")[0].split() == ["1236"]
    assert keeper.failure("true", **nobody | {"uid": 2**32 - 1}) == ("identity", errno.EINVAL)
    assert keeper.failure("true", **nobody | {"gid": 2**32 - 1}) == ("identity", errno.EINVAL)
    assert keeper.failure("true", out="/root/x", **nobody) == ("stdout", errno.EACCES)
    assert keeper.failure("true", out="inherit", **nobody) == ("stdout", errno.EPERM)


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_a_start_that_hangs_holds_nobody_up_for_long(keeper):
    program = pathlib.Path(keeper.dir, "program")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    os.chown(program, 1234, 1234)
    os.chmod(keeper.dir, 0o711)
    os.chmod(keeper.socket, 0o666)
    client = subprocess.Popen(
        [sys.executable, "-c", "import fcntl,os,signal,socket,sys\nsignal.signal(signal.SIGIO,signal.SIG_IGN)\n"
         "fcntl.fcntl(os.open(sys.argv[2],os.O_RDONLY),fcntl.F_SETLEASE,fcntl.F_WRLCK)\n"  # an open of it waits for 45 s
         "s=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
         "s.sendall(b'spawn\\t900\\t--\\t%b\\nspawn\\t901\\t--\\ttrue\\n'%sys.argv[2].encode())\n"
         "sys.stdin.read()", keeper.socket, program],
        user=1234, group=1234, extra_groups=[], stdin=subprocess.PIPE)
    assert keeper.expect("FAILED", 900)[3:] == ["exec", str(errno.ETIME)]
    assert keeper.expect("FAILED", 901)[3:] == ["clone", str(errno.EAGAIN)]
    assert keeper.status(keeper.start("sh", "-c", "exit 7")[0]) == (CLD_EXITED, 7)
    client.stdin.close()
    client.wait(PATIENCE)
    assert not marked(str(program))


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_another_users_keeper_starts_nothing_for_root(make_keeper):
    folder = tempfile.mkdtemp(prefix="mpk", dir="/tmp")
    os.chown(folder, 1234, 1234)
    k = make_keeper(folder=folder, user=1234, group=1234, extra_groups=[])
    assert k.failure("true") == ("identity", errno.EPERM)
    client = subprocess.Popen(
        [sys.executable, "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
         "s.sendall(b'spawn\\t900\\t--\\tsleep\\t1000\\n')\nsys.stdin.read()", k.socket],
        user=1234, group=1234, extra_groups=[], stdin=subprocess.PIPE)
    pid = k.expect("STARTED", 900)[3]
    assert "Uid:\t1234\t1234\t1234\t1234\n" in open(f"/proc/{pid}/status").read()
    k.send("kill", 900)
    k.expect("TREE_EMPTY", 900)
    client.stdin.close()
    client.wait(PATIENCE)


def test_jobs_of_the_table(make_keeper):
    k = make_keeper(env={"FAKE_JOB": "echo job; exit 4"})
    k.send("job", 50, 0, 0)
    k.expect("STARTED", 50)
    assert k.status(50) == (CLD_EXITED, 4)
    k.send("read", 50, 0)
    assert k.expect("READ", 50)[2] == "job|"
    for i, (job, instance) in enumerate(((0, 1), (1, 0), (4294967295, 0)), 51):
        k.send("job", i, job, instance)
        assert k.expect("FAILED", i)[3:] == ["plan", str(errno.ENOENT)]


def test_no_slot_is_a_failure_that_stays(make_keeper):
    k = make_keeper(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (72, 72)))
    ids = [k.start("sleep", "1000")[0] for _ in range(2)]
    refused = k.spawn("true")
    assert k.expect("FAILED", refused)[3:] == ["limit", str(errno.EAGAIN)]
    os.kill(k.engine(), signal.SIGKILL)
    k.next_engine()
    k.connect()
    assert k.expect("FAILED", refused)[3:] == ["limit", str(errno.EAGAIN)]
    k.send("release", refused)
    k.send("kill", ids[0])
    k.status(ids[0])
    k.expect("TREE_EMPTY", ids[0])
    k.send("release", ids[0])
    k.start("sleep", "1000")


# --- many ----------------------------------------------------------------------------------------------------------

def private_dirty(pid):
    """KiB; without the program's own text, which counts as dirty until a fresh build has reached the disk."""
    total, counts = 0, True
    for words in map(str.split, open(f"/proc/{pid}/smaps")):
        if not words[0].endswith(":"):
            counts = "w" in words[1] or not words[-1].endswith("/mpd")
        elif words[0] == "Private_Dirty:" and counts:
            total += int(words[1])
    return total


def test_a_thousand(keeper):
    n = 1000 if SLOW == 1 else 200
    before = open_fds(keeper.pid)
    ids = [keeper.spawn("sleep", "1000", out="pipe", err="pipe") for _ in range(n)]
    for i in ids:
        keeper.expect("STARTED", i)
    if SLOW == 1:
        dirty = private_dirty(keeper.pid)
        print(f"private dirty of the keeper with {n} processes: {dirty} KiB")
        assert dirty <= 300
    began = time.monotonic()
    for i in ids:
        keeper.send("kill", i)
    for i in ids:
        assert keeper.status(i) == (CLD_KILLED, signal.SIGKILL)
    for i in ids:
        keeper.expect("TREE_EMPTY", i)
    print(f"{n} killed in {time.monotonic() - began:.3f} s")
    for i in ids:
        keeper.send("release", i)
    keeper.nothing("EXITED")
    until(lambda: open_fds(keeper.pid) == before)
    assert not [s for s in children_of(keeper.pid) if s.pid != keeper.engine()]


def test_exits_at_once_are_all_counted(keeper, tmp_path):
    os.mkfifo(tmp_path / "gate")
    gate = os.open(tmp_path / "gate", os.O_RDWR)
    n = 400 if SLOW == 1 else 100
    ids = [keeper.spawn("sh", "-c", f"read x; exit {i % 200}", **{"in": tmp_path / "gate"}) for i in range(n)]
    for i in ids:
        keeper.expect("STARTED", i)
    os.write(gate, b"\n" * n)
    for k, i in enumerate(ids):
        assert keeper.status(i) == (CLD_EXITED, k % 200)
    os.close(gate)


def test_descriptors_stay_flat(keeper):
    before = open_fds(keeper.pid)
    for _ in range(20):
        ids = [keeper.spawn("true", out="pipe", err="pipe") for _ in range(100 if SLOW == 1 else 20)]
        for i in ids:
            keeper.expect("STARTED", i)
            keeper.status(i)
            keeper.send("release", i)
    until(lambda: open_fds(keeper.pid) == before)


# --- the engine's deaths -------------------------------------------------------------------------------------------

def test_table_is_told_again(keeper):
    running, pid = keeper.start("sh", "-c", "echo one; sleep 1000", out="pipe")
    ended, _ = keeper.start("sh", "-c", "echo last; exit 3", out="pipe", err="pipe")
    assert keeper.status(ended) == (CLD_EXITED, 3)
    failed = keeper.spawn("/nonexistent")
    keeper.expect("FAILED", failed)
    released, _ = keeper.start("true")
    keeper.status(released)
    keeper.send("release", released)
    keeper.nothing("EXITED", running)
    os.kill(keeper.engine(), signal.SIGKILL)
    synced = keeper.next_engine()
    assert synced[2] == "2" and int(synced[1]) > 0
    keeper.connect()
    lines = [line for line in keeper.history() if line[0] in ("STARTED", "EXITED", "FAILED")]
    assert sorted(line[:2] for line in lines) == sorted(
        [["STARTED", str(running)], ["STARTED", str(ended)], ["EXITED", str(ended)], ["FAILED", str(failed)]])
    assert keeper.expect("STARTED", running)[3] == str(pid)
    keeper.send("read", ended, 0)
    assert keeper.expect("READ", ended)[2] == "last|"
    until(lambda: keeper.send("read", running, 0) or keeper.expect("READ", running)[2] == "one|")


def test_exit_while_there_is_no_engine(make_keeper):
    k = make_keeper(env={"FAKE_ENGINE": "die 2 4"})
    i, pid = k.start("sh", "-c", "sleep 0.1; exit 5")
    engine = k.engine()
    os.kill(engine, signal.SIGKILL)
    wait_dead(pid)
    assert k.next_engine()[2] == "5"
    assert k.status(i) == (CLD_EXITED, 5)


def test_what_was_sent_before_death_is_done(keeper):
    i, pid = keeper.start("sleep", "1000")
    batch = "".join(f"spawn\t{n}\t--\tsleep\t1000\n" for n in range(100, 200))
    keeper.sock.sendall((f"signal\t{i}\t15\t0\njournal\tkept\n{batch}exit\t1\n").encode())
    keeper.next_engine()
    assert keeper.status(i) == (CLD_KILLED, signal.SIGTERM)
    for n in range(100, 200):
        keeper.expect("STARTED", n)
    keeper.send("journal?")
    assert keeper.expect("JOURNAL")[1] == "kept"


def test_nothing_is_lost_while_the_engine_does_not_read(keeper):
    n = 600 if SLOW == 1 else 300
    engine = keeper.engine()
    batch = "".join(f"spawn\t{k}\tout=pipe\terr=pipe\t--\tsh\t-c\texit 7\n" for k in range(1000, 1000 + n))
    keeper.sock.sendall((batch + "hang\n").encode())
    assert wait_dead(engine)  # the watchdog
    keeper.next_engine()
    assert "hangs" in keeper.log()
    for k in range(1000, 1000 + n):
        keeper.expect("STARTED", k)
        assert keeper.status(k) == (CLD_EXITED, 7)


def test_stopped_engine_is_replaced(keeper):
    i, pid = keeper.start("sleep", "1000")
    engine = keeper.engine()
    os.kill(engine, signal.SIGSTOP)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert wait_dead(engine)
    assert 1.5 < time.monotonic() - began < 4 * SLOW
    keeper.next_engine()
    assert keeper.status(i) == (CLD_KILLED, signal.SIGKILL)


def test_idle_engine_may_stop_as_long_as_it_likes(keeper):
    engine = keeper.engine()
    time.sleep(1)  # for the watch of what was told at the start
    os.kill(engine, signal.SIGSTOP)
    assert not wait_dead(engine, timeout=3)
    os.kill(engine, signal.SIGCONT)
    keeper.nothing("x")


def test_keeper_sleeps_when_nothing_happens(keeper):
    keeper.start("sleep", "1000")
    time.sleep(1.2)
    def switches():
        return sum(int(line.split()[1]) for line in open(f"/proc/{keeper.pid}/status") if "ctxt" in line)
    before = switches()
    time.sleep(2)
    assert switches() == before


# --- trees ---------------------------------------------------------------------------------------------------------

FORKER = """
import os, signal, sys, time
mark, how = sys.argv[1:]
while True:
    if how == "move":  # a new pid, and a new session, all the time
        if os.fork(): os._exit(0)
        os.setsid()
    else:
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
        time.sleep(0.002)
"""

ZOO = {
    "plain": ["sleep", "{mark}"],
    "children": ["sh", "-c", "sleep {mark} & sleep {mark} & wait"],
    "setsid": ["sh", "-c", "setsid sleep {mark} & setsid setsid sleep {mark} & sleep {mark}; true"],
    "double fork": ["sh", "-c", "(setsid sh -c 'sleep {mark} & sleep {mark}; true' &) ; sleep {mark}; true"],
    "stopped": ["sh", "-c", "(kill -STOP $$; :) & sleep {mark}; true"],
    "deaf": ["sh", "-c", "trap '' TERM HUP INT; (trap '' TERM; sleep {mark}; true) & while :; do sleep {mark}; done"],
    "breeder": [sys.executable, "{forker}", "{mark}", "breed"],
    "mover": ["sh", "-c", f"{sys.executable} {{forker}} {{mark}} move & sleep {{mark}}; true"],
    "orphans": ["sh", "-c", "sleep {mark} & setsid sleep {mark} & (setsid sh -c 'sleep {mark}; true' &) ; exit 0"],
}


@pytest.mark.parametrize("kind", ZOO)
def test_zoo_is_gone_after_kill(keeper, kind, tmp_path):
    mark = f"9{os.getpid():07d}{time.monotonic_ns() % 10**9}"
    (tmp_path / "forker").write_text(FORKER)
    argv = [w.replace("{forker}", str(tmp_path / "forker")).replace("{mark}", mark) for w in ZOO[kind]]
    bystander, _ = keeper.start("sleep", "1000")
    i, pid = keeper.start(*argv, env=["PATH=/bin:/usr/bin"])
    until(lambda: len(marked(mark)) >= {"plain": 1, "stopped": 2, "breeder": 20, "mover": 2}.get(kind, 3))
    if kind == "orphans":
        words = keeper.expect("EXITED", i)
        assert words[5] == "1", "something was left, and that was not said"
    keeper.send("kill", i)
    keeper.expect("TREE_EMPTY", i)
    until(lambda: not [p for p in marked(mark) if alive(p)], timeout=2 * SLOW)
    if kind != "orphans":
        assert keeper.status(i) == (CLD_KILLED, signal.SIGKILL)
    keeper.send("release", i)
    keeper.nothing("EXITED", bystander)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_kill_without_descriptors_is_late_but_whole(keeper):
    mark = f"97{keeper.pid}"
    i, pid = keeper.start("sh", "-c", f"setsid sh -c 'sleep {mark} & wait' & exec sleep {mark}")
    until(lambda: len(marked(mark)) >= 3)
    strace = spawn(["strace", "-o", "/dev/null", "-e", "trace=openat", "-e", "inject=openat:error=EMFILE:when=1..40",
                    "-p", keeper.pid], stderr=subprocess.DEVNULL)
    until(lambda: f"TracerPid:\t{strace.pid}\n" in open(f"/proc/{keeper.pid}/status").read())
    keeper.send("kill", i)
    assert keeper.status(i) == (CLD_KILLED, signal.SIGKILL)
    keeper.expect("TREE_EMPTY", i)
    assert not marked(mark) and not alive(pid)
    strace.send_signal(signal.SIGINT)
    strace.wait(PATIENCE)


def test_kill_of_what_is_empty_answers_at_once(keeper):
    i, _ = keeper.start("true")
    assert keeper.expect("EXITED", i)[5] == "0"
    keeper.send("kill", i)
    keeper.expect("TREE_EMPTY", i)


def test_a_slot_whose_tree_was_killed_serves_again(keeper):
    """Some kernels kill all that is cloned into a cgroup after cgroup.kill was written there."""
    for _ in range(3):
        i, _ = keeper.start("sleep", "1000")
        keeper.send("kill", i)
        keeper.expect("TREE_EMPTY", i)
        keeper.status(i)
        keeper.send("release", i)
        i, _ = keeper.start("sh", "-c", "exit 5")
        assert keeper.status(i) == (CLD_EXITED, 5)
        keeper.send("release", i)


def test_signal_to_the_whole_tree(keeper, tmp_path):
    trap = f"trap 'echo got >> {tmp_path}/got; exit' USR1; while :; do sleep 0.01; done"
    i, _ = keeper.start("sh", "-c", f"setsid sh -c \"{trap}\" & sh -c \"{trap}\" & touch {tmp_path}/up; {trap}",
                        env=["PATH=/bin:/usr/bin"])
    until(lambda: (tmp_path / "up").exists())
    time.sleep(0.3 * SLOW)
    keeper.send("signal", i, int(signal.SIGUSR1), TREE)
    until(lambda: (tmp_path / "got").exists() and len((tmp_path / "got").read_text().split()) == 3)
    keeper.status(i)


def test_signal_to_the_group_leaves_other_sessions(keeper):
    mark = f"8{os.getpid():07d}{time.monotonic_ns() % 10**9}"
    i, pid = keeper.start("sh", "-c", f"setsid sleep {mark} & sleep {mark}; true", env=["PATH=/bin:/usr/bin"])
    comm = "/proc/%d/comm"
    until(lambda: [open(comm % p).read() for p in marked(f"sleep\0{mark}")] == ["sleep\n"] * 2)  # past setsid's exec
    keeper.send("signal", i, int(signal.SIGTERM), GROUP)
    words = keeper.expect("EXITED", i)
    assert words[5] == "1"
    until(lambda: len([p for p in marked(f"sleep\0{mark}") if alive(p)]) == 1)
    keeper.send("kill", i)
    keeper.expect("TREE_EMPTY", i)


def test_a_directory_with_leftovers_is_not_shared(make_keeper):
    """A slot is used again while the leftover of its former process lives: killing the new one spares the leftover."""
    k = make_keeper()
    mark = f"7{os.getpid():07d}{time.monotonic_ns() % 10**9}"
    i, _ = k.start("sh", "-c", f"setsid sleep {mark} & exit 0", env=["PATH=/bin:/usr/bin"])
    assert k.expect("EXITED", i)[5] == "1"
    k.send("release", i)
    j, _ = k.start("sleep", "1000")
    k.send("kill", j)
    k.expect("TREE_EMPTY", j)
    assert len([p for p in marked(f"sleep\0{mark}") if alive(p)]) == 1


def test_stray_is_counted_and_ended_at_shutdown(make_keeper):
    k = make_keeper(env=MODES["scan"])
    mark = f"6{os.getpid():07d}{time.monotonic_ns() % 10**9}"
    i, _ = k.start("sh", "-c", f"(setsid env -i sleep {mark} &); exit 0", env=["PATH=/bin:/usr/bin"])
    k.status(i)
    until(lambda: len(marked(f"sleep\0{mark}")) == 1)
    def told():
        k.status(k.start("true")[0])
        return [line for line in k.history() if line[:1] == ["STRAYS"]]
    assert until(told) == [["STRAYS", "1"]]
    k.stop(wait=False)
    k.expect("STOP")
    k.send("shutdown")
    assert k.daemon.wait(PATIENCE) == 0
    assert not marked(mark)


# --- start and end of the keeper -----------------------------------------------------------------------------------

def test_stop_ends_everything(keeper):
    mark = f"5{os.getpid():07d}{time.monotonic_ns() % 10**9}"
    keeper.start("sh", "-c", f"setsid sleep {mark} & trap '' TERM; while :; do sleep {mark}; done",
                 env=["PATH=/bin:/usr/bin"])
    keeper.start("sleep", mark)
    until(lambda: len(marked(mark)) >= 3)
    engine = keeper.engine()
    keeper.stop(wait=False)
    keeper.expect("STOP")
    assert alive(keeper.pid)
    keeper.send("shutdown")
    assert keeper.daemon.wait(PATIENCE) == 0
    assert not marked(mark) and not alive(engine)
    assert not os.path.exists(keeper.socket)
    assert not (CGROUPS / f"mpctl.{keeper.pid}").exists()


def test_second_sigterm_does_without_the_engine(keeper):
    keeper.start("sleep", "1000")
    keeper.stop(wait=False)
    keeper.expect("STOP")
    assert keeper.stop() == 0


def test_stop_while_there_is_no_engine(make_keeper):
    k = make_keeper(env={"FAKE_ENGINE": "die 2 99"})
    k.send("exit", 1)
    until(lambda: k.log().count("died") >= 5)  # the next one is started in some seconds
    began = time.monotonic()
    assert k.stop() == 0
    assert time.monotonic() - began < 2 * SLOW


def test_second_mpd_is_refused(keeper):
    second = subprocess.run(keeper.args, capture_output=True, text=True, timeout=PATIENCE)
    assert (second.returncode, second.stderr) == (
        1, f"mpd: already running as pid {keeper.pid} (socket {keeper.socket})\n")
    other = [f"{keeper.dir}/s2" if a == keeper.socket else a for a in keeper.args]
    second = subprocess.run(other, capture_output=True, text=True, timeout=PATIENCE)
    assert (second.returncode, second.stderr) == (
        1, f"mpd: already running as pid {keeper.pid} (state directory {keeper.state})\n")
    keeper.start("true")


def test_stale_socket_is_replaced(make_keeper):
    k = make_keeper()
    engine = k.engine()
    k.daemon.kill()
    k.daemon.wait()
    wait_dead(engine)
    assert os.path.exists(k.socket)
    again = make_keeper(folder=k.dir)
    again.start("true")
    again.stop(wait=False)
    again.expect("STOP")
    again.send("shutdown")
    assert again.daemon.wait(PATIENCE) == 0


def run_mpd(*args, env=None, timeout=PATIENCE):
    return subprocess.run([str(BUILD / "mpd"), "--engine", str(FAKE), *args], capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **(env or {})})


def test_what_is_wrong_is_said(tmp_path):
    long = f"{tmp_path}/{'x' * 100}/s"
    done = run_mpd("-s", long, "-d", f"{tmp_path}/state")
    assert done.returncode == 1 and "too long" in done.stderr and long in done.stderr
    folder = f"/tmp/mpk{os.getpid()}"
    done = run_mpd("-s", f"{folder}/f", "-d", f"{folder}/state", env={"FAKE_LOAD": "6"})
    assert (done.returncode, done.stderr) == (6, "fake.conf:1: wrong\n")
    assert run_mpd("--nonsense").returncode == 2
    assert run_mpd("stray").returncode == 2
    assert run_mpd("--log-level", "loud").returncode == 2
    assert run_mpd("--version").stdout.startswith("mpd ")
    assert "--background" in run_mpd("--help").stdout
    pathlib.Path(f"{folder}/f").write_text("mine")
    done = run_mpd("-s", f"{folder}/f", "-d", f"{folder}/state")
    assert done.returncode == 1 and "no socket" in done.stderr and pathlib.Path(f"{folder}/f").read_text() == "mine"
    shutil.rmtree(folder)


@pytest.mark.skipif(not ROOT, reason="needs another user")
def test_without_a_runtime_directory_it_asks_for_one(tmp_path):
    env = {k: v for k, v in os.environ.items() if k not in ("XDG_RUNTIME_DIR", "MPCTL_SOCKET")}
    done = subprocess.run([str(BUILD / "mpd"), "-d", str(tmp_path)], user=1234, group=1234, env=env,
                          capture_output=True, text=True)
    assert done.returncode == 1 and "XDG_RUNTIME_DIR" in done.stderr and "-s" in done.stderr


@pytest.mark.skipif(not ROOT, reason="needs another user")
def test_nobody_runs_none_of_his_own(tmp_path):
    done = subprocess.run([str(BUILD / "mpd"), "-s", "/tmp/s", "-d", "/tmp/d"], user=65534, group=65534, capture_output=True,
                          text=True)
    assert done.returncode == 1 and "owns nothing" in done.stderr


def test_background_returns_when_ready(tmp_path):
    folder = tempfile.mkdtemp(prefix="mpk", dir="/tmp")
    args = ("-s", f"{folder}/s", "-d", f"{folder}/state", "--background")
    assert run_mpd(*args, env={"FAKE_LOAD": "6"}).returncode == 6
    done = run_mpd(*args)  # returns, although the daemon has inherited what it is captured with
    assert (done.returncode, done.stderr) == (0, "")
    pid = int(open(f"{folder}/s.lock").read())
    assert alive(pid) and run_mpd(*args).returncode == 1
    os.kill(pid, signal.SIGTERM)
    until(lambda: "stopping" in open(f"{folder}/state/mpd.log").read())
    order_shutdown(f"{folder}/s")
    assert wait_dead(pid)
    shutil.rmtree(folder)


def test_service_manager_is_told(make_keeper):
    folder = tempfile.mkdtemp(prefix="mpk", dir="/tmp")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(PATIENCE)
    manager.bind(f"{folder}/notify")
    k = make_keeper(folder=folder, env={"NOTIFY_SOCKET": f"{folder}/notify"})
    assert manager.recv(100) == b"READY=1"
    assert b"NOTIFY_SOCKET=" not in open(f"/proc/{k.engine()}/environ", "rb").read()
    k.stop(wait=False)
    assert manager.recv(100) == b"STOPPING=1"
    manager.close()


def test_silent_engine_is_no_readiness(make_keeper):
    k = make_keeper(env={"FAKE_ENGINE": "mute"})
    os.kill(k.engine(), signal.SIGKILL)
    assert k.next_engine()[2] == "2"


def test_safe_mode(doomed):
    """Last, for it takes its time: ten deaths in a row, after which the keeper itself says why nobody answers."""
    def answer():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(1)
            try:
                s.connect(doomed.socket)
                return s.recv(4096)
            except OSError:
                return b""
    line = until(answer, timeout=60 * SLOW)
    error = json.loads(line)
    assert error["id"] is None and error["error"]["code"] == -32603 and "kept" in error["error"]["message"]
    assert alive(doomed.sleeper[1])
    assert "safe mode" in doomed.log()
    assert doomed.stop() == 0
    assert not alive(doomed.sleeper[1])
