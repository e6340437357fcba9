# SPDX-License-Identifier: MIT
"""
The verbs of objects as a person at a terminal and a script see them: words, output, exit statuses, whose a hold is.
What the objects do is tested elsewhere.
"""
import json
import os
import re
import signal

import pytest

from harness import PATIENCE, ROOT, alive, until
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


def waiting(mpd, name, n=1):
    """Waits until so many wait for the object."""
    return until(lambda: mpd.rpc("object.info", name=name)["waiters"] == n, what=f"{n} waiters of {name}")


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
    (["lock", "acquire", "a", "--owner", "0"], 'lock acquire: --owner "0": must be a pid (see: mpctl help lock acquire)'),
    (["lock", "release", "a", "--tokn", "1"],
     "lock release: unknown flag --tokn (did you mean --token? see: mpctl help lock release)"),
    (["queue", "ack", "q", "x"], 'queue ack: CLAIM "x": must be a whole number (see: mpctl help queue ack)'),
    (["queue", "put"], "queue put: NAME is missing: which (see: mpctl help queue put)"),
    (["queue", "put", "q", "x", "--lines"],
     "queue put: --lines and --null are of stdin: either they or values (see: mpctl help queue put)"),
    (["queue", "put", "q", "x", "--fence", "db"],
     'queue put: --fence "db": must be LOCK:TOKEN (see: mpctl help queue put)'),
    (["queue", "get", "q", "--ack", "maybe"], 'queue get: --ack "maybe": must be auto|manual (see: mpctl help queue get)'),
    (["queue", "get", "q", "--max", "3", "--", "cat"],
     "queue get: either --max or a command, which gets one item at a time (see: mpctl help queue get)"),
    (["queue", "get", "q", "--ack", "manual", "--", "cat"], "queue get: either --ack manual or a command, which settles "
     "what it got by its status (see: mpctl help queue get)"),
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
    done = mpd.shell("mpctl lock db -- sh -c 'echo $MPCTL_LOCK_NAME $MPCTL_LOCK_TOKEN; mpctl lock locked db; exit $(($? + 7))'")
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
    done = mpd.shell("for i in $(seq 100); do mpctl lock db -n -- true || exit 9; done; mpctl sem s --no-wait --value 1 -- true")
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
    done = mpd.shell("mpctl rlock acquire r; mpctl rlock acquire r; mpctl rlock release r --json; mpctl rlock release r --json")
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
        said = t.expect(r"^mpctl: waiting for lock db, held by pid (\d+)( \(sh\))? for [\d.]+m?s\r\n")
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


# --- all objects ----------------------------------------------------------------------------------------------------

def test_ls_info_rm(mpd, fifo):
    told = fifo()
    assert mpd.ctl("ls", "--no-header").out == "" and mpd.ctl("ls").out.split() == [
        "NAME", "KIND", "UID", "HOLDERS", "WAITERS", "AGE", "STATE"]
    mpd.ctl("lock", "create", "db")
    mpd.ctl("rlock", "create", "other")
    with mpd.ctl_popen("lock", "db", "--", "sh", "-c", f"echo up > {told.path}; read x") as holder:
        told.line()
        with mpd.ctl_popen("lock", "acquire", "db"):
            waiting(mpd, "db")
            row = next(line for line in mpd.ctl("ls").out.splitlines() if line.startswith("db "))
            assert re.fullmatch(rf"db +lock +{os.getuid()} +1 +1 +[\d.]+m?s +held by pid {holder.pid}.*", row)
            shown = mpd.ctl("info", "db").out
            assert re.search(rf"^holders:\n  pid {holder.pid}\b.* for [\d.]+m?s, token \d+$", shown, re.M)
            assert re.search(r"^waiters:\n  pid \d+\b.*: acquire, for [\d.]+m?s$", shown, re.M)
            assert mpd.ctl("info", "lock", "db").out.splitlines()[:2] == mpd.ctl("lock", "info", "db").out.splitlines()[:2]
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
            assert re.fullmatch(rf"pid {one.pid}\b.* waits for lock b, held by pid {two.pid}\b.*\n", edge)
            dot = mpd.ctl("graph", "--dot").out
            assert dot.startswith("strict digraph") and dot.endswith("}\n") and '"lock b" [shape=box];' in dot
            done = mpd.ctl("lock", "acquire", "a", "--owner", str(two.pid))
            assert done.code == 1 and str(one.pid) in done.err and str(two.pid) in done.err
            assert mpd.ctl("graph", "--json").json()[0]["deadlocks"] == []
