# SPDX-License-Identifier: MIT
"""
mpctl as a person at a terminal and a script see it: words, tables, exit statuses, terminals. What the daemon does with
processes is tested elsewhere.
"""
import datetime
import fcntl
import grp
import json
import os
import pty
import pwd
import re
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from harness import MPCTL, PATIENCE, SLOW, TOOL_PATH, readable, until, wait_dead

FOREVER = ("sleep", "1000")


class Alone:
    """mpctl without a daemon."""

    def __init__(self, *args, env=None):
        clean = {k: v for k, v in os.environ.items() if k not in ("MPCTL_SOCKET", "XDG_RUNTIME_DIR", "NO_COLOR")}
        done = subprocess.run([str(MPCTL), *map(str, args)], env={**clean, **(env or {})}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20 * SLOW)
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


class Terminal:
    """A program with a controlling terminal of its own, and a person in front of it."""

    def __init__(self, mpd, *argv, rows=40, columns=100, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                environment = mpd.ctl_env({"PATH": TOOL_PATH, "PS1": "$ ", "TERM": "xterm", **(env or {})})
                environment.pop("NO_COLOR", None)
                environment.update(env or {})
                os.execvpe(argv[0], [str(a) for a in argv], environment)
            finally:
                os._exit(99)
        self.seen = ""
        self.code = None

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def _read(self, timeout):
        if not readable(self.fd, timeout=timeout):
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the last one has closed it
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Waits until the pattern is on the screen; what stands before it and itself are gone then."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen, re.S)):
            assert self._read(end - time.monotonic()), f"no {pattern!r} in {self.seen!r}"
        self.seen = self.seen[found.end():]
        return found

    def end(self):
        """Waits for the program's end; returns its exit status as a shell has it."""
        while self._read(PATIENCE):
            pass
        self.close()
        return self.code

    def close(self):
        if self.code is None:
            assert wait_dead(self.pid), "it did not end"
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.code = code if code >= 0 else 128 - code
            os.close(self.fd)

    def modes(self):
        return termios.tcgetattr(self.fd)[3]


@pytest.fixture
def terminal(mpd):
    """terminal(*argv) runs a program on a terminal, talking to `mpd`."""
    made = []

    def make(*argv, **kwargs):
        made.append(Terminal(mpd, *argv, **kwargs))
        return made[-1]

    yield make
    for each in made:
        if each.code is None:
            os.kill(each.pid, signal.SIGKILL)
            each.close()


def ctl(terminal, *args, **kwargs):
    return terminal(MPCTL, *args, **kwargs)


# --- words that are wrong -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, said", [
    (["strat"], 'unknown verb "strat" (did you mean start? see: mpctl help)'),
    (["xyzzyx"], 'unknown verb "xyzzyx" (see: mpctl help)'),
    (["--jsn", "ps"], "unknown flag --jsn (did you mean --json? see: mpctl help)"),
    (["stop", "--al"], "stop: unknown flag --al (did you mean --all? see: mpctl help stop)"),
    (["stop", "-Z"], "stop: unknown flag -Z (see: mpctl help stop)"),
    (["stop"], "stop: which? name a target (see: mpctl help stop)"),
    (["stop", "--all", "web"], "stop: either targets or --all, not both (see: mpctl help stop)"),
    (["join", "-w"], "join: -w needs a value (see: mpctl help join)"),
    (["join", "-w", "5x", "web"],
     'join: --timeout "5x": must be a number of seconds, or like 500ms, 10s, 2m, 1h (see: mpctl help join)'),
    (["join", "-n", "-w", "5", "web"], "join: either --no-wait or --timeout, not both (see: mpctl help join)"),
    (["join", "--any=yes", "web"], 'join: --any "yes": must be nothing: it takes no value (see: mpctl help join)'),
    (["logs", "-n", "many", "web"], 'logs: --lines "many": must be a whole number (see: mpctl help logs)'),
    (["signal", "NONE", "web"], 'signal: "NONE" is no signal (see: mpctl help signal)'),
    (["signal"], "signal: which signal? (see: mpctl help signal)"),
    (["ping", "--color=blue"], 'ping: --color "blue": must be auto|always|never (see: mpctl help ping)'),
    (["ping", "web"], 'ping: unexpected argument "web" (see: mpctl help ping)'),
    (["run", "--context=clone", "--", "true"], 'run: --context "clone": must be spawn|fork (see: mpctl help run)'),
    (["run"], "run: which command? put it behind -- (see: mpctl help run)"),
    (["start", "--name", "x"], "start: --name goes with a command (put -- before it, see: mpctl help start)"),
    (["start", "--all", "--", "true"], "start: --all goes without a command (see: mpctl help start)"),
    (["start", "--name", "a", "--name", "b", "--", "true"], "start: --name is given twice (see: mpctl help start)"),
    (["run", "--user", "no-such-user", "--", "true"],
     'run: --user "no-such-user": /etc/passwd has no such user (see: mpctl help run)'),
    (["run", "--user", "root:no-such-group", "--", "true"],
     'run: --user "root:no-such-group": /etc/group has no such group (see: mpctl help run)'),
    (["start", "--user", "54321", "--", "true"],
     'start: --user "54321": /etc/passwd has no such user: its group is needed, UID:GROUP (see: mpctl help start)'),
    (["run", "--limit-nofile", "many", "--", "true"],
     'run: --limit-nofile "many": must be N, SOFT:HARD or unlimited (see: mpctl help run)'),
    (["run", "--limit-nofil=1", "--", "true"],
     "run: unknown flag --limit-nofil=1 (did you mean --limit-nofile? see: mpctl help run)"),
    (["start", "--user", "root", "web"], "start: --user goes with a command (put -- before it, see: mpctl help start)"),
    (["ps", "-o", "nam"], 'ps: unknown column "nam", did you mean name (see: mpctl help ps)'),
    (["help", "nothing"], 'help: no verb or method "nothing" (see: mpctl help help)'),
])
def test_wrong_usage_is_one_line_and_2(args, said):
    done = Alone(*args)
    assert (done.code, done.out, done.err) == (2, "", f"mpctl: {said}\n")


# --- a daemon that is not there -------------------------------------------------------------------------------------

START = "start it: mpd --background, or systemctl --user start mpctl"


def test_no_socket(tmp_path):
    path = tmp_path / "s"
    done = Alone("-s", path, "ping")
    assert (done.code, done.out) == (125, "")
    assert done.err == f"mpctl: cannot reach mpd at {path}: no such file ({START})\n"


def test_a_socket_that_nobody_listens_on(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    done = Alone("ping", env={"MPCTL_SOCKET": str(path)})
    assert (done.code, done.err) == (125, f"mpctl: cannot reach mpd at {path}: nobody listens ({START})\n")


def test_a_path_that_no_socket_can_have():
    done = Alone("-s", "/" + "x" * 120, "ping")
    assert done.code == 125 and done.err.endswith(": a socket's path has at most 107 bytes\n")


def test_the_users_socket_comes_before_the_systems(tmp_path):
    (tmp_path / "mpctl").mkdir()
    path = tmp_path / "mpctl" / "mpd.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    assert str(path) in Alone("ping", env={"XDG_RUNTIME_DIR": str(tmp_path)}).err


def test_something_else_that_listens(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with subprocess.Popen([MPCTL, "-s", path, "ping"], stderr=subprocess.PIPE, text=True) as asked:
            peer, _ = other.accept()
            peer.sendall(b"220 mail.example.org\r\n")
            assert asked.wait(PATIENCE) == 125
            assert asked.stderr.read() == "mpctl: what answers does not speak mpd's protocol\n"
            peer.close()


def test_what_needs_no_daemon():
    assert re.fullmatch(r"mpctl \d+\.\d+\.\d+\n", Alone("--version").out)
    assert Alone("-V").out == Alone("ping", "--version").out == Alone("--version").out
    gone = Alone("version", "-s", "/nonexistent/s")
    assert gone.code == 125 and gone.out == Alone("-V").out


# --- help -----------------------------------------------------------------------------------------------------------

VERBS = ("run start stop restart terminate kill signal join is-alive exitcode pid ps status logs cpus events ping version"
         " whoami shutdown help check forget describe").split()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    listed = Alone("help").out
    assert re.search(rf"^  {verb}( |$)", listed, re.M)
    done = Alone("help", verb)
    assert done.code == 0 and done.out.startswith(f"usage: mpctl {verb} ")
    assert re.search(rf"^example: mpctl {verb}", done.out, re.M) and "--json" in done.out
    assert Alone(verb, "--help").out in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 130


def test_help_comes_from_the_registry(mpd):
    methods = mpd.ctl("describe").json()
    text = json.dumps(methods)
    assert not re.search(r" $", Alone("help").out + Alone("help", "ping").out, re.M)
    assert mpd.ctl("describe", "nothing").err == "mpctl: there is no method nothing (see: mpctl help)\n"
    for method in ("process.start", "process.join", "mpd.status"):
        assert method in text
        shown = Alone("help", method)
        assert shown.code == 0 and shown.out.startswith(f"method: {method}\n")
    assert "wait no longer than this" in Alone("help", "process.join").out
    assert "--stop-timeout SEC" in Alone("help", "run").out
    assert "--processes" not in Alone("help", "run").out


# --- the daemon itself ----------------------------------------------------------------------------------------------

def test_about_the_daemon(mpd):
    assert mpd.ctl("ping").out == "pong\n"
    assert mpd.ctl("--json", "ping").out == mpd.ctl("ping", "--json").out == '"pong"\n'
    assert mpd.ctl("-q", "ping").out == ""
    version = mpd.status()["version"]
    assert mpd.ctl("version").out == f"{Alone('-V').out}mpd {version}\n"
    assert mpd.ctl("version", "--json").json()[0]["mpd"] == version
    assert mpd.ctl("cpus", "--json").json() == [mpd.status()["cpus"]]
    assert mpd.ctl("whoami", "--json").json()[0]["uid"] == os.getuid()
    assert f"uid: {os.getuid()}\n" in mpd.ctl("whoami").out


def test_status_of_the_daemon(mpd):
    told = mpd.ctl("status", "--json").json()[0]
    assert told["keeper_pid"] == mpd.pid and told["engine_pid"] == mpd.engine_pid()
    shown = mpd.ctl("status").out
    assert f"keeper_pid: {mpd.pid}\n" in shown and "alive 0" in shown


def test_shutdown_returns_when_the_keeper_is_gone(mpd):
    mpd.begin(*FOREVER)
    done = mpd.ctl("shutdown")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert mpd.proc.poll() == 0


def test_check_in_json(tmp_path):
    conf = tmp_path / "a:1.conf"
    conf.write_text("[job:x]\ncomand = /bin/true\nstop_signal = FOO\n")
    done = Alone("check", "--json", conf)
    said = Alone("check", conf).err.splitlines()
    assert (done.code, done.err) == (6, "") and len(said) == 3
    assert [f"{f['file']}:{f['line']}: {f['message']}" for f in map(json.loads, done.out.splitlines())] == said
    conf.write_text("")
    done = Alone("check", "--json", conf)
    assert done.code == 0 and json.loads(done.out) == {"message": f"{conf}: ok, 0 jobs"}


def test_check_asks_the_loader(tmp_path):
    good, bad = tmp_path / "good.conf", tmp_path / "bad.conf"
    good.write_text("[job:x]\ncommand = /bin/true\n")
    bad.write_text("[job:x]\ncomand = /bin/true\n")
    assert Alone("check", good).code == 0
    done = Alone("check", bad)
    assert done.code == 6 and "bad.conf:2: " in done.err


# --- starting and ending --------------------------------------------------------------------------------------------

def test_start_prints_the_name_it_has_chosen(mpd):
    done = mpd.ctl("start", "--", *FOREVER)
    assert done.code == 0 and re.fullmatch(r"Process-\d+\n", done.out)
    assert mpd.process(done.out.strip())["alive"]
    assert mpd.ctl("start", "-N", "many", "-p", "2", "--", *FOREVER).out == "many.1\nmany.2\n"
    told = mpd.ctl("--json", "start", "--", *FOREVER).json()[0]
    assert set(told) == {"id", "pid", "name"} and mpd.process(told["name"])["id"] == told["id"]
    assert mpd.ctl("-q", "start", "--", *FOREVER).out == ""


def test_start_forks_the_caller(mpd, tmp_path):
    told = tmp_path / "told"
    script = f"umask 027; cd {tmp_path}; export COLOUR=blue; mpctl start -q --name x -e EXTRA=1 -- sh -c 'echo $COLOUR $EXTRA $(pwd)" \
             f" $(umask) > told'; mpctl join -q x"
    assert mpd.shell(script, env={"COLOUR": "red"}).code == 0
    assert told.read_text() == f"blue 1 {tmp_path} 0027\n"
    assert mpd.process("x")["cwd"] == str(tmp_path)


def test_a_working_directory_without_a_name(mpd, tmp_path):
    """It travels as a descriptor: it may have been renamed or removed."""
    script = f"mkdir {tmp_path}/a; cd {tmp_path}/a; mv {tmp_path}/a {tmp_path}/b; mpctl run -- /bin/pwd -P"
    assert mpd.shell(script).out == f"{tmp_path}/b\n"


def test_context_spawn_is_clean(mpd):
    done = mpd.ctl("run", "--context", "spawn", "-e", "MINE=1", "--", "/usr/bin/env", env={"COLOUR": "blue"})
    assert done.code == 0 and "MINE=1\n" in done.out and "COLOUR" not in done.out


def test_variables(mpd):
    show = ("sh", "-c", 'echo "$A-$B-$C"')
    assert mpd.ctl("run", "-e", "A=1", "-e", "B=x y", "--", *show, env={"A": "0", "C": "here"}).out == "1-x y-here\n"
    assert mpd.ctl("run", "--context=spawn", "-e", "C", "-e", "B", "--", *show, env={"C": "here"}).out == "--here\n"
    strange = mpd.ctl("run", "--", "sh", "-c", "printf %s \"$A\"", env={"A": "\udcff\x01\""})
    assert strange.out == "\udcff\x01\""


def test_the_directory_flag(mpd, tmp_path):
    assert mpd.ctl("run", "-C", tmp_path, "--", "pwd").out == f"{tmp_path}\n"
    done = mpd.ctl("run", "-C", "/nonexistent", "--", "pwd")
    assert (done.code, done.err) == (126, "mpctl: cannot enter /nonexistent: No such file or directory\n")


def test_limits(mpd):
    show = ("--", "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Sf")
    done = mpd.ctl("run", "--limit-nofile", "20:30", "--limit-core=0", "--limit-fsize", "1M:unlimited", *show)
    assert (done.code, done.out) == (0, "20\n30\n0\n2048\n"), done
    done = mpd.ctl("run", "--limit-cpu", "9:8", "--", "true")
    assert done.code == 2 and '"cpu" must be' in done.err
    assert mpd.ctl("start", "--limit-nofile", "30", "-N", "x", "-p", "2", "--", *FOREVER).out == "x.1\nx.2\n"


@pytest.mark.skipif(os.getuid() != 0, reason="77: needs root")
def test_users(mpd):
    daemon, users = pwd.getpwnam("daemon"), grp.getgrnam("users")
    groups = sorted({daemon.pw_gid} | {g.gr_gid for g in grp.getgrall() if "daemon" in g.gr_mem})
    show = ("-C", "/", "--", "sh", "-c", "id -u; id -g; id -G")

    def told(who):
        done = mpd.ctl("run", "--user", who, *show)
        assert done.code == 0, done
        uid, gid, rest = done.out.splitlines()
        return int(uid), int(gid), sorted(map(int, rest.split()))

    assert told("daemon") == told(f"{daemon.pw_uid}") == (daemon.pw_uid, daemon.pw_gid, groups)
    assert told("daemon:users")[:2] == (daemon.pw_uid, users.gr_gid)
    assert told(f"54321:{users.gr_gid}") == (54321, users.gr_gid, [users.gr_gid])
    assert told("54321:54322") == (54321, 54322, [54322])
    assert mpd.ctl("start", "--user", "54321:54322", "--name", "x", "-C", "/", "--", *FOREVER).out == "x\n"
    assert mpd.process("x")["uid"] == 54321


@pytest.mark.parametrize("verb", ["run", "start"])
def test_commands_that_cannot_be_executed(mpd, tmp_path, verb):
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    done = mpd.ctl(verb, "--", "/nonexistent/x")
    assert (done.code, done.out) == (127, "") and "/nonexistent/x: not found" in done.err
    done = mpd.ctl(verb, "--", "nonexistent-command")
    assert done.code == 127 and "nonexistent-command: not found" in done.err
    done = mpd.ctl(verb, "--", plain)
    assert done.code == 126 and f"{plain}: " in done.err


def test_unknown_names_are_4(mpd):
    for verb in ("join", "stop", "kill", "terminate", "is-alive", "exitcode", "pid", "status", "logs", "forget", "start"):
        done = mpd.ctl(verb, "web")
        assert (done.code, done.out) == (4, ""), verb
        assert done.err == "mpctl: web: no such job or process (see: mpctl ps)\n"


def test_join_tells_how_each_ended(mpd):
    mpd.begin("sh", "-c", "exit 3", name="a")
    mpd.begin("sh", "-c", "kill -9 $$", name="b")
    mpd.begin("true", name="c")
    done = mpd.ctl("join", "c", "b", "a")
    assert done.out == "c exited 0\nb died by signal 9 (KILL)\na exited 3\n"
    assert (done.code, done.err) == (137, ""), "the first in argument order that is not 0"
    assert mpd.ctl("join", "-q", "a").out == "" and mpd.ctl("join", "a", "b").code == 3
    assert [p["exitcode"] for p in mpd.ctl("join", "--json", "a", "b").json()] == [3, -9]


def test_join_that_runs_out(mpd):
    mpd.begin("true", name="short")
    mpd.begin(*FOREVER, name="long")
    mpd.join("short")
    done = mpd.ctl("join", "-w", "0.1", "short", "long")
    assert (done.code, done.out, done.err) == (124, "short exited 0\n", "mpctl: timed out, not ended yet: long\n")
    assert mpd.ctl("join", "-n", "long").code == 5
    assert mpd.ctl("join", "--any", "long", "short").out == "short exited 0\n"


def test_values_alone(mpd):
    mpd.begin(*FOREVER, name="long")
    mpd.begin("sh", "-c", "exit 3", name="short")
    mpd.join("short")
    assert mpd.ctl("is-alive", "long").code == 0 and mpd.ctl("is-alive", "short").code == 3
    assert mpd.ctl("is-alive", "long", "short").code == 3 and mpd.ctl("is-alive", "none*").code == 3
    assert (mpd.ctl("exitcode", "short").out, mpd.ctl("exitcode", "short").code) == ("3\n", 0)
    assert (mpd.ctl("exitcode", "long").out, mpd.ctl("exitcode", "long").code) == ("", 3)
    assert mpd.ctl("pid", "long").out == f"{mpd.process('long')['pid']}\n"
    past = mpd.ctl("pid", "short")
    assert (past.out, past.code) == (f"{mpd.process('short')['pid']}\n", 3), "it stays, and is of the past"


def test_stop_kill_and_terminate_are_silent(mpd):
    for verb, how in ("stop", -15), ("kill", -9), ("terminate", -15):
        mpd.begin(*FOREVER, name=verb)
        done = mpd.ctl(verb, verb)
        assert (done.code, done.out, done.err) == (0, "", "")
        assert mpd.join(verb)["processes"][0]["exitcode"] == how
    assert mpd.ctl("stop", "stop").code == 0, "stopping what is stopped succeeds"
    mpd.begin(*FOREVER, name="seen")
    assert mpd.ctl("-v", "kill", "seen").out == "seen exited\n"


def test_a_wait_that_runs_out_is_124(mpd, fifo):
    told = fifo()
    mpd.begin("sh", "-c", f"trap '' TERM; echo up > {told.path}; while :; do sleep 1000; done", name="deaf")
    told.line()
    done = mpd.ctl("terminate", "--leader-only", "-w", "0.1", "deaf")
    assert done.code == 124 and done.err.startswith("mpctl: terminate: timed out, left: deaf (")
    assert mpd.ctl("stop", "-n", "deaf").code == 0
    assert mpd.ctl("kill", "deaf").code == 0


def test_signal(mpd, fifo):
    told = fifo()
    mpd.begin("sh", "-c", f"trap 'echo usr1 > {told.path}' USR1; echo up > {told.path}; while :; do sleep 0.05; done", name="x")
    assert told.line() == "up"
    for name in "USR1", "sigusr1", str(int(signal.SIGUSR1)):
        assert mpd.ctl("signal", name, "x").code == 0
        assert told.line() == "usr1"


def test_forget(mpd):
    mpd.begin("true", name="x")
    mpd.join("x")
    assert mpd.ctl("forget", "x").code == 0 and mpd.ctl("status", "x").code == 4
    mpd.begin(*FOREVER, name="y")
    assert mpd.ctl("forget", "y").code == 1


# --- tables ---------------------------------------------------------------------------------------------------------

def rows(done):
    assert done.code == 0 and done.err == ""
    return [line.split() for line in done.out.splitlines()]


def test_ps_in_a_pipe(mpd):
    long = mpd.begin(*FOREVER, name="long")
    mpd.begin("sh", "-c", "exit 3", name="short")
    until(lambda: not mpd.process("short")["alive"])
    head, first, second = rows(mpd.ctl("ps"))
    assert head == "NAME ID PID STATE UPTIME RESTARTS EXIT CPU MEM".split()
    assert first[:4] == ["long", str(long["id"]), str(long["pid"]), "running"] and first[5:7] == ["0", "-"]
    assert second[0] == "short" and second[3:7] == ["exited", "-", "0", "3"]
    assert {len(first), len(second)} == {len(head)}, "every column has a word"
    text = mpd.ctl("ps").out
    assert "\033" not in text and not re.search(r" +$", text, re.M)
    assert mpd.ctl("--no-header").code == 2 and mpd.ctl().out.split()[0] == "NAME", "a bare mpctl is ps"
    mpd.join("short")
    assert [r[0] for r in rows(mpd.ctl("ps", "--no-header"))] == ["long"]
    assert [r[0] for r in rows(mpd.ctl("ps", "--no-header", "-a"))] == ["long", "short"]
    assert [r[0] for r in rows(mpd.ctl("ps", "--no-header", "short"))] == ["short"]
    assert rows(mpd.ctl("ps", "--alive", "-o", "name,state")) == [["NAME", "STATE"], ["long", "running"]]


def test_ps_as_json(mpd):
    mpd.begin(*FOREVER, name="a")
    mpd.begin(*FOREVER, name="b")
    told = mpd.ctl("ps", "--json").json()
    assert [p["name"] for p in told] == ["a", "b"] and told[0]["cpu"] >= 0
    until(lambda: mpd.ctl("ps", "--json").json()[0]["mem"] > 0)  # for a moment of its exec it has none


def test_ps_of_a_tree(mpd, fifo):
    told = fifo()
    mpd.inside(f"mpctl start -q --name child -- sleep 1000; echo up > {told.path}; exec sleep 1000", name="parent")
    told.line()
    assert mpd.ctl("ps", "--tree", "-o", "name,parent").out == \
        f"NAME     PARENT\nparent   -\n  child  #{mpd.process('parent')['id']}\n"
    assert rows(mpd.ctl("ps", "--children", "parent", "--no-header", "-o", "name")) == [["child"]]
    assert rows(mpd.ctl("ps", "--children", "child", "--no-header")) == []


def test_no_text_steers_the_terminal(mpd):
    mpd.begin("sh", "-c", "sleep 1000", "\033[31m\u009b\n\x07", name="x")
    shown = mpd.ctl("ps", "--no-header", "-o", "command").out
    assert shown == "sh -c 'sleep 1000' '?[31m???'\n"


def test_a_job_that_fails_says_why(make_mpd):
    mpd = make_mpd("[job:web]\ncommand = /nonexistent/web\nrestart = no\nautostart = false\n")
    done = mpd.ctl("start", "web")
    assert done.code == 1 and done.err.startswith("mpctl: web: failed, ") and "/nonexistent/web: not found" in done.err
    line = mpd.ctl("ps", "--no-header").out
    assert line.split()[3] == "failed" and re.search(r"exit 127: /nonexistent/web: not found \(\S*mpd.conf:1\)$", line)


def test_ps_on_a_terminal(mpd, terminal):
    mpd.begin(*FOREVER, name="long")
    t = ctl(terminal, "ps", columns=30)
    assert t.end() == 0
    lines = re.sub(r"\033\[\d*m", "", t.seen).splitlines()
    assert "\033[32mrunning\033[0m" in t.seen and len(lines) == 2
    assert max(map(len, lines)) <= 30 and lines[0].startswith("NAME")
    plain = ctl(terminal, "ps", env={"NO_COLOR": "1"})
    assert plain.end() == 0 and "\033" not in plain.seen
    always = mpd.ctl("ps", "--color=always").out
    assert "\033[1mNAME\033[0m" in always
    never = ctl(terminal, "--color", "never", "ps")
    assert never.end() == 0 and "\033" not in never.seen


def test_ps_that_watches(mpd, terminal):
    t = ctl(terminal, "ps", "--watch")
    t.expect("NAME")
    mpd.begin(*FOREVER, name="newcomer")
    t.expect("newcomer")
    t.type("\x03")
    assert t.end() == 130


def test_status_of_a_process(mpd):
    made = mpd.begin("sh", "-c", "echo one; echo 'two words'; exit 3", name="x")
    mpd.join("x")
    shown = mpd.ctl("status", "x").out
    for line in ("name: x", f"id: {made['id']}", "state: exited", "exitcode: 3",
                 "command: sh -c 'echo one; echo '\\''two words'\\''; exit 3'", "last lines:", "  one", "  two words"):
        assert f"{line}\n" in shown, line
    assert mpd.ctl("status", "--json", "x").json()[0]["exitcode"] == 3


def test_status_is_for_eyes(mpd):
    """Times of the wall, lengths and sizes with units; --json keeps the daemon's numbers."""
    mpd.begin(*FOREVER, name="x")
    shown = dict(line.split(": ", 1) for line in mpd.ctl("status", "x", env={"TZ": "UTC"}).out.splitlines())
    began = datetime.datetime.strptime(shown["started"].partition(" (")[0], "%Y-%m-%d %H:%M:%S")
    assert abs((datetime.datetime.utcnow() - began).total_seconds()) < 10 * SLOW
    assert re.fullmatch(r".* \([\d.]+m?s ago\)", shown["started"])
    assert (shown["stop_timeout"], shown["cpu"]) == ("10.0s", "0ms") and re.fullmatch(r"[\d.]+[KM]", shown["mem"])
    assert re.search(r"^uptime: [\d.]+m?s$", mpd.ctl("status").out, re.M)
    mpd.rpc("process.kill", targets=["x"])
    assert re.search(r"^rusage: user \d+ms, system \d+ms, memory [\d.]+[KM]$", mpd.ctl("status", "x").out, re.M)


def test_a_job_that_never_ran(make_mpd):
    mpd = make_mpd("[job:idle]\ncommand = true\nautostart = false\n")
    done = mpd.ctl("join", "idle")
    assert (done.code, done.out) == (1, "idle was never started\n")
    assert "state: stopped\n" in mpd.ctl("status", "idle").out and "command" not in mpd.ctl("status", "idle").out
    assert mpd.ctl("pid", "idle").code == mpd.ctl("exitcode", "idle").code == mpd.ctl("is-alive", "idle").code == 3


# --- logs and events ------------------------------------------------------------------------------------------------

def test_logs(mpd):
    mpd.begin("sh", "-c", "for i in 1 2 3; do echo line $i; done; echo wrong >&2", name="x")
    mpd.begin("sh", "-c", "printf 'no end'", name="y")
    mpd.join("x", "y")
    assert mpd.ctl("logs", "x").out == "line 1\nline 2\nline 3\n"
    assert mpd.ctl("logs", "-n", "1", "x").out == "line 3\n"
    assert mpd.ctl("logs", "-n", "0", "x").out == ""
    assert mpd.ctl("logs", "--stderr", "x").out == "wrong\n"
    assert mpd.ctl("logs", "-n1", "x", "y").out == "x | line 3\ny | no end\n"
    assert mpd.ctl("logs", "-n1", "--no-prefix", "x", "y").out == "line 3\nno end"
    assert mpd.ctl("logs", "-n1", "--json", "x").json() == [{"name": "x", "line": "line 3"}]


def test_long_logs_are_whole(mpd):
    mpd.begin("sh", "-c", "seq 100000", name="x")
    mpd.join("x")
    assert mpd.ctl("logs", "-n", "100000", "x").out.splitlines() == [str(n) for n in range(1, 100001)]


def test_logs_that_follow(mpd, fifo):
    gate = fifo()
    mpd.begin("sh", "-c", f"echo one; read x < {gate.path}; echo two; printf three", name="x")
    with mpd.ctl_popen("logs", "-f", "x") as follow:
        assert follow.stdout.readline() == "one\n"
        os.write(gate.fd, b"go\n")
        assert follow.stdout.read() == "two\nthree"
        assert follow.wait(PATIENCE) == 0


def test_events(mpd):
    with mpd.ctl_popen("events", "process") as events:
        until(lambda: mpd.status()["connections"] >= 2)
        seen = []
        for n in range(100):  # until the subscription is there
            mpd.begin("true", name=f"x{n}")
            if readable(events.stdout.fileno(), timeout=0.1):
                seen = [json.loads(events.stdout.readline()), json.loads(events.stdout.readline())]
                break
        assert [e["event"] for e in seen] == ["started", "exited"] and seen[0]["id"] == seen[1]["id"]
        events.send_signal(signal.SIGINT)
        assert events.wait(PATIENCE) == -signal.SIGINT


# --- run ------------------------------------------------------------------------------------------------------------

def test_run_is_the_command(mpd):
    done = mpd.ctl("run", "--", "sh", "-c", "cat; echo err >&2; exit 7", input="through\n")
    assert (done.code, done.out, done.err) == (7, "through\n", "err\n")
    assert mpd.ctl("run", "echo", "-n", "without --").out == "without --"
    assert mpd.ctl("run", "--", "sh", "-c", "kill -KILL $$").code == 137


def test_run_detached_prints_the_id(mpd):
    done = mpd.ctl("run", "-d", "--name", "x", "--", *FOREVER)
    assert (done.code, done.out) == (0, f"{mpd.process('x')['id']}\n") and mpd.process("x")["alive"]


def test_run_with_a_limit(mpd):
    done = mpd.ctl("run", "--limit", "100ms", "--", *FOREVER)
    assert (done.code, done.err) == (124, "mpctl: run: ended after its limit of 100ms\n")
    assert mpd.ctl("run", "--limit", "60", "--", "sh", "-c", "exit 3").code == 3


@pytest.mark.parametrize("name, code", [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131)])
def test_run_passes_signals_on(mpd, fifo, name, code):
    told = fifo()
    script = f"echo up > {told.path}; exec sleep 1000"
    with mpd.ctl_popen("run", "--name", "x", "--", "sh", "-c", script) as run:
        told.line()
        until(lambda: mpd.process("x")["state"] == "running")
        run.send_signal(getattr(signal, f"SIG{name}"))
        assert run.wait(PATIENCE) == code


def test_run_with_closed_stdio(mpd):
    assert mpd.shell("mpctl run -- sh -c 'readlink /proc/self/fd/0' <&-").out == "/dev/null\n"
    assert mpd.shell("mpctl run -- sh -c 'exit 3' >&- 2>&-").code == 3


def test_run_on_a_terminal(mpd, terminal):
    t = ctl(terminal, "run", "--", "sh", "-c", "tty; stty size; read x; echo got $x; exit 6", rows=33, columns=77)
    assert os.path.exists(t.expect(r"/dev/pts/\d+").group())
    t.expect("33 77")
    assert not t.modes() & termios.ICANON, "the outer terminal is raw"
    t.type("yes\r")
    t.expect("got yes")
    assert t.end() == 6


def test_the_window_and_its_keys(mpd, terminal):
    t = ctl(terminal, "run", "--", "sh", "-c", "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done")
    t.expect("up")
    t.resize(20, 60)
    t.expect("20 60")
    t.type("\x03")
    assert t.end() == 130


def test_run_shows_all_output(mpd, terminal):
    t = ctl(terminal, "run", "--", "seq", "200000")
    t.expect("\r\n200000\r\n")
    assert t.end() == 0


def test_the_terminal_is_as_before(mpd, terminal):
    t = terminal("sh", "-c", f"{MPCTL} run -- true; stty -a; {MPCTL} run -- sh -c 'kill -9 $$'; echo status $?; stty -a")
    t.expect(r"[^-]icanon.*[^-]echo ")
    t.expect("status 137")
    t.expect(r"[^-]icanon.*[^-]echo ")
    assert t.end() == 0


def test_a_shell_can_suspend_a_run(mpd, terminal):
    t = terminal("bash", "--norc", "-i")
    t.expect(r"\$ ")
    t.type("mpctl run --name z -- sh -c 'echo up; read x'\n")  # forks nothing: a vfork has no state T
    t.expect("\rup\r")
    t.type("\x1a")
    t.expect("Stopped.*\\$ ")
    pid = mpd.process("z")["pid"]
    state = lambda: open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
    until(lambda: state() == "T")
    t.type("fg\n")
    until(lambda: state() == "S")
    until(lambda: not t.modes() & termios.ICANON)
    t.type("\x03")
    t.expect("\\$ ")
    t.type("echo status $?\n")
    t.expect("status 130")
    t.type("exit\n")
    t.end()


def test_the_suspend_key_where_nobody_could_continue_us(mpd, terminal, fifo):
    gate = fifo()
    t = ctl(terminal, "run", "--", "sh", "-c", f"echo up; read x < {gate.path}; exit 4")
    t.expect("up")
    t.type("\x1a")
    os.write(gate.fd, b"go\n")
    assert t.end() == 4


# --- waiting, and the engine's death --------------------------------------------------------------------------------

def test_a_long_wait_says_for_what(mpd, terminal):
    pid = mpd.begin(*FOREVER, name="web")["pid"]
    t = ctl(terminal, "join", "web")
    t.expect(rf"mpctl: waiting for web \(running, pid {pid}\)")
    t.type("\x03")
    assert t.end() == 130
    assert mpd.process("web")["alive"] and not mpd.process("web")["joined"]


def test_waits_go_on_over_an_engine(mpd):
    mpd.begin(*FOREVER, name="x")
    before = mpd.status()["connections"]
    with mpd.ctl_popen("join", "x") as join, mpd.ctl_popen("run", "--name", "y", "--", "cat") as run:
        until(lambda: mpd.status()["connections"] >= before + 2)
        until(lambda: any(p["name"] == "y" for p in mpd.rpc("process.list")["processes"]))
        for _ in range(2):
            mpd.kill_engine()
        mpd.rpc("process.kill", targets=["x"])
        assert join.wait(PATIENCE) == 137 and join.stdout.read() == "x died by signal 9 (KILL)\n"
        out, err = run.communicate("still here\n", timeout=PATIENCE)
        assert (run.returncode, out, err) == (0, "still here\n", "")


def test_a_daemon_that_has_gone_for_good(mpd):
    mpd.begin(*FOREVER, name="x")
    with mpd.ctl_popen("logs", "-f", "x") as follow:
        until(lambda: mpd.status()["connections"] >= 2)
        mpd.stop()
        assert follow.wait(PATIENCE) in (0, 125)


def test_a_reader_that_has_gone(mpd):
    mpd.begin("seq", "100000", name="x")
    mpd.join("x")
    done = mpd.shell("mpctl logs -n 100000 x | head -1")
    assert (done.out, done.err) == ("1\n", "")


def test_a_full_disk_is_told(mpd):
    done = mpd.shell("mpctl ping > /dev/full")
    assert (done.code, done.err) == (1, "mpctl: cannot write: No space left on device\n")
