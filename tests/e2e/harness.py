# SPDX-License-Identifier: MIT
"""
A real daemon in a directory of its own, for tests.

What holds for every test that uses the fixtures `mpd` and `make_mpd`:
 1. The daemon's socket, state, log and notify socket lie in a fresh directory with a short path: tests run side by
    side.
 2. Nobody sleeps to wait: the start ends with the READY=1 datagram, an end is seen by a pidfd, replies by the socket.
    until() polls, and is for where the kernel offers no event.
 3. After the test nothing is left: no process (pytest is a child subreaper, so whatever gets loose becomes its child
    and is found by its pid), no cgroup; and the log holds no sanitizer's report and no BUG. Each of these fails the
    test.

The environment: MPD_BUILD (the folder with the programs, default build), MPD_SLOW (a factor for all timeouts; figures
of speed are only asserted when it is 1).
"""
import array
import atexit
import collections
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def within_reach(build):
    """BUILD, or a copy of its programs where other users, as whom some tests run them, can reach them."""
    if os.getuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in (build, *build.parents)):
        return build
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mpd-build-", dir="/tmp")) / build.name
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    shutil.copytree(build, folder, ignore=shutil.ignore_patterns("obj", "check", "clang", "asan", "fuzz", "*.a"))
    folder.parent.chmod(0o755)
    return folder


BUILD = within_reach((ROOT / os.environ.get("MPD_BUILD", "build")).resolve())
MPD, ENGINE, MPCTL, TOOLS = BUILD / "mpd", BUILD / "mpd-engine", BUILD / "mpctl", BUILD / "tests" / "tools"
SLOW = float(os.environ.get("MPD_SLOW") or (4 if "asan" in BUILD.name else 1))
TOOL_PATH = f"{BUILD}:/usr/local/bin:/usr/bin:/bin"  # for shells in which `mpctl` is this build's
PATIENCE = 20 * SLOW  # seconds after which something that must happen has not happened

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


# --- waiting --------------------------------------------------------------------------------------------------------

def until(check, timeout=PATIENCE, what=None):
    """The first true value of check(), which is asked again and again; for what no event tells."""
    end = time.monotonic() + timeout
    pause = 0.001
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not come true in {timeout:g} s: {what or getattr(check, '__name__', check)}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.03)


def readable(*fds, timeout=PATIENCE):
    """Those of the descriptors that can be read now, after waiting for the first."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(max(0, timeout) * 1000)]


def wait_dead(pid, timeout=PATIENCE):
    """True once the process has ended (reaped or not), False when it has not within the timeout."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(readable(fd, timeout=timeout))
    finally:
        os.close(fd)


def alive(pid):
    """Whether the pid is that of a process which runs: no zombie."""
    try:
        return stat_of(pid).state not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


Stat = collections.namedtuple("Stat", "pid comm state ppid pgrp session start")


def stat_of(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    comm, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return Stat(int(pid), comm, rest[0], int(rest[1]), int(rest[2]), int(rest[3]), int(rest[19]))


def all_stats():
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield stat_of(name)


_lock = threading.Lock()  # held while we make children and while we look at them
_ours = set()  # pids of children that we made, not orphans that came to us


def spawn(argv, **kwargs):
    """A process of the test's own, beside daemons that come and go."""
    with _lock:
        proc = subprocess.Popen([str(word) for word in argv], **kwargs)
        _ours.add(proc.pid)
    return proc


def orphans():
    """Our children that we did not make: what got loose."""
    with _lock:
        return [s for s in children_of(os.getpid()) if s.pid not in _ours]


def children_of(pid):
    return [s for s in all_stats() if s.ppid == pid]


def descendants_of(pid):
    by_parent = collections.defaultdict(list)
    for s in all_stats():
        by_parent[s.ppid].append(s)
    found, todo = [], [pid]
    while todo:
        for s in by_parent[todo.pop()]:
            found.append(s)
            todo.append(s.pid)
    return found


def cmdline(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return "?"


def open_fds(pid):
    return sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))


# --- the wire -------------------------------------------------------------------------------------------------------

class RpcError(Exception):
    """The error of a reply."""

    def __init__(self, error):
        self.code, self.message, self.data = error["code"], error["message"], error.get("data") or {}
        self.symbol = self.data.get("symbol")
        super().__init__(f"{self.symbol or self.code}: {self.message}")


class ConnectionLost(Exception):
    """The daemon closed the connection, or the engine died, before the line was whole."""


class Connection:
    """A raw connection. Lines go out as they are given; replies are read in the order in which they come."""

    def __init__(self, path, timeout=PATIENCE):
        self.sock = self._made(path, timeout)
        self.timeout = timeout
        self.ids = itertools.count(1)
        self.buffer = b""
        self.replies = {}  # those that came while another was waited for, by id
        self.events = collections.deque()

    @staticmethod
    def _made(path, timeout):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        sock.settimeout(timeout)
        sock.connect(str(path))
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    @staticmethod
    def line(what):
        if isinstance(what, (dict, list)):
            what = json.dumps(what, separators=(",", ":"))
        if isinstance(what, str):
            what = what.encode()
        return what if what.endswith(b"\n") else what + b"\n"

    def send_line(self, what):
        """Sends bytes, text, or what json makes of a dict or list, ended by one newline."""
        try:
            self.sock.sendall(self.line(what))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionLost(str(error)) from error

    def send_fds(self, what, fds):
        """Sends a line with descriptors at its first byte."""
        line = self.line(what)
        try:
            sent = self.sock.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            self.sock.sendall(line[sent:])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionLost(str(error)) from error

    def recv_raw_line(self, timeout=None):
        """The next line without its newline. TimeoutError; ConnectionLost at the end."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        chunks = []
        while b"\n" not in self.buffer:
            chunks.append(self.buffer)
            self.buffer = b""
            left = end - time.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                self.sock.settimeout(left)
                self.buffer = self.sock.recv(1 << 20)
            except TimeoutError:
                self.buffer = b"".join(chunks) + self.buffer
                raise TimeoutError("no line came") from None
            except ConnectionResetError as error:
                raise ConnectionLost(str(error)) from error
            if not self.buffer:
                raise ConnectionLost("closed after " + repr(b"".join(chunks)[:200]))
        line, _, self.buffer = self.buffer.partition(b"\n")
        return b"".join(chunks) + line

    def recv(self, timeout=None):
        """The next line as what it means."""
        return json.loads(self.recv_raw_line(timeout))

    def request(self, method, /, fds=(), **params):
        """Sends a request and returns its id; reply() gets what comes back."""
        number = next(self.ids)
        line = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        if fds:
            self.send_fds({**line, "fds": len(fds)}, fds)
        else:
            self.send_line(line)
        return number

    def reply(self, number, timeout=None):
        """The result of the request with this id; raises RpcError. Others' replies and events are kept."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while number not in self.replies:
            message = self.recv(end - time.monotonic())
            if isinstance(message, dict) and message.get("method") == "event":
                self.events.append(message["params"])
            else:
                self.replies[message["id"]] = message
        message = self.replies.pop(number)
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"]

    def call(self, method, /, fds=(), **params):
        waits = params.get("timeout")
        number = self.request(method, fds=fds, **params)
        return self.reply(number, self.timeout + (waits if isinstance(waits, (int, float)) else 0))

    def event(self, timeout=None):
        """The parameters of the next notification."""
        if self.events:
            return self.events.popleft()
        message = self.recv(timeout)
        assert message.get("method") == "event", message
        return message["params"]

    def hello(self, session=None):
        """Begins a session, or resumes one; returns it."""
        session = session or secrets.token_hex(16)
        self.call("mpd.hello", version=1, session=session)
        return session


class Client:
    """What a client has to do to outlive engines: a session, ids that do not repeat, and sending again."""

    def __init__(self, mpd):
        self.path, self.session, self.connection = mpd.socket, secrets.token_hex(16), None
        self.number, self.open = 0, {}

    def close(self):
        if self.connection:
            self.connection.close()

    def _connect(self):
        self.close()
        self.connection = Connection(self.path)
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


# --- the daemon -----------------------------------------------------------------------------------------------------

class StartFailed(Exception):
    """mpd ended, or did nothing, before it was ready."""

    def __init__(self, code, log):
        self.code, self.log = code, log
        super().__init__(f"mpd did not start (exit {code}):\n{log}")


def run(argv, feed, timeout, **kwargs):
    """Runs a program to its end with this text on its stdin: (exit status, stdout, stderr)."""
    with spawn(argv, stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE, stdout=subprocess.PIPE,
               stderr=subprocess.PIPE, text=True, errors="surrogateescape", **kwargs) as proc:
        try:
            out, err = proc.communicate(feed, timeout)
        finally:
            if proc.poll() is None:
                proc.kill()
    return proc.returncode, out, err


class Ctl:
    """How an mpctl ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done

    def __repr__(self):
        return f"<mpctl exit={self.code} out={self.out!r} err={self.err!r}>"

    def json(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Daemon:
    """One keeper with its engine. The harness waits for it to be ready, and stops it after the test."""

    def __init__(self, config=None, env=None, args=(), engine=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mpd-", dir="/tmp"))
        self.dir.chmod(0o755)  # jobs of other users write below it where a test lets them
        self.socket, self.state, self.logfile = self.dir / "s", self.dir / "state", self.dir / "log"
        self.config = self.dir / "mpd.conf" if config is not None else None
        if config is not None:
            self.config.write_text(config.replace("@DIR@", str(self.dir)))
        self.args = [str(MPD), "-s", str(self.socket), "-d", str(self.state)]
        self.args += ["-c", str(self.config)] if self.config else []
        self.args += [str(a) for a in args]
        nothing = self.dir / "nothing.conf"  # instead of a configuration that the machine may have
        nothing.touch()
        self.env = {**os.environ, "MPCTL_CONFIG": str(nothing), "UBSAN_OPTIONS": "print_stacktrace=1", **(env or {})}
        for inside in ("MPD_PROCESS", "MPD_PARENT", "MPD_NAME", "MPCTL_SOCKET"):
            self.env.pop(inside, None)
        self.proc, self.ready = None, False
        self.strangers = {s.pid for s in orphans()}

    # start and stop

    def start(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            path = self.dir / "notify"
            path.unlink(missing_ok=True)
            notify.bind(str(path))
            with open(self.logfile, "ab") as log:
                self.proc = spawn(self.args, env={**self.env, "NOTIFY_SOCKET": str(path)}, cwd=self.dir,
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            self._wait_ready(notify)
        return self

    def _wait_ready(self, notify):
        end = time.monotonic() + PATIENCE
        pidfd = os.pidfd_open(self.proc.pid)
        try:
            while time.monotonic() < end:
                ready = readable(notify.fileno(), pidfd, timeout=end - time.monotonic())
                if notify.fileno() in ready:
                    if b"READY=1" in notify.recv(4096):
                        self.ready = True
                        return
                elif pidfd in ready:
                    break
        finally:
            os.close(pidfd)
        code = self.proc.poll()
        if code is None:
            self._destroy()
        raise StartFailed(code if code is None else self.proc.wait(), self.log())

    @property
    def pid(self):
        """The keeper's."""
        return self.proc.pid

    def stop(self, timeout=30 * SLOW):
        """SIGTERM, as systemd does; returns the keeper's exit status."""
        if self.proc.poll() is None:
            self.proc.terminate()
            if not wait_dead(self.proc.pid, timeout):
                self._destroy()
                raise AssertionError(f"mpd did not end within {timeout:g} s of SIGTERM")
        return self.proc.wait()

    def kill_keeper(self):
        """SIGKILL; what it leaves behind is swept up here, not held against it."""
        self.proc.kill()
        self.proc.wait()

    def _destroy(self):
        self.proc.kill()
        self.proc.wait()
        self._leftovers(grace=0)

    def _leftovers(self, grace):
        """Ends what this daemon's end left behind; returns what it was."""
        found = {}
        end = time.monotonic() + grace
        while True:
            living = [s for s in orphans() if s.pid not in self.strangers]
            for s in living:
                if s.state in "ZX":
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(s.pid, os.WNOHANG)
            living = [s for s in living if s.state not in "ZX"]
            if not living:
                return list(found.values())
            if time.monotonic() < end:
                wait_dead(living[0].pid, end - time.monotonic())
                continue
            for s in living:
                found.setdefault(s.pid, f"{s.pid} {s.comm} ({cmdline(s.pid)})")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(s.pid, signal.SIGKILL)
                wait_dead(s.pid)

    def cgroups(self):
        """The cgroup directories of this keeper."""
        found = []
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            if " - cgroup2 " in line:
                for path, names, _ in os.walk(line.split()[4]):
                    found += [pathlib.Path(path) / n for n in names if n == f"mpctl.{self.pid}"]
        return found

    def _sweep_cgroups(self):
        left = self.cgroups()
        for top in left:
            with contextlib.suppress(OSError):
                (top / "cgroup.kill").write_text("1")
            for path, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    until(lambda p=path: "populated 0" in (pathlib.Path(p) / "cgroup.events").read_text(), 2)
                    os.rmdir(path)
        return left

    def finish(self):
        """Stops it and returns what is wrong with how it ended: nothing, in a good world."""
        if self.proc is None:
            return []
        wrong = []
        murdered = self.proc.poll() == -signal.SIGKILL
        try:
            code = self.stop()
            if code != 0 and self.ready and not murdered:
                wrong.append(f"mpd ended with status {code}")
        except AssertionError as error:
            wrong.append(str(error))
        left = self._leftovers(grace=2 if murdered else 0)
        groups = self._sweep_cgroups()
        if not murdered:
            wrong += [f"process left: {p}" for p in left] + [f"cgroup left: {g}" for g in groups]
        bad = re.compile(r"ERROR: \w+Sanitizer|runtime error:|\bBUG\b|Assertion .* failed")
        wrong += [f"in the log: {line}" for line in self.log().splitlines() if bad.search(line)]
        return wrong

    # talking to it

    def connect(self, timeout=PATIENCE):
        return Connection(self.socket, timeout)

    def rpc(self, method, /, **params):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.call(method, **params)

    def rpc_error(self, method, /, **params):
        """The RpcError that the request must be answered with."""
        with pytest.raises(RpcError) as raised:
            self.rpc(method, **params)
        return raised.value

    def one(self, method, /, **params):
        """The one process in the result."""
        processes = self.rpc(method, **params)["processes"]
        assert len(processes) == 1, processes
        return processes[0]

    def process(self, target):
        return self.one("process.status", targets=[target])

    def begin(self, *argv, **params):
        """process.start; returns {id, pid, name}."""
        return self.rpc("process.start", argv=list(argv), **params)

    def join(self, *targets, **params):
        return self.rpc("process.join", targets=list(targets), **params)

    def status(self):
        return self.rpc("mpd.status")

    def ctl_env(self, env=None):
        return {**self.env, "MPCTL_SOCKET": str(self.socket), **(env or {})}

    def ctl(self, *args, input=None, env=None, timeout=20, cwd=None):
        """Runs mpctl to its end."""
        return Ctl(run([MPCTL, *args], input, timeout * SLOW, env=self.ctl_env(env), cwd=cwd))

    @contextlib.contextmanager
    def ctl_popen(self, *args, env=None, **kwargs):
        """An mpctl that runs beside the test; it is ended with the block."""
        kwargs = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                  **kwargs}
        with spawn([MPCTL, *args], env=self.ctl_env(env), **kwargs) as proc:
            try:
                yield proc
            finally:
                if proc.poll() is None:
                    proc.kill()

    def shell(self, script, *args, env=None, timeout=20, cwd=None):
        """Runs a shell script in which `mpctl` is this build's, talking to this daemon."""
        return Ctl(run(["/bin/bash", "-c", script, "bash", *args], None, timeout * SLOW,
                       env=self.ctl_env({"PATH": TOOL_PATH, **(env or {})}), cwd=cwd or self.dir))

    # the engine

    def engine_pid(self):
        return self.status()["engine_pid"]

    def find_engine(self):
        """The engine's pid without asking it (it may hang): the keeper's child of that name."""
        return next((s.pid for s in children_of(self.pid) if s.comm == "mpd-engine" and s.state not in "ZX"), None)

    def kill_engine(self, sig=signal.SIGKILL):
        """Kills the engine and returns once it is dead; returns the pid it had."""
        pid = self.engine_pid()
        os.kill(pid, sig)
        assert wait_dead(pid)
        return pid

    # what it wrote

    def log(self):
        return self.logfile.read_text(errors="replace") if self.logfile.exists() else ""

    def inside(self, script, **params):
        """Starts, as a process of the daemon, a shell in which `mpctl` talks to it."""
        env = {"PATH": TOOL_PATH, "MPCTL_SOCKET": str(self.socket)}
        return self.rpc("process.start", argv=["/bin/bash", "-c", script], env=env, **params)

    def output(self, target, stream="stdout"):
        """All that was captured of a process, as bytes. There is no file before the first of them."""
        path = pathlib.Path(self.process(target)["log"][stream])
        return path.read_bytes() if path.exists() else b""


# --- figures -------------------------------------------------------------------------------------------------------

figures = []


def figure(text):
    """Something measured, to be shown at the end of the run, also when all went well."""
    print(text)
    figures.append(text)


# --- programs for tests to start ------------------------------------------------------------------------------------

class Fifo:
    """A place to wait at: a process writes lines into it, the test reads them; or a process reads, the test lets go."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path, 0o666)
        os.chmod(path, 0o666)
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        self.buffer = b""

    def line(self, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            assert readable(self.fd, timeout=end - time.monotonic()), f"nobody wrote to {self.path}"
            self.buffer += os.read(self.fd, 65536)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode(errors="surrogateescape")

    def lines(self, n, timeout=PATIENCE):
        return [self.line(timeout) for _ in range(n)]

    def silent(self, seconds):
        """True when nothing is written for so long."""
        return not self.buffer and not readable(self.fd, timeout=seconds)

    def close(self):
        os.close(self.fd)


# --- fixtures (conftest.py of each folder takes them in) --------------------------------------------------------------

class Maker:
    """Makes daemons for one test, and ends them after it, or one of them before."""

    def __init__(self):
        self.made = []

    def __call__(self, config=None, env=None, args=(), start=True):
        daemon = Daemon(config, env, args)
        self.made.append(daemon)
        return daemon.start() if start else daemon

    def finish(self, daemon):
        """Ends a daemon that all is well with: thousands of them in one test are too many at once."""
        self.made.remove(daemon)
        wrong = daemon.finish()
        shutil.rmtree(daemon.dir, ignore_errors=True)
        assert not wrong, "\n".join(wrong)


@pytest.fixture
def make_mpd(request):
    """Daemons to order: make_mpd(config=None, env=None, args=[]); `@DIR@` in config is the daemon's own folder."""
    make = Maker()
    yield make
    wrong = [w for daemon in reversed(make.made) for w in daemon.finish()]
    report = getattr(request.node, "rep_call", None)
    failed = wrong or report is None or report.failed
    for daemon in make.made:
        if failed:
            print(f"--- log of mpd in {daemon.dir}:\n" + "\n".join(daemon.log().splitlines()[-200:]))
        shutil.rmtree(daemon.dir, ignore_errors=True)
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def mpd(make_mpd):
    """A daemon without configuration."""
    return make_mpd()


TREE_MODES = {"cgroup": {}, "scan": {"MPD_CGROUP": "off"}}


@pytest.fixture(params=sorted(TREE_MODES))
def tree_mpd(request, make_mpd):
    """A daemon in each of the two ways to know a tree: cgroups, where they may be used, and the subreaper's scan."""
    daemon = make_mpd(env=TREE_MODES[request.param])
    if daemon.status()["tree"] != request.param:
        pytest.skip("no cgroup v2 subtree may be used here")
    return daemon


@pytest.fixture
def fifo(tmp_path):
    """fifo(name) makes a Fifo that is closed after the test."""
    made = []

    def make(name="fifo"):
        made.append(Fifo(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(params=["scaled", pytest.param("full", marks=pytest.mark.soak)])
def full(request):
    """For tests of two sizes: true in `make soak`, false in `make check`."""
    return request.param == "full"


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes too long for `make check`; run by `make soak`")


def pytest_terminal_summary(terminalreporter):
    if figures:
        terminalreporter.section("figures")
    while figures:
        terminalreporter.write_line(figures.pop(0))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    """Leaves the outcome of each phase on the item, where make_mpd looks for it."""
    outcome = yield
    setattr(item, "rep_" + outcome.get_result().when, outcome.get_result())
