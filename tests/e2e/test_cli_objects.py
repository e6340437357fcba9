# SPDX-License-Identifier: MIT
"""
The verbs of objects as a person at a terminal and a script see them: words, output, exit statuses, whose a hold is.
What the objects do is tested elsewhere.
"""
import contextlib
import json
import os
import re
import signal
import subprocess
import threading

import pytest

from harness import PATIENCE, ROOT, TOOL_PATH, alive, children_of, readable, spawn, until
from test_cli import Alone, ctl, terminal  # noqa: F401

KINDS = {"lock": "lock", "rlock": "rlock", "sem": "semaphore", "event": "event", "cond": "condition",
         "barrier": "barrier", "queue": "queue", "pipe": "pipe", "value": "value", "array": "array", "dict": "dict",
         "list": "list", "ns": "namespace"}


def registry():
    """{"queue": ["create", "put", ...]} of all objects, from the file that says so."""
    text = (ROOT / "common" / "api_objects.def").read_text()
    methods = re.findall(r'^CMD\(\w+, "(\w+)\.(\w+)"', text, re.M)
    verbs = {}
    for kind, verb in methods:
        verbs.setdefault(kind, []).append(verb.replace("_", "-"))
    return verbs


REGISTRY = registry()
VERBS = [(name, verb) for name, kind in KINDS.items() for verb in REGISTRY[kind] if verb != "action-done"]


@contextlib.contextmanager
def shell_popen(mpd, script):
    """A shell script that runs beside the test."""
    with spawn(["/bin/bash", "-c", script], env=mpd.ctl_env({"PATH": TOOL_PATH}), text=True, stdin=subprocess.PIPE,
               stdout=subprocess.PIPE, stderr=subprocess.PIPE) as proc:
        try:
            yield proc
        finally:
            if proc.poll() is None:
                proc.kill()


def mpctl_below(pid):
    return until(lambda: next((s.pid for s in children_of(pid) if s.comm == "mpctl"), None))


def waiting(mpd, name, n=1):
    """Waits until so many wait for the object, which may not be there yet."""
    def check():
        return [o for o in mpd.rpc("object.list", pattern=name)["objects"] if o["waiters"] == n]
    return until(check, what=f"{n} waiters of {name}")


# --- words ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, said", [
    (["lok", "acquire", "x"], 'unknown verb "lok" (did you mean lock? see: mpctl help)'),
    (["queue"], "queue: which verb? (see: mpctl help queue)"),
    (["queue", "pit", "x"], 'queue: unknown verb "pit" (did you mean put? see: mpctl help queue)'),
    (["queue", "xyzzy", "x"], 'queue: unknown verb "xyzzy" (see: mpctl help queue)'),
    (["queue", "task_done", "x"], 'queue: unknown verb "task_done" (did you mean task-done? see: mpctl help queue)'),
    (["lock", "db"], 'lock: unknown verb "db" (with a command: mpctl lock db -- CMD, see: mpctl help lock)'),
    (["lock", "db", "--"], "lock: which command? put it behind -- (see: mpctl help lock)"),
    (["lock", "--", "true"], "lock: NAME is missing: which (see: mpctl help lock)"),
    (["lock", "acquire"], "lock acquire: NAME is missing: which (see: mpctl help lock acquire)"),
    (["lock", "acquire", "a", "b"], 'lock acquire: unexpected argument "b" (see: mpctl help lock acquire)'),
    (["lock", "acquire", "a", "-n", "-w", "1"],
     "lock acquire: either --no-wait or --timeout, not both (see: mpctl help lock acquire)"),
    (["lock", "acquire", "a", "--owner", "me"],
     'lock acquire: --owner "me": must be a whole number (see: mpctl help lock acquire)'),
    (["lock", "acquire", "a", "--owner", "0"],
     'lock acquire: --owner "0": must be a pid (see: mpctl help lock acquire)'),
    (["lock", "release", "a", "--tokn", "1"],
     "lock release: unknown flag --tokn (did you mean --token? see: mpctl help lock release)"),
    (["queue", "ack", "q", "x"], 'queue ack: CLAIM "x": must be a whole number (see: mpctl help queue ack)'),
    (["array", "create", "a"], "array create: --type is missing: a ctypes code of b B h H i I l L q Q f d c u "
     "(see: mpctl help array create)"),
    (["queue", "put"], "queue put: NAME is missing: which (see: mpctl help queue put)"),
    (["queue", "put", "q", "x", "--lines"],
     "queue put: --lines and --null are of stdin: either they or values (see: mpctl help queue put)"),
    (["queue", "put", "q", "x", "--fence", "db"],
     'queue put: --fence "db": must be LOCK:TOKEN (see: mpctl help queue put)'),
    (["queue", "get", "q", "--ack", "maybe"],
     'queue get: --ack "maybe": must be auto|manual (see: mpctl help queue get)'),
    (["queue", "get", "q", "--max", "3", "--", "cat"],
     "queue get: either --max or a command, which gets one item at a time (see: mpctl help queue get)"),
    (["queue", "get", "q", "--ack", "manual", "--", "cat"],
     "queue get: either --ack manual or a command, which settles what it got by its status "
     "(see: mpctl help queue get)"),
    (["value", "wait", "v", "=", "5"], 'value wait: op "=": must be ==|!=|<|<=|>|>= (see: mpctl help value wait)'),
    (["value", "add", "v", "-5", "-x"], "value add: unknown flag -x (see: mpctl help value add)"),
    (["help", "queue", "pit"], 'help: no verb "pit" of queue (see: mpctl help help)'),
    (["rm"], "rm: NAME is missing: which (see: mpctl help rm)"),
    (["queue", "rm"], "rm: NAME is missing: which (see: mpctl help rm)"),
])
def test_wrong_usage_is_one_line_and_2(args, said):
    done = Alone(*args)
    assert (done.code, done.out, done.err) == (2, "", f"mpctl: {said}\n")


@pytest.mark.parametrize("name, verb", VERBS)
def test_every_verb_of_the_registry_has_help(name, verb):
    done = Alone("help", name, verb)
    assert done.code == 0 and done.out.startswith(f"usage: mpctl {name} {verb} [flags] NAME"), done.out
    assert Alone(name, verb, "--help").out == done.out
    assert re.search(rf"^example: mpctl {name} {verb} \w", done.out, re.M)
    assert max(len(line) for line in done.out.splitlines()) <= 130
    assert re.search(rf"^  {name} {verb} NAME", Alone("help", name).out, re.M)


@pytest.mark.parametrize("name", KINDS)
def test_every_object_has_help(name):
    listed = re.search(r"\nobjects: .*\n\n", Alone("help").out, re.S).group()
    assert re.search(rf"^  {name} +create, ", listed, re.M)
    assert max(len(line) for line in listed.splitlines()) <= 80 and not re.search(r" $", listed, re.M)
    shown = Alone("help", name)
    assert shown.code == 0 and shown.out == Alone(name, "--help").out == Alone(KINDS[name], "-h").out


def test_what_leaves_something_held_is_shown_with_its_owner():
    for name, verb in (("lock", "acquire"), ("lock", "release"), ("sem", "acquire"), ("cond", "wait"),
                       ("barrier", "register"), ("pipe", "hold"), ("queue", "done"), ("value", "lock")):
        assert re.search(r"^example: .* --owner \$\$$", Alone("help", name, verb).out, re.M), (name, verb)
    assert "--owner" not in Alone("help", "lock").out.split("lock NAME -- CMD")[1].split("\n")[0]


# --- lock -----------------------------------------------------------------------------------------------------------

def test_a_command_under_a_lock(mpd):
    command = "echo $MPCTL_LOCK_NAME $MPCTL_LOCK_TOKEN; mpctl lock locked db; exit $(($? + 7))"
    done = mpd.shell(f"mpctl lock db -- sh -c '{command}'")
    assert (done.code, done.err) == (7, "") and re.fullmatch(r"db \d+\n", done.out)
    assert mpd.ctl("lock", "locked", "db").code == 1
    assert mpd.shell("mpctl rlock r -w 5 -- cat <<<through").out == "through\n"


def test_the_lock_lasts_as_long_as_the_commands_main_process(mpd, fifo):
    """What it leaves behind has none of mpctl's descriptors, and holds nothing."""
    told = fifo()
    left_behind = f'sh -c "echo \\$\\$ > {told.path}; exec sleep 1000" &'
    done = mpd.shell(f"{{ mpctl lock db -- sh -c '{left_behind}'; mpctl lock db -n -- echo mine; }} >out 2>&1; cat out")
    left = int(told.line())
    try:
        assert done.out == "mine\n" and alive(left)
    finally:
        os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize("args", [["lock", "db"], ["queue", "get", "q"]], ids=["lock", "queue"])
def test_commands_inherit_no_more_than_from_a_shell(mpd, args):
    mpd.rpc("queue.put", name="q", item=1)
    show = ("sh", "-c", "for fd in $(seq 3 50); do test -e /proc/$$/fd/$fd && echo $fd; done;"
                        "exec grep -E '^Sig(Blk|Ign)' /proc/self/status")
    done = mpd.ctl(*args, "--", *show)
    assert (done.code, done.out) == (0, mpd.shell("grep -E '^Sig(Blk|Ign)' /proc/self/status").out)


def test_a_lock_that_is_held(mpd, fifo):
    told = fifo()
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x; exit 4") as holder:
        told.line()
        done = mpd.ctl("lock", "db", "-n", "--", "echo", "never")
        assert (done.code, done.out) == (5, "") and re.fullmatch(r"mpctl: [^\n]*\bdb\b[^\n]*\n", done.err)
        done = mpd.ctl("lock", "db", "-w", "50ms", "--", "echo", "never")
        assert (done.code, done.out) == (124, "") and re.fullmatch(r"mpctl: [^\n]*\bdb\b[^\n]*\n", done.err)
        assert mpd.ctl("lock", "locked", "db").code == 0
        assert mpd.ctl("lock", "locked", "db", "--json").json() == [{"locked": True}]
        assert mpd.rpc("object.info", name="db")["holds"][0]["pid"] == holder.pid, "mpctl has become the command"
        with mpd.ctl_popen("lock", "db", "--", "echo", "after") as after:
            waiting(mpd, "db")
            holder.stdin.write("go\n")
            holder.stdin.flush()
            assert after.wait(PATIENCE) == 0 and after.stdout.read() == "after\n"
        assert holder.wait(PATIENCE) == 4


def test_free_at_once_when_the_command_has_ended(mpd):
    done = mpd.shell("for i in $(seq 100); do mpctl lock db -n -- true || exit 9; done;"
                     "for i in $(seq 100); do mpctl sem s --no-wait --value 1 -- true || exit 9; done")
    assert (done.code, done.err) == (0, "")


def test_commands_that_cannot_be_executed(mpd, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    done = mpd.ctl("lock", "db", "--", "/nonexistent/x")
    assert (done.code, done.out, done.err) == (127, "", "mpctl: /nonexistent/x: not found\n")
    assert mpd.ctl("lock", "db", "-n", "--", "nonexistent-command").code == 127, "the lock was given back"
    done = mpd.ctl("lock", "db", "-n", "--", plain)
    assert (done.code, done.err) == (126, f"mpctl: {plain}: Permission denied\n")
    assert mpd.ctl("lock", "db", "-n", "--", "true").err == "", "not one of them is said to have died with it"


def test_who_died_with_the_lock_is_told(mpd):
    done = mpd.shell("mpctl lock db -- sh -c 'echo $$; kill -9 $$'; echo $?; mpctl lock db -- echo mine")
    pid, status, mine = done.out.split()
    assert (status, mine) == ("137", "mine")
    told = f"mpctl: lock db: its last holder, pid {pid}, was killed by SIGKILL\n"
    assert told.replace(f"pid {pid}", "X") in re.sub(rf"pid {pid}( \(sh\))?", "X", done.err)
    assert mpd.shell("mpctl lock db -- sh -c 'kill -9 $$'; mpctl -q lock db -- true").err.count("mpctl: ") == 0
    done = mpd.shell("mpctl lock db -- sh -c 'exit 3'; mpctl lock db -- true; mpctl lock db -- true")
    assert done.err.count("mpctl: ") == 1 and "exited with 3" in done.err


def test_locks_in_scripts(mpd):
    done = mpd.shell("""
        T=$(mpctl lock acquire db --owner $$); echo $?
        mpctl lock db -n -- true 2>/dev/null; echo $?
        mpctl lock release db --owner $$; echo $?
        mpctl lock release db --owner $$ 2>/dev/null; echo $?
        T=$(true | mpctl lock acquire db --owner $$)
        (exec mpctl lock release db --owner 1 --token $T); echo $?
        mpctl lock locked db; echo $?
    """)
    assert done.out.split() == ["0", "5", "0", "1", "0", "1"], done
    gone = mpd.shell("mpctl lock acquire db --owner $$; mpctl lock locked db && echo held")
    assert re.fullmatch(r"\d+\nheld\n", gone.out)
    until(lambda: mpd.ctl("lock", "locked", "db").code == 1, what="the script's end frees it")


def test_the_parent_is_the_default_owner(mpd):
    done = mpd.shell("mpctl lock acquire db --json; mpctl lock release db; echo $?")
    token, code = done.out.split()
    assert json.loads(token)["token"] > 0 and code == "0"
    done = mpd.shell("mpctl rlock acquire r; mpctl rlock acquire r;"
                     "mpctl rlock release r --json; mpctl rlock release r --json; true")
    one, two, three, four = done.out.split()
    assert one == two and [json.loads(three), json.loads(four)] == [{"depth": 1}, {"depth": 0}]


def test_releases_that_are_refused(mpd, fifo):
    told = fifo()
    mpd.ctl("lock", "create", "db")
    done = mpd.ctl("lock", "release", "db")
    assert done.code == 1 and re.fullmatch(r"mpctl: [^\n]*\bdb\b[^\n]*\n", done.err)
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo $MPCTL_LOCK_TOKEN > {told.path}; read x"):
        token = told.line()
        assert mpd.ctl("lock", "release", "db").code == 1
        assert mpd.ctl("lock", "release", "db", "--token", str(int(token) + 1)).code == 1
        assert mpd.ctl("lock", "release", "db", "--token", token).code == 0
        assert mpd.ctl("lock", "locked", "db").code == 1


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_cancels_the_wait(mpd, fifo, name):
    signo = getattr(signal, f"SIG{name}")
    told = fifo()
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x") as holder:
        told.line()
        for args in (["lock", "acquire", "db"], ["lock", "db", "--", "true"]):
            with mpd.ctl_popen(*args) as waiter:
                waiting(mpd, "db")
                waiter.send_signal(signo)
                assert (waiter.wait(PATIENCE), waiter.stdout.read(), waiter.stderr.read()) == (-signo, "", "")
            assert mpd.rpc("object.info", name="db")["waiters"] == 0
        holder.kill()


def test_a_person_is_told_what_the_wait_is_for(mpd, fifo, terminal):  # noqa: F811
    told = fifo()
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x") as holder:
        told.line()
        t = ctl(terminal, "lock", "db", "--", "echo", "mine")
        said = t.expect(r"^mpctl: waiting for lock db, held by pid (\d+) \(sh\) for [\d.]+m?s\r\n")
        assert int(said.group(1)) == holder.pid
        holder.stdin.write("\n")
        holder.stdin.flush()
        t.expect("^mine\r\n")
        assert t.end() == 0
        quiet = mpd.shell("mpctl lock acquire db --owner $$ >/dev/null; mpctl lock db -w 1.2 -- true")
        assert quiet.code == 124 and "waiting" not in quiet.err, "no terminal, nobody to tell"


def test_the_key_that_interrupts(mpd, fifo, terminal):  # noqa: F811
    told = fifo()
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x"):
        told.line()
        t = ctl(terminal, "lock", "acquire", "db")
        waiting(mpd, "db")
        t.type("\x03")
        assert t.end() == 130
        assert mpd.rpc("object.info", name="db")["waiters"] == 0


def test_a_lock_outlives_the_engine(mpd, fifo):
    told = fifo()
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x") as holder:
        told.line()
        with mpd.ctl_popen("lock", "db", "--", "echo", "mine") as waiter:
            waiting(mpd, "db")
            mpd.kill_engine()
            waiting(mpd, "db")
            assert mpd.ctl("lock", "db", "-n", "--", "true").code == 5
            holder.stdin.write("\n")
            holder.stdin.flush()
            assert waiter.wait(PATIENCE) == 0 and waiter.stdout.read() == "mine\n"


def test_a_strict_lock(mpd):
    mpd.ctl("lock", "create", "db", "--robust", "strict")
    assert mpd.shell("mpctl lock db -- true; mpctl lock db -- true").err == "", "an end with 0 is a release"
    done = mpd.shell("mpctl lock db -- sh -c 'kill -9 $$'; mpctl lock acquire db --owner $$ >/dev/null; echo $?;"
                     "mpctl lock repair db --owner $$; mpctl lock release db --owner $$; mpctl lock db -- echo fine")
    assert done.out == "0\nfine\n"
    assert done.err.endswith("was killed by SIGKILL\nmpctl: lock db: it must be repaired before its release "
                             "(mpctl lock repair db)\n")
    done = mpd.shell("mpctl -q lock db -- sh -c 'kill -9 $$'; mpctl -q lock acquire db --owner $$ >/dev/null;"
                     "mpctl lock release db --owner $$; mpctl lock db -- echo never; echo $?")
    assert done.out == "1\n" and re.search(r"^mpctl: [^\n]*\bdb\b", done.err, re.M)


# --- all objects ----------------------------------------------------------------------------------------------------

def test_ls_info_rm(mpd, fifo):
    told = fifo()
    assert mpd.ctl("ls", "--no-header").out == "" and mpd.ctl("ls").out.split() == [
        "NAME", "KIND", "WAITERS", "AGE", "STATE"]
    mpd.ctl("lock", "create", "db")
    mpd.ctl("rlock", "create", "other")
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x") as holder:
        told.line()
        with mpd.ctl_popen("lock", "acquire", "db"):
            waiting(mpd, "db")
            row = next(line for line in mpd.ctl("ls").out.splitlines() if line.startswith("db "))
            assert re.fullmatch(rf"db +lock +1 +[\d.]+m?s +held by pid {holder.pid}.*", row)
            shown = mpd.ctl("info", "db").out
            assert re.search(rf"^holders:\n  pid {holder.pid}\b.* for [\d.]+m?s, token \d+$", shown, re.M)
            assert re.search(r"^waiters:\n  pid \d+\b.*: acquire, for [\d.]+m?s$", shown, re.M)
            for args in (["info", "lock", "db"], ["lock", "info", "db"]):
                assert mpd.ctl(*args).out.startswith("name: db\nkind: lock\n")
        done = mpd.ctl("rm", "db")
        assert done.code == 1 and "db" in done.err
        assert mpd.ctl("rm", "-f", "lock", "db").code == 0 and holder.poll() is None
    assert [o["name"] for o in mpd.ctl("ls", "--json").json()] == ["other"]
    assert mpd.ctl("ls", "lock", "--no-header").out == "" and mpd.ctl("ls", "rlock", "o*", "--no-header").out != ""
    assert mpd.ctl("ls", "rlock", "x*", "--no-header").out == ""
    assert mpd.ctl("chmod", "other", "770").code == 0 and mpd.ctl("info", "other", "--json").json()[0]["mode"] == "770"
    done = mpd.ctl("lock", "rm", "other")
    assert done.code == 1 and "other" in done.err, "of another kind"
    assert mpd.ctl("rlock", "rm", "other").code == 0
    done = mpd.ctl("info", "other")
    assert done.code == 4 and done.err.endswith("(see: mpctl ls)\n")


def test_the_graph_and_its_circles(mpd, fifo):
    """Two processes, two locks, crosswise: who closes the circle is told, with each edge of it."""
    told = fifo()
    assert (mpd.ctl("deadlocks").code, mpd.ctl("graph").out) == (0, "")
    with mpd.ctl_popen("lock", "a", "--", "sh", "-c", f"echo up > {told.path}; read x; exec sleep 1000") as one, \
            mpd.ctl_popen("lock", "b", "--", "sh", "-c", f"echo up > {told.path}; read x; exec sleep 1000") as two:
        told.lines(2)
        with mpd.ctl_popen("lock", "acquire", "b", "--owner", str(one.pid)):
            waiting(mpd, "b")
            edge = mpd.ctl("graph").out
            assert edge == f"pid {one.pid} (sh) waits for lock b, held by pid {two.pid} (sh)\n"
            dot = mpd.ctl("graph", "--dot").out
            assert dot.startswith("strict digraph") and dot.endswith("}\n") and '"lock b" [shape=box];' in dot
            done = mpd.ctl("lock", "acquire", "a", "--owner", str(two.pid))
            assert done.code == 1 and str(one.pid) in done.err and str(two.pid) in done.err
            assert mpd.ctl("graph", "--json").json()[0]["deadlocks"] == []


# --- semaphore, event -----------------------------------------------------------------------------------------------

def test_semaphores(mpd, fifo):
    told = fifo()
    assert mpd.ctl("sem", "acquire", "none").code == 4
    with mpd.ctl_popen("sem", "s", "--value", "2", "--", "sh", "-c", f"echo up > {told.path}; read x"):
        told.line()
        assert mpd.ctl("sem", "value", "s").out == "1\n"
        assert mpd.ctl("sem", "value", "s", "--json").json() == [{"value": 1}]
        done = mpd.ctl("sem", "s", "-n", "2", "--no-wait", "--", "true")
        assert (done.code, done.out) == (5, "") and "s" in done.err
        done = mpd.shell("mpctl sem acquire s --owner $$ >/dev/null && mpctl sem value s;"
                         "mpctl sem release s --owner $$ && mpctl sem value s")
        assert (done.code, done.out) == (0, "0\n1\n")
        assert mpd.ctl("sem", "acquire", "s", "--value", "3").code == 1, "another shape"
        assert mpd.ctl("sem", "release", "s").code == 1, "not what others hold"
    until(lambda: mpd.ctl("sem", "value", "s").out == "2\n", what="its death returns the permit")


def test_events(mpd):
    assert mpd.ctl("event", "is-set", "e").code == 4
    assert (mpd.ctl("event", "wait", "e", "-n").code, mpd.ctl("event", "is-set", "e").code) == (5, 1)
    done = mpd.ctl("event", "wait", "e", "-w", "50ms")
    assert (done.code, done.out, done.err) == (124, "", "mpctl: event wait e: timed out\n")
    assert mpd.ctl("-q", "event", "wait", "e", "-w", "50ms").err == ""
    with mpd.ctl_popen("event", "wait", "e") as waiter:
        waiting(mpd, "e")
        done = mpd.ctl("event", "set", "e")
        assert (done.code, done.out, done.err) == (0, "", "")
        assert (waiter.wait(PATIENCE), waiter.stdout.read()) == (0, "")
    assert mpd.ctl("event", "is-set", "e").code == mpd.ctl("event", "wait", "e", "-n").code == 0
    assert mpd.ctl("event", "is-set", "e", "--json").json() == [{"set": True}]
    assert mpd.ctl("event", "clear", "e").code == 0 and mpd.ctl("event", "is-set", "e").code == 1
    assert mpd.ctl("event", "set", "other", "--no-create").code == 4
    done = mpd.shell("mpctl event create mine --ephemeral && mpctl event set mine --owner $$;"
                     "mpctl event is-set mine && echo set")
    assert done.out == "set\n"
    until(lambda: mpd.ctl("event", "is-set", "mine").code == 1, what="its setter's end clears it")


# --- condition, barrier ---------------------------------------------------------------------------------------------

def test_conditions_in_scripts(mpd):
    done = mpd.shell("""
        mpctl cond wait c --owner $$ 2>/dev/null; echo $?
        mpctl cond acquire c --owner $$ >/dev/null
        mpctl cond wait c -w 50ms --owner $$ 2>/dev/null; echo $?
        mpctl cond wait c -n --owner $$; echo $?
        mpctl cond notify c --owner $$; echo $?
        mpctl cond release c --owner $$; echo $?
        mpctl cond notify c --owner $$ 2>/dev/null; echo $?
    """)
    assert done.out.split() == ["4", "124", "5", "0", "0", "1"], done


def test_a_notify_ends_the_wait(mpd, fifo):
    told = fifo()
    script = f"mpctl cond acquire c --owner $$ >/dev/null; echo up > {told.path};" \
             "mpctl cond wait c --owner $$; echo $?; mpctl cond release c --owner $$; echo $?"
    with shell_popen(mpd, script) as waiter:
        told.line()
        waiting(mpd, "c")
        done = mpd.shell("mpctl cond acquire c --owner $$ >/dev/null; mpctl cond notify-all c --owner $$ --json;"
                         "mpctl cond release c --owner $$")
        assert done.code == 0 and json.loads(done.out) == {"notified": 1}
        assert waiter.communicate(timeout=PATIENCE)[0] == "0\n0\n"


def test_wait_for(mpd, tmp_path):
    there = tmp_path / "there"
    with shell_popen(mpd, f"token=$(mpctl cond wait-for c --owner $$ -- sh -c 'echo tested; test -e {there}');"
                          "echo $?; mpctl cond release c --token $token; echo $?") as waiter:
        waiting(mpd, "c")
        notify = "mpctl cond acquire c --owner $$ >/dev/null && mpctl cond notify c --owner $$ &&" \
                 "mpctl cond release c --owner $$"
        assert mpd.shell(notify).code == 0
        waiting(mpd, "c")
        there.touch()
        assert mpd.shell(notify).code == 0
        out, err = waiter.communicate(timeout=PATIENCE)
        assert out == "0\n0\n", "the lock is held, and that is its token"
        assert err == "tested\n" * 3
    done = mpd.shell("""
        mpctl cond wait-for c -w 50ms --owner $$ -- false; echo $?
        mpctl cond release c --owner $$ 2>/dev/null; echo $?
        mpctl cond wait-for c -n --owner $$ -- false; echo $?
        mpctl cond wait-for c --owner $$ -- nonexistent-command; echo $?
    """)
    assert done.out.split() == ["124", "1", "5", "127"], done


def test_an_interrupted_condition(mpd):
    """The lock comes back before the wait ends, and wait-for gives it away again."""
    with shell_popen(mpd, "trap : INT; mpctl cond acquire c --owner $$ >/dev/null;"
                          "mpctl cond wait c --owner $$; echo $?; mpctl cond release c --owner $$; echo $?") as waiter:
        waiting(mpd, "c")
        os.kill(mpctl_below(waiter.pid), signal.SIGINT)
        assert waiter.communicate(timeout=PATIENCE)[0] == "130\n0\n"
    with mpd.ctl_popen("cond", "wait-for", "c", "--owner", str(os.getpid()), "--", "false") as waiter:
        waiting(mpd, "c")
        waiter.send_signal(signal.SIGTERM)
        assert waiter.wait(PATIENCE) == -signal.SIGTERM
    assert mpd.rpc("object.info", name="c")["holders"] == 0


def test_barriers(mpd, fifo):
    told = fifo()
    assert mpd.ctl("barrier", "wait", "none").code == 4
    with mpd.ctl_popen("barrier", "wait", "b", "--parties", "3") as one:
        waiting(mpd, "b")
        with mpd.ctl_popen("barrier", "wait", "b", "--parties", "3", "--json") as two:
            waiting(mpd, "b", 2)
            assert re.search(r"^parties: 3\nn_waiting: 2\nbroken: false$", mpd.ctl("barrier", "info", "b").out, re.M)
            assert mpd.ctl("barrier", "wait", "b", "--parties", "4").code == 1
            last = mpd.ctl("barrier", "wait", "b", "--parties", "3")
            answer = json.loads(two.communicate(timeout=PATIENCE)[0])
            indices = {one.communicate(timeout=PATIENCE)[0], last.out, f"{answer['index']}\n"}
            assert (one.returncode, two.returncode, last.code) == (0, 0, 0) and indices == {"0\n", "1\n", "2\n"}
    with mpd.ctl_popen("barrier", "wait", "b", "--action", f"echo never > {told.path}") as one:
        waiting(mpd, "b")
        assert mpd.ctl("barrier", "abort", "b").code == 0
        assert one.wait(PATIENCE) == 1 and re.fullmatch(r"mpctl: [^\n]*\bb\b[^\n]*\n", one.stderr.read())
    assert mpd.ctl("barrier", "wait", "b").code == 1 and mpd.ctl("barrier", "reset", "b").code == 0
    assert mpd.ctl("barrier", "wait", "b", "-w", "50ms").code in (1, 124) and told.silent(0)


def test_the_last_at_a_barrier_runs_the_action(mpd, tmp_path):
    ran = tmp_path / "ran"
    with mpd.ctl_popen("barrier", "wait", "b", "--parties", "2", "--action", f"echo one >> {ran}") as one:
        waiting(mpd, "b")
        assert mpd.ctl("barrier", "wait", "b", "--action", f"echo two >> {ran}; echo seen").err == "seen\n"
        assert one.wait(PATIENCE) == 0
    assert ran.read_text() == "two\n"
    with mpd.ctl_popen("barrier", "wait", "b") as one:
        waiting(mpd, "b")
        done = mpd.ctl("barrier", "wait", "b", "--action", "exit 3")
        assert done.code == 1 and "the action failed with 3" in done.err
        assert one.wait(PATIENCE) == 1


def test_a_death_at_a_barrier_is_named(mpd):
    three = ("barrier", "wait", "b", "--parties", "3")
    with mpd.ctl_popen(*three) as one, mpd.ctl_popen(*three) as two:
        waiting(mpd, "b", 2)
        two.kill()
        assert one.wait(PATIENCE) == 1 and str(two.pid) in one.stderr.read()
    assert mpd.ctl("barrier", "reset", "b").code == 0
    script = "mpctl barrier register b --parties 3 --owner $$; echo $$; read x"
    with shell_popen(mpd, script) as party:
        pid = int(party.stdout.readline())
        with mpd.ctl_popen("barrier", "wait", "b") as one:
            waiting(mpd, "b")
            party.kill()
            assert one.wait(PATIENCE) == 1 and str(pid) in one.stderr.read()


# --- queue ----------------------------------------------------------------------------------------------------------

def test_values_are_json_or_text(mpd):
    assert mpd.ctl("queue", "put", "q", "hello", "7", '{"seat": 7}', '"7"', "", "[1,", "-5", "null", "ä").code == 0
    assert mpd.ctl("queue", "size", "q").out == "9\n"
    items = [mpd.rpc("queue.get", name="q")["item"] for _ in range(9)]
    assert items == ["hello", 7, {"seat": 7}, "7", "", "[1,", -5, None, "ä"]
    assert mpd.ctl("queue", "put", "q", "-S", "7", "--json").json()[0]["id"] > 0
    assert mpd.rpc("queue.get", name="q")["item"] == "7"
    text = '{"z": 1, "a": 123456789012345678901234567890, "e": "\\u00e9\\n"}'
    assert mpd.ctl("queue", "put", "q", text).code == 0
    assert mpd.ctl("queue", "get", "q").out == text + "\n"
    assert mpd.ctl("queue", "put", "q", '{\n"a":\n1\n}').code == 0
    assert mpd.rpc("queue.get", name="q")["item"] == {"a": 1}


def test_items_from_stdin(mpd):
    assert mpd.ctl("queue", "put", "q", input="one\ntwo\n").code == 0
    assert mpd.rpc("queue.get", name="q")["item"] == "one\ntwo"
    assert mpd.ctl("queue", "put", "q", "-", input="[1,\n2]\n").code == 0
    assert mpd.rpc("queue.get", name="q")["item"] == [1, 2]
    assert mpd.ctl("queue", "put", "q", "--lines", input='a b\n7\n{"x":1}\n\nend').code == 0
    assert [mpd.rpc("queue.get", name="q")["item"] for _ in range(5)] == ["a b", 7, {"x": 1}, "", "end"]
    assert mpd.ctl("queue", "put", "q", "-0", input="a\nb\0c\0").code == 0
    assert [mpd.rpc("queue.get", name="q")["item"] for _ in range(2)] == ["a\nb", "c"]
    assert mpd.ctl("queue", "put", "q", "--lines", input="").code == 0 and mpd.ctl("queue", "size", "q").out == "0\n"
    assert mpd.shell("printf 'a\\377' | mpctl queue put q; mpctl queue get q").out == "a\udcff\n"


def test_raw_items(mpd, tmp_path):
    blob = os.urandom(300_000) + b"\n\0\n"
    (tmp_path / "blob").write_bytes(blob)
    done = mpd.shell(f"mpctl queue put q --raw < {tmp_path}/blob && mpctl queue get q --raw > {tmp_path}/back")
    assert done.code == 0 and (tmp_path / "back").read_bytes() == blob
    done = mpd.shell(f"mpctl queue put q --raw < {tmp_path}/blob && mpctl queue get q --raw -- cat > {tmp_path}/back")
    assert done.code == 0 and (tmp_path / "back").read_bytes() == blob
    assert mpd.ctl("queue", "put", "q", "--raw", "7", "x").code == 0
    assert mpd.ctl("queue", "peek", "q").out == mpd.ctl("queue", "get", "q").out == "7\n"
    assert mpd.ctl("queue", "peek", "q", "--raw").out == "x"
    assert mpd.ctl("queue", "get", "q", "--json").json() == [{"b64": "eA=="}]


def test_an_item_that_is_too_large(mpd):
    for args in ([], ["--raw"]):
        done = mpd.ctl("queue", "put", "q", *args, input="x" * (17 << 20))
        assert (done.code, done.out) == (1, "") and re.fullmatch(r"mpctl: [^\n]*\b16777216\b[^\n]*\n", done.err)
    big = "x" * (15 << 20)
    assert mpd.ctl("queue", "put", "q", input=big).code == 0 and mpd.ctl("queue", "get", "q").out == big + "\n"


def test_what_is_printed(mpd):
    for item, plain in (("text\twith\nall", "text\twith\nall\n"), (7, "7\n"), ({"a": [1]}, '{"a":[1]}\n'),
                        (None, "null\n")):
        for _ in range(2):
            mpd.rpc("queue.put", name="q", item=item)
        assert mpd.ctl("queue", "peek", "q").out == mpd.ctl("queue", "get", "q").out == plain
        assert mpd.ctl("queue", "get", "q", "--json").json() == [item]
    mpd.rpc("queue.put", name="q", items=[1, 2, 3])
    assert mpd.ctl("queue", "get", "q", "--max", "2").out == "1\n2\n"
    assert mpd.ctl("queue", "get", "q", "--max", "9").out == "3\n"
    stats = mpd.rpc("queue.stats", name="q")
    assert (stats["size"], stats["claimed"]) == (0, 0)
    assert "size: 0\n" in mpd.ctl("queue", "stats", "q").out
    assert mpd.ctl("queue", "stats", "q", "--json").json() == [stats]


def test_empty_and_full(mpd):
    assert mpd.ctl("queue", "get", "q").code == 4
    assert mpd.ctl("queue", "create", "q", "--maxsize", "1").code == 0
    assert (mpd.ctl("queue", "empty", "q").code, mpd.ctl("queue", "full", "q").code) == (0, 1)
    for args in (["-n"], ["-w", "50ms"]):
        done = mpd.ctl("queue", "get", "q", *args)
        assert (done.code, done.out) == (5, "") and re.fullmatch(r"mpctl: [^\n]*\bq\b[^\n]*\n", done.err)
    assert mpd.ctl("queue", "peek", "q").code == 5
    assert mpd.ctl("queue", "put", "q", "x", "-n").code == 0
    assert (mpd.ctl("queue", "empty", "q").code, mpd.ctl("queue", "full", "q").code) == (1, 0)
    assert mpd.ctl("queue", "put", "q", "y", "-n").code == mpd.ctl("queue", "put", "q", "y", "-w", "50ms").code == 5
    with mpd.ctl_popen("queue", "put", "q", "y") as put:
        waiting(mpd, "q")
        assert mpd.ctl("queue", "get", "q").out == "x\n" and put.wait(PATIENCE) == 0
    with mpd.ctl_popen("queue", "get", "q", "--max", "5") as get:
        assert get.wait(PATIENCE) == 0 and get.stdout.read() == "y\n"
    assert mpd.ctl("queue", "close", "q").code == 0
    assert mpd.ctl("queue", "put", "q", "z").code == mpd.ctl("queue", "get", "q").code == 1


def test_a_stream_stops_where_the_queue_is_full(mpd):
    mpd.ctl("queue", "create", "q", "--maxsize", "3")
    done = mpd.ctl("queue", "put", "q", "--lines", "-w", "50ms", input="1\n2\n3\n4\n5\n")
    assert done.code == 5 and done.err.splitlines()[-1] == "mpctl: 3 before it were put"
    assert mpd.ctl("queue", "get", "q", "--max", "9").out == "1\n2\n3\n"
    with mpd.ctl_popen("queue", "put", "q", "--lines") as put:
        def write():
            put.stdin.write("".join(f"{n}\n" for n in range(5000)))
            put.stdin.close()
        writer = threading.Thread(target=write)
        writer.start()
        waiting(mpd, "q", 256)
        got = []
        with mpd.ctl_popen("queue", "get", "q", "-f") as get:
            got = [int(get.stdout.readline()) for _ in range(5000)]
            assert got == list(range(5000))
            writer.join()
            assert put.wait(PATIENCE) == 0
            assert mpd.ctl("queue", "close", "q").code == 0
            assert (get.wait(PATIENCE), get.stdout.read(), get.stderr.read()) == (0, "", "")


def test_a_stream_is_put_as_it_comes(mpd):
    mpd.ctl("queue", "create", "q")
    with mpd.ctl_popen("queue", "put", "q", "-l") as put:
        for line in ("one", "two"):
            put.stdin.write(line + "\n")
            put.stdin.flush()
            assert mpd.ctl("queue", "get", "q", "-w", "20").out == line + "\n"
        mpd.ctl("queue", "close", "q")
        put.stdin.write("three\n")
        put.stdin.flush()
        assert put.wait(PATIENCE) == 1 and "mpctl: 2 before it were put\n" in put.stderr.read()


def test_what_cannot_be_written_goes_back(mpd):
    mpd.rpc("queue.put", name="q", item="precious")
    done = mpd.shell("mpctl queue get q > /dev/full; echo $?")
    assert done.out == "1\n" and "No space left" in done.err
    assert mpd.rpc("queue.stats", name="q")["claimed"] == 0
    held = mpd.shell("mpctl queue get q --ack manual --owner $$ > /dev/full; mpctl queue size q")
    assert held.out == "1\n", "not the parent's either"
    assert mpd.rpc("queue.size", name="q")["size"] == 1, "it is back at once"
    done = mpd.shell("{ mpctl queue get q; echo $? >&2; } | true")  # EPIPE, or in time
    assert done.err in ("0\n", "1\n")
    mpd.rpc("queue.put", name="p", item="x" * 1_000_000)
    with mpd.ctl_popen("queue", "get", "p") as get:
        assert readable(get.stdout.fileno())
        assert mpd.rpc("queue.stats", name="p")["claimed"] == 1, "it is being written"
        get.kill()
    until(lambda: mpd.rpc("queue.size", name="p")["size"] == 1, what="it is back")
    got = mpd.rpc("queue.get", name="p")
    assert got["redelivered"] == 1 and len(got["item"]) == 1_000_000


def test_a_command_with_the_item(mpd):
    mpd.rpc("queue.put", name="q", items=["one", {"n": 2}, "three"])
    done = mpd.ctl("queue", "get", "q", "--", "sh", "-c", "cat; echo $MPCTL_QUEUE $((MPCTL_CLAIM > 0))")
    assert (done.code, done.out) == (0, "one\nq 1\n")
    done = mpd.ctl("queue", "get", "q", "--", "sh", "-c", "cat; exit 3")
    assert (done.code, done.out) == (3, '{"n":2}\n'), "its status is ours"
    assert mpd.ctl("queue", "get", "q", "--", "sh", "-c", "kill -9 $$").code == 137
    assert mpd.ctl("queue", "get", "q", "--", "/nonexistent").code == 127
    assert mpd.ctl("queue", "get", "q", "--", "true").code == 0, "it came back to its place until here"
    assert mpd.ctl("queue", "get", "q").out == "three\n"
    assert mpd.ctl("queue", "get", "q", "-n", "--", "true").code == 5


def test_a_command_that_is_interrupted(mpd, fifo):
    told = fifo()
    mpd.rpc("queue.put", name="q", item="precious")
    for signo in (signal.SIGTERM, signal.SIGKILL):
        with mpd.ctl_popen("queue", "get", "q", "--", "sh", "-c", f"echo $$ > {told.path}; exec sleep 1000") as get:
            command = int(told.line())
            get.send_signal(signo)
            assert get.wait(PATIENCE) == -signo
        until(lambda: not alive(command), what="the command's end")
        until(lambda: mpd.rpc("queue.size", name="q")["size"] == 1, what="the item is back")


def test_a_worker(mpd, tmp_path):
    """It goes on after an item that fails, and ends well with the queue."""
    log = tmp_path / "log"
    mpd.ctl("queue", "create", "q", "--max-deliveries", "2", "--dead-letter", "dead")
    mpd.ctl("queue", "create", "dead")
    mpd.rpc("queue.put", name="q", items=["good", "bad", "better"])
    assert mpd.ctl("queue", "close", "q").code == 0
    done = mpd.ctl("queue", "get", "q", "-f", "--", "sh", "-c", f'read x; echo "$x" >> {log}; test "$x" != bad')
    assert (done.code, done.err) == (0, "")
    assert log.read_text().split() == ["good", "bad", "bad", "better"]
    assert mpd.rpc("queue.size", name="dead")["size"] == 1


def test_claims_by_hand(mpd):
    mpd.rpc("queue.put", name="q", items=["one", "two"])
    script = """
        IFS='\t' read -r CLAIM ITEM < <(mpctl queue get q --ack manual --owner $$); echo $ITEM
        mpctl queue get q --ack manual --owner $$ --json
        mpctl queue nack q $CLAIM; mpctl queue get q
        mpctl queue ack q $CLAIM 2>/dev/null; echo $?
    """
    one, two, three, four = mpd.shell(script).out.splitlines()
    assert (one, json.loads(two)["item"], json.loads(two)["claim"] > 0, three, four) == ("one", "two", True, "one", "1")
    until(lambda: mpd.ctl("queue", "get", "q", "-w", "20").out == "two\n", what="the script's end gives it back")


def test_joinable(mpd):
    mpd.ctl("queue", "create", "q", "--joinable")
    mpd.ctl("queue", "put", "q", "one", "two", "three")
    assert mpd.ctl("queue", "join", "q", "-n").code == 5
    with mpd.ctl_popen("queue", "join", "q") as join:
        waiting(mpd, "q")
        done = mpd.shell("mpctl queue get q --owner $$; mpctl queue done q --owner $$;"
                         "mpctl queue get q; mpctl queue done q; echo $?")
        assert (done.code, done.out) == (0, "one\ntwo\n0\n")
        assert mpd.rpc("queue.stats", name="q")["unfinished"] == 1
        assert mpd.ctl("queue", "get", "q", "--", "true").code == 0
        assert join.wait(PATIENCE) == 0
    assert mpd.ctl("queue", "done", "q").code == 1


def test_paused(mpd):
    mpd.ctl("queue", "put", "q", "x")
    assert mpd.ctl("queue", "pause", "q").code == 0 and mpd.ctl("queue", "get", "q", "-n").code == 5
    assert mpd.ctl("queue", "resume", "q").code == 0 and mpd.ctl("queue", "get", "q", "-n").out == "x\n"


def test_a_fence(mpd):
    done = mpd.shell("""
        T=$(mpctl lock acquire db --owner $$)
        mpctl queue put q 1 --fence db:$T; echo $?
        mpctl lock release db --owner $$
        mpctl queue put q 2 --fence db:$T 2>/dev/null; echo $?
        mpctl queue size q
    """)
    assert done.out.split() == ["0", "1", "1"]


def test_a_get_outlives_the_engine(mpd):
    mpd.ctl("queue", "create", "q")
    with mpd.ctl_popen("queue", "get", "q") as get:
        waiting(mpd, "q")
        mpd.kill_engine()
        waiting(mpd, "q")
        assert mpd.ctl("queue", "put", "q", "x").code == 0
        assert get.wait(PATIENCE) == 0 and get.stdout.read() == "x\n"


def test_a_raw_put_outlives_the_engine(mpd, tmp_path):
    blob = os.urandom(300_000)
    (tmp_path / "blob").write_bytes(blob)
    mpd.ctl("queue", "create", "q", "--maxsize", "1")
    mpd.ctl("queue", "put", "q", "first")
    with open(tmp_path / "blob", "rb") as stdin, mpd.ctl_popen("queue", "put", "q", "--raw", stdin=stdin) as put:
        waiting(mpd, "q")
        mpd.kill_engine()
        waiting(mpd, "q")
        assert mpd.ctl("queue", "get", "q").out == "first\n" and put.wait(PATIENCE) == 0
    assert mpd.shell(f"mpctl queue get q --raw | cmp - {tmp_path}/blob && mpctl queue size q").out == "0\n"


def test_a_command_and_its_claim_outlive_the_engine(mpd, fifo):
    told, gate = fifo("told"), fifo("gate")
    mpd.rpc("queue.put", name="q", item="work")
    with mpd.ctl_popen("queue", "get", "q", "--", "sh", "-c", f"cat > {told.path}; read x < {gate.path}") as get:
        assert told.line() == "work"
        mpd.kill_engine()
        assert mpd.rpc("queue.stats", name="q")["claimed"] == 1
        os.write(gate.fd, b"go on\n")
        assert get.wait(PATIENCE) == 0 and get.stderr.read() == ""
    stats = mpd.rpc("queue.stats", name="q")
    assert (stats["size"], stats["claimed"]) == (0, 0)


# --- pipe -----------------------------------------------------------------------------------------------------------

def test_pipes(mpd):
    assert mpd.ctl("pipe", "create", "p").code == 0
    assert mpd.ctl("pipe", "poll", "p:1", "-n").code == 1
    assert mpd.ctl("pipe", "send", "p:0", "hello").code == mpd.ctl("pipe", "send", "p:0", '{"a":1}').code == 0
    assert mpd.ctl("pipe", "poll", "p:1").code == 0
    assert mpd.ctl("pipe", "recv", "p:1").out == "hello\n"
    assert mpd.ctl("pipe", "recv", "p:1", "--json").json() == [{"a": 1}]
    done = mpd.ctl("pipe", "recv", "p:1", "-n")
    assert done.code == 5 and "p" in done.err
    assert mpd.ctl("pipe", "send", "p:1", "-S", "-", input="7\n").code == 0
    assert mpd.ctl("pipe", "recv", "p:0", "--json").json() == ["7"]
    done = mpd.shell("head -c 5 /dev/zero | mpctl pipe send p:0 --raw; mpctl pipe recv p:1 --raw | wc -c")
    assert done.out.strip() == "5"
    assert mpd.shell("mpctl pipe hold p:0 --owner $$; mpctl pipe send p:0 last").code == 0
    assert mpd.ctl("pipe", "recv", "p:1", "-w", "20").out == "last\n"
    done = mpd.ctl("pipe", "recv", "p:1", "-w", "20")
    assert (done.code, done.out) == (1, "") and re.fullmatch(r"mpctl: [^\n]*\bp\b[^\n]*\n", done.err), "its end"
    assert mpd.ctl("pipe", "create", "one", "--one-way").code == 0
    assert mpd.ctl("pipe", "send", "one:0", "x").code == 1 and mpd.ctl("pipe", "send", "one:1", "x").code == 0
    assert mpd.ctl("pipe", "send", "one", "x").code == 2


# --- value, array, dict, list, namespace ----------------------------------------------------------------------------

@pytest.mark.parametrize("steps", [
    [("value create v --type i 5", 0, ""), ("value get v", 0, "5\n"), ("value add v -2", 0, "3\n"),
     ("value add v", 0, "4\n"), ("value set v -7", 0, ""), ("value get v --json", 0, "-7\n"),
     ("value cas v -7 8", 0, ""), ("value cas v -7 9", 1, ""), ("value wait v >= 8", 0, "8\n"),
     ("value wait v < 8 -n", 5, ""), ("value wait v < 8 -w 0.05", 124, ""), ("value set v 99999999999", 1, ""),
     ("value set v text", 2, ""), ("value get none", 4, ""), ("value create v --type i", 1, "")],
    [("value create v hello", 0, ""), ("value get v", 0, "hello\n"), ("value get v --json", 0, '"hello"\n'),
     ("value set v [1,2]", 0, ""), ("value get v", 0, "[1,2]\n"), ("value set v -S 7", 0, ""),
     ("value get v --json", 0, '"7"\n')],
    [("array create a --type i --size 3", 0, ""), ("array get a", 0, "0\n0\n0\n"), ("array set a 0 5", 0, ""),
     ("array set a -1 7", 0, ""), ("array get a 2", 0, "7\n"), ("array get a 0:2", 0, "5\n0\n"),
     ("array get a 0:2 --json", 0, "[5,0]\n"), ("array get a 3", 1, ""), ("array len a", 0, "3\n"),
     ("array fill a 1", 0, ""), ("array set a ::2 [8,9]", 0, ""), ("array get a", 0, "8\n1\n9\n")],
    [("dict set d apple 7", 0, ""), ("dict set d pear green", 0, ""), ("dict get d apple", 0, "7\n"),
     ("dict get d pear", 0, "green\n"), ("dict get d pear --json", 0, '"green"\n'),
     ("dict keys d", 0, "apple\npear\n"), ("dict values d", 0, "7\ngreen\n"),
     ("dict items d", 0, "apple\t7\npear\tgreen\n"), ("dict items d --json", 0, '[["apple",7],["pear","green"]]\n'),
     ("dict copy d", 0, '{"apple":7,"pear":"green"}\n'), ("dict len d", 0, "2\n"), ("dict contains d apple", 0, ""),
     ("dict contains d fig", 1, ""), ("dict has-key d apple", 0, ""), ("dict get d fig", 1, ""),
     ("dict get d fig --default-value 0", 0, "0\n"), ("dict incr d count", 0, "1\n"),
     ("dict incr d count -3", 0, "-2\n"), ("dict pop d count", 0, "-2\n"), ("dict pop d count", 1, ""),
     ("dict setdefault d apple 9", 0, "7\n"), ("dict popitem d", 0, "pear\tgreen\n"),
     ('dict update d {"a":1}', 0, ""), ("dict del d a", 0, ""), ("dict del d a", 1, ""), ("dict clear d", 0, ""),
     ("dict keys d", 0, ""), ("dict set e k v --no-create", 4, "")],
    [("list append l one", 0, ""), ("list append l 2", 0, ""), ('list extend l [3,"x"]', 0, ""),
     ("list get l", 0, "one\n2\n3\nx\n"), ("list get l --json", 0, '["one",2,3,"x"]\n'), ("list get l -1", 0, "x\n"),
     ("list get l 1:3", 0, "2\n3\n"), ("list len l", 0, "4\n"), ("list index l 3", 0, "2\n"),
     ("list index l none", 1, ""), ("list count l x", 0, "1\n"), ("list contains l 2", 0, ""),
     ("list contains l 9", 1, ""), ("list insert l 0 first", 0, ""), ("list pop l", 0, "x\n"),
     ("list pop l 0", 0, "first\n"), ("list remove l one", 0, ""), ("list reverse l", 0, ""),
     ("list get l", 0, "3\n2\n"), ("list sort l", 0, ""), ("list repeat l 2", 0, ""),
     ("list get l", 0, "2\n3\n2\n3\n"), ("list set l 0 9", 0, ""), ("list del l 1:3", 0, ""),
     ("list get l", 0, "9\n3\n"), ("list get l 7", 1, ""), ("list clear l", 0, ""), ("list pop l", 1, "")],
    [("ns set n colour blue", 0, ""), ("ns set n size 7", 0, ""), ("ns get n colour", 0, "blue\n"),
     ("ns dir n", 0, "colour\nsize\n"), ("ns del n size", 0, ""), ("ns get n size", 1, ""),
     ("ns get n colour --json", 0, '"blue"\n'), ("namespace get n colour", 0, "blue\n")],
], ids=["value", "json", "array", "dict", "list", "ns"])
def test_what_is_kept(mpd, steps):
    for line, code, out in steps:
        done = mpd.ctl(*line.split(" "))
        assert (done.code, done.out) == (code, out), (line, done)
        assert (done.err == "") == (code == 0 or line.split()[1] in ("contains", "has-key")), (line, done)


def test_the_lock_of_a_value(mpd):
    mpd.ctl("value", "create", "v", "--type", "i")
    done = mpd.shell("mpctl value lock v --owner $$ >/dev/null; mpctl value unlock v --owner $$; echo $?;"
                     "mpctl value unlock v --owner $$ 2>/dev/null; echo $?")
    assert done.out == "0\n1\n"


def test_strange_text(mpd, terminal):  # noqa: F811
    """In a pipe as it is; on a terminal nothing that steers it."""
    mpd.rpc("value.create", name="v", value="a\x1b[31mb\nc\td")
    assert mpd.ctl("value", "get", "v").out == "a\x1b[31mb\nc\td\n"
    t = ctl(terminal, "value", "get", "v")
    t.expect(r"^a\?\[31mb\r\nc\td\r\n")
    assert t.end() == 0
