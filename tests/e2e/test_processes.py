# SPDX-License-Identifier: MIT
"""Processes, as multiprocessing has them: every row of the table in the design, seen from outside."""
import base64
import errno
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest

from harness import MPCTL, PATIENCE, SLOW, TOOL_PATH, RpcError, alive, open_fds, spawn, stat_of, until, wait_dead

FOREVER = ["/bin/sleep", "1000"]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="77: needs root")


def sh(script):
    return ["/bin/sh", "-c", script]


def b64(raw):
    return {"b64": base64.b64encode(raw).decode()}


# --- start, status ----------------------------------------------------------------------------------------------------

def test_start_answers_id_pid_and_name(mpd):
    nap = mpd.begin(*FOREVER, name="nap")
    assert nap["name"] == "nap" and nap["id"] > 0
    assert pathlib.Path(f"/proc/{nap['pid']}/cmdline").read_bytes() == b"/bin/sleep\x001000\x00"


def test_status_tells_all_of_a_living_process(mpd):
    nap = mpd.begin(*FOREVER, name="nap", cwd="/usr")
    seen = mpd.process("nap")
    expected = {"name": "nap", "id": nap["id"], "pid": nap["pid"], "state": "running", "reason": "", "parent": None,
                "daemon": False, "uid": os.getuid(), "argv": FOREVER, "cwd": "/usr", "ended": None, "restarts": 0,
                "exitcode": None, "alive": True, "joined": False, "leftover": 0, "children": [], "stop_signal": "TERM",
                "stop_timeout": 10, "kill_mode": "tree", "tree": [nap["pid"]]}
    assert {k: seen.get(k) for k in expected} == expected
    assert seen["created"] <= seen["started"] and seen["uptime"] >= 0
    assert "job" not in seen or seen["job"] is None


def test_status_tells_all_of_an_ended_process(mpd):
    mpd.begin(*sh("exit 7"), name="seven")
    mpd.join("seven")
    seen = mpd.process("seven")
    assert (seen["state"], seen["exitcode"], seen["alive"], seen["joined"]) == ("exited", 7, False, True)
    assert seen["reason"] == "exit 7" and seen["pid"] > 0
    assert seen["started"] <= seen["ended"]
    assert set(seen["rusage"]) >= {"user", "system", "maxrss"} and seen["rusage"]["maxrss"] > 0


def test_names_are_given_like_pythons(mpd):
    names = [mpd.begin(*FOREVER)["name"] for _ in range(3)]
    assert names == ["Process-1", "Process-2", "Process-3"]


def test_ids_are_never_used_again(mpd):
    ids = []
    for _ in range(5):
        ids.append(mpd.begin("/bin/true", name="same")["id"])
        mpd.join("same")
        mpd.rpc("process.forget", targets=["same"])
    assert ids == sorted(set(ids))


def test_a_living_name_is_taken(mpd):
    mpd.begin(*FOREVER, name="one")
    assert mpd.rpc_error("process.start", argv=FOREVER, name="one").symbol in ("EXISTS", "ALREADY_STARTED")
    assert len(mpd.rpc("process.list")["processes"]) == 1


def test_a_dead_ones_name_is_free_and_means_the_newest(mpd):
    mpd.begin(*sh("exit 1"), name="one")
    mpd.join("one")
    second = mpd.begin(*sh("exit 2"), name="one")
    assert mpd.join("one")["processes"][0]["exitcode"] == 2
    assert mpd.process("one")["id"] == second["id"]


def test_several_at_once_under_one_name(mpd):
    made = mpd.rpc("process.start", argv=sh("exit 3"), name="gang", processes=3)["processes"]
    assert [p["name"] for p in made] == ["gang.1", "gang.2", "gang.3"]
    ended = mpd.join("gang")["processes"]
    assert [(p["name"], p["exitcode"]) for p in ended] == [("gang.1", 3), ("gang.2", 3), ("gang.3", 3)]


@pytest.mark.parametrize("how", ["name", "#id", "pid:", "glob"])
def test_a_target_is_named_in_every_way(mpd, how):
    nap = mpd.begin(*FOREVER, name="nap")
    mpd.begin(*FOREVER, name="other")
    target = {"name": "nap", "#id": f"#{nap['id']}", "pid:": f"pid:{nap['pid']}", "glob": "n*"}[how]
    assert mpd.process(target)["id"] == nap["id"]


def test_what_is_not_there_is_not_found(mpd):
    for target in ("nobody", "#999", "pid:1"):
        assert mpd.rpc_error("process.status", targets=[target]).symbol == "NOT_FOUND"
        assert mpd.rpc_error("process.join", targets=[target]).symbol == "NOT_FOUND"
    assert mpd.rpc("process.list", targets=["nothing*"])["processes"] == []


# --- what a process is given ------------------------------------------------------------------------------------------

def test_a_process_has_three_descriptors_and_a_session_of_its_own(mpd):
    nap = mpd.begin(*FOREVER)
    until(lambda: open_fds(nap["pid"]) == [0, 1, 2])  # its loader has files open for a moment
    stat = stat_of(nap["pid"])
    assert stat.session == stat.pgrp == nap["pid"] and stat.ppid == mpd.pid


def test_signals_are_as_after_a_login(mpd):
    nap = mpd.begin(*FOREVER)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{nap['pid']}/status").read_text().splitlines())
    assert int(status["SigIgn"], 16) == 0 and int(status["SigBlk"], 16) == 0


def test_the_limit_on_descriptors_is_the_original(make_mpd):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
    try:
        mpd = make_mpd()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    mpd.begin(*sh("ulimit -n"), name="limit")
    mpd.join("limit")
    assert mpd.output("limit") == b"1000\n"


def test_spawn_has_a_clean_environment(make_mpd):
    mpd = make_mpd(env={"SECRET": "of the daemon"})
    made = mpd.begin("/usr/bin/env", "-0", name="env", context="spawn", env={"MORE": "yes"})
    mpd.join("env")
    env = dict(v.split("=", 1) for v in mpd.output("env").decode().split("\0")[:-1])
    assert env["MORE"] == "yes" and env["MPD_PROCESS"] == str(made["id"])
    assert {"PATH", "HOME", "USER", "LOGNAME", "SHELL"} <= set(env)
    assert set(env) <= {"MORE", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "MPCTL_SOCKET", "MPD_PROCESS", "MPD_PARENT",
                        "MPD_NAME", "MPD_KEEPER"}


def test_fork_has_the_callers_environment_directory_and_umask(mpd):
    done = mpd.shell('umask 027; cd /usr/lib; mpctl start --name me -- sh -c \'echo "$COLOUR $PWD $(pwd) $(umask)"\' &&'
                     " mpctl join -q me", env={"COLOUR": "blue"})
    assert done.code == 0, done
    assert mpd.output("me") == b"blue /usr/lib /usr/lib 0027\n"


def test_the_asked_for_umask_directory_and_environment(mpd):
    mpd.begin(*sh('umask; pwd; echo "$A:$B"'), name="x", umask=0o077, cwd="/usr", env=["A=1", "B=two words"])
    mpd.join("x")
    assert mpd.output("x") == b"0077\n/usr\n1:two words\n"


def test_argv_environment_and_directory_are_bytes(mpd):
    raw = bytes(range(1, 256))
    folder = os.fsencode(mpd.dir) + b"/odd-\xff\xfe"
    os.mkdir(folder)
    mpd.begin("/usr/bin/printf", "%s", b64(raw), name="argv")
    mpd.begin("/bin/sh", "-c", 'printf %s "$RAW"', name="env", env={"RAW": b64(raw)})
    mpd.begin("/bin/pwd", name="cwd", cwd=b64(folder))
    mpd.join("argv", "env", "cwd")
    assert mpd.output("argv") == raw
    assert mpd.output("env") == raw
    assert mpd.output("cwd") == folder + b"\n"
    assert mpd.process("argv")["argv"] == ["/usr/bin/printf", "%s", b64(raw)]
    assert mpd.process("cwd")["cwd"] == b64(folder)


def limits_of(pid):
    """What /proc/PID/limits says, as (soft, hard) by name."""
    rows = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {row[:25].strip(): tuple(row[25:].split()[:2]) for row in rows}


@needs_root
def test_root_starts_as_another_user(mpd):
    who = {"uid": 1234, "gid": 1235, "groups": [1236, 1237]}
    made = mpd.begin(*sh('env; echo "HOME is ${HOME-unset}"; exec sleep 1000'), name="x", context="spawn", user=who)
    status = pathlib.Path(f"/proc/{made['pid']}/status").read_text()
    assert "Uid:\t1234\t1234\t1234\t1234\n" in status and "Gid:\t1235\t1235\t1235\t1235\n" in status
    assert set(status.split("Groups:\t")[1].split("\n")[0].split()) == {"1236", "1237"}
    until(lambda: b"HOME is unset\n" in mpd.output("x"))
    assert b"USER=" not in mpd.output("x")
    assert mpd.process("x")["uid"] == 1234
    mpd.kill_engine()
    until(lambda: mpd.process("x")["uid"] == 1234)


@needs_root
def test_as_another_user_without_other_groups(mpd):
    mpd.begin("/usr/bin/id", "-G", name="id", user={"uid": 1234, "gid": 1235})
    mpd.join("id")
    assert mpd.output("id") == b"1235\n"
    failed = mpd.rpc_error("process.start", argv=["true"], user={"uid": 1234, "gid": 1235},
                           stdout={"file": "/root/out"})
    assert (failed.symbol, failed.data["step"], failed.data["errno"]) == ("SPAWN", "stdout", errno.EACCES)


@needs_root
@pytest.mark.parametrize("user", [
    {}, {"uid": 1}, {"uid": 1, "gid": "adm"}, {"uid": "www-data", "gid": 1}, {"uid": -1, "gid": 1}, 1, [1, 2],
    {"uid": 2**32 - 1, "gid": 1}, {"uid": 1, "gid": 2**32 - 1}, {"uid": 1, "gid": 1, "groups": 5},
    {"uid": 1, "gid": 1, "groups": ["adm"]}, {"uid": 1, "gid": 1, "group": []}, "www-data"], ids=str)
def test_a_user_is_numbers(mpd, user):
    assert mpd.rpc_error("process.start", argv=["true"], user=user).symbol == "PARAMS"
    assert mpd.rpc("process.list")["processes"] == []


@needs_root
def test_only_root_starts_as_another_user(mpd):
    os.chmod(mpd.socket, 0o666)
    ask = ("import json,socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
           "s.sendall(sys.argv[2].encode())\nprint(s.makefile().readline())")
    for uid in (0, 1234, 4321):
        line = json.dumps({"id": 1, "method": "process.start",
                           "params": {"argv": ["true"], "user": {"uid": uid, "gid": uid}}}) + "\n"
        done = subprocess.run([sys.executable, "-c", ask, mpd.socket, line], user=1234, group=1234, extra_groups=[],
                              cwd="/", capture_output=True, text=True, timeout=PATIENCE)
        error = json.loads(done.stdout)["error"]
        assert error["data"]["symbol"] == "DENIED"
        assert error["message"] == "user: only root may start processes as another user"


def test_limits(mpd):
    made = mpd.begin(*FOREVER, limits={"nofile": [50, 60], "core": 0, "fsize": 1 << 20, "cpu": [100, "unlimited"],
                                       "stack": [1 << 20, "unlimited"]})
    seen = limits_of(made["pid"])
    assert seen["Max open files"] == ("50", "60") and seen["Max core file size"] == ("0", "0")
    assert seen["Max file size"] == ("1048576", "1048576") and seen["Max cpu time"] == ("100", "unlimited")
    assert seen["Max stack size"] == ("1048576", "unlimited")


@pytest.mark.parametrize("limits, said", [
    ({"nofiles": 1}, 'unknown limit "nofiles" (did you mean "nofile"?)'),
    ({"xyzzy": 1}, 'unknown limit "xyzzy"'),
    ({"cpu": "many"}, '"cpu" must be N or'), ({"cpu": -1}, '"cpu" must be N or'), ({"cpu": [1]}, '"cpu" must be N or'),
    ({"cpu": [2, 1]}, '"cpu" must be N or'), ({"cpu": ["unlimited", 1]}, '"cpu" must be N or'),
    ({"cpu": 1.5}, '"cpu" must be N or'), ({"cpu": {}}, '"cpu" must be N or'), ([], "must be an object"),
    ("nofile", "must be an object")], ids=str)
def test_wrong_limits(mpd, limits, said):
    failed = mpd.rpc_error("process.start", argv=["true"], limits=limits)
    assert failed.symbol == "PARAMS" and said in failed.message
    assert mpd.rpc("process.list")["processes"] == []


def test_a_low_limit_on_descriptors_is_no_hindrance(mpd, tmp_path):
    """Its files are opened before."""
    mpd.begin(*sh("ulimit -n"), name="x", limits={"nofile": 4}, stdout={"file": str(tmp_path / "out")})
    assert mpd.join("x")["processes"][0]["exitcode"] == 0
    assert (tmp_path / "out").read_text() == "4\n"


@needs_root
def test_limits_for_another_user(mpd):
    """They are set while it is root still, but for what would hinder it on its way."""
    made = mpd.begin(*FOREVER, user={"uid": 1234, "gid": 1234}, limits={"nofile": [4, 5], "core": [5, 50]},
                     stdout={"file": "/dev/null"})
    assert limits_of(made["pid"])["Max open files"] == ("4", "5")
    assert limits_of(made["pid"])["Max core file size"] == ("5", "50")


@needs_root
def test_root_raises_limits_for_another_user(mpd):
    status = pathlib.Path("/proc/self/status").read_text()
    if not int(status.split("CapEff:")[1].split()[0], 16) >> 24 & 1:
        pytest.skip("77: needs CAP_SYS_RESOURCE")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1] + 1
    made = mpd.begin(*FOREVER, user={"uid": 1234, "gid": 1234}, limits={"nofile": hard})
    assert limits_of(made["pid"])["Max open files"] == (str(hard), str(hard))


@needs_root
def test_nobody_else_raises_limits(make_mpd):
    mpd = make_mpd()
    os.chmod(mpd.socket, 0o666)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    start = lambda n: subprocess.run(
        [MPCTL, "-s", mpd.socket, "run", f"--limit-nofile={n}", "--", "sh", "-c", "ulimit -n"],
        user=1234, group=1234, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=PATIENCE)
    failed = start(hard + 1)
    assert failed.returncode == 126 and "limits: Operation not permitted" in failed.stderr
    assert start(77).stdout == "77\n"


def test_a_working_directory_by_descriptor(mpd):
    gone = mpd.dir / "moved"
    gone.mkdir()
    fd = os.open(gone, os.O_PATH | os.O_DIRECTORY)
    gone.rename(mpd.dir / "elsewhere")
    with mpd.connect() as connection:
        connection.call("process.start", fds=[fd], argv=["/bin/pwd"], name="x", cwd_fd=True)
    os.close(fd)
    mpd.join("x")
    assert mpd.output("x") == f"{mpd.dir}/elsewhere\n".encode()


# --- its input and output ---------------------------------------------------------------------------------------------

def test_stdio_by_descriptors(mpd):
    take, give = os.pipe()
    out, into = os.pipe()
    os.write(give, b"hello\n")
    os.close(give)
    with mpd.connect() as connection:
        connection.call("process.start", fds=[take, into], argv=["/bin/cat"], name="cat", stdin="fd", stdout="fd")
    os.close(take)
    os.close(into)
    with os.fdopen(out, "rb") as result:
        assert result.read() == b"hello\n"
    assert mpd.join("cat")["processes"][0]["exitcode"] == 0


def test_stdio_by_file(mpd):
    (mpd.dir / "in").write_text("text\n")
    mpd.begin("/bin/cat", name="cat", stdin={"file": f"{mpd.dir}/in"}, stdout={"file": f"{mpd.dir}/out"})
    mpd.join("cat")
    assert (mpd.dir / "out").read_text() == "text\n"


def test_stdout_to_a_file_is_appended(mpd):
    (mpd.dir / "out").write_text("before\n")
    mpd.begin("/bin/echo", "after", name="x", stdout={"file": f"{mpd.dir}/out"})
    mpd.join("x")
    assert (mpd.dir / "out").read_text() == "before\nafter\n"


def test_null_and_merged(mpd):
    mpd.begin(*sh("read x; echo rc $?; echo err >&2"), name="both", stdin="null", stderr="stdout")
    mpd.begin(*sh("echo out"), name="none", stdout="null", stderr="null")
    mpd.join("both", "none")
    assert mpd.output("both") == b"rc 1\nerr\n"
    assert mpd.process("none")["log"]["stdout"] in (None, "") and mpd.process("both")["pid"]


def test_stdout_and_stderr_are_kept_apart(mpd):
    mpd.begin(*sh("echo out; echo err >&2"), name="x")
    mpd.join("x")
    assert (mpd.output("x"), mpd.output("x", "stderr")) == (b"out\n", b"err\n")


# --- a start that fails -----------------------------------------------------------------------------------------------

def failed_start(mpd, **params):
    error = mpd.rpc_error("process.start", **{"argv": ["/bin/true"], "name": "x", **params})
    assert error.symbol == "SPAWN", error
    assert mpd.rpc("process.list", alive=True)["processes"] == [], "a half-started process stays"
    return error.data["step"], error.data["errno"], error.data["subject"]


def test_spawn_failures_say_step_errno_and_subject(mpd):
    plain = mpd.dir / "plain"
    plain.write_text("no program")
    assert failed_start(mpd, argv=["/no/such/program"]) == ("exec", errno.ENOENT, "/no/such/program")
    assert failed_start(mpd, argv=["no-such-program-anywhere"]) == ("exec", errno.ENOENT, "no-such-program-anywhere")
    assert failed_start(mpd, argv=[str(plain)]) == ("exec", errno.EACCES, str(plain))
    assert failed_start(mpd, cwd="/no/such/dir") == ("chdir", errno.ENOENT, "/no/such/dir")
    assert failed_start(mpd, cwd=str(plain)) == ("chdir", errno.ENOTDIR, str(plain))
    assert failed_start(mpd, stdin={"file": "/no/in"}) == ("stdin", errno.ENOENT, "/no/in")
    assert failed_start(mpd, stdout={"file": "/no/out"}) == ("stdout", errno.ENOENT, "/no/out")
    assert failed_start(mpd, stderr={"file": "/no/err"}) == ("stderr", errno.ENOENT, "/no/err")
    assert failed_start(mpd, argv=["/bin/true", "x" * (1 << 18)])[:2] == ("exec", errno.E2BIG)
    assert mpd.begin("/bin/true", name="x")["name"] == "x", "the name of what failed to start is free"


@pytest.mark.parametrize("verb", [["start", "--name", "x", "--"], ["run", "--"]])
def test_spawn_failures_exit_127_and_126(mpd, verb):
    plain = mpd.dir / "plain"
    plain.write_text("no program")
    assert mpd.ctl(*verb, "/no/such/program").code == 127
    assert mpd.ctl(*verb, plain).code == 126


# --- its end ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("script, exitcode, reason", [
    ("exit 0", 0, "exit 0"), ("exit 1", 1, "exit 1"), ("exit 255", 255, "exit 255"), ("kill -9 $$", -9, "signal 9"),
    ("kill -TERM $$", -15, "signal 15"), ("kill -USR1 $$", -10, "signal 10"),
])
def test_exitcode_is_pythons(mpd, script, exitcode, reason):
    mpd.begin(*sh(script), name="x")
    ended = mpd.join("x")["processes"][0]
    assert (ended["exitcode"], ended["alive"], ended["state"]) == (exitcode, False, "exited")
    if exitcode:
        assert ended["reason"].startswith(reason)


def test_every_exit_status_of_a_byte(mpd):
    with mpd.connect() as connection:
        for n in range(256):
            connection.call("process.start", argv=sh(f"exit {n}"), name=f"p{n}")
        ended = connection.call("process.join", targets=[f"p{n}" for n in range(256)])["processes"]
    assert [p["exitcode"] for p in ended] == list(range(256))


def test_a_death_by_another_hand_is_seen(mpd):
    nap = mpd.begin(*FOREVER, name="nap")
    os.kill(nap["pid"], signal.SIGKILL)
    assert mpd.join("nap")["processes"][0]["exitcode"] == -9


# --- join -------------------------------------------------------------------------------------------------------------

def test_join_waits_and_a_timeout_is_no_error(mpd, fifo):
    gate = fifo()
    mpd.begin(*sh(f"read x < {gate.path}; exit 4"), name="gated")
    before = time.monotonic()
    result = mpd.join("gated", timeout=0.2)
    assert time.monotonic() - before >= 0.2
    assert (result["done"], result["processes"], result["pending"]) == (False, [], ["gated"])
    assert mpd.join("gated", timeout=0)["done"] is False
    os.write(gate.fd, b"go\n")
    result = mpd.join("gated")
    assert (result["done"], result["pending"], result["processes"][0]["exitcode"]) == (True, [], 4)


def test_join_by_several_at_once_and_again_afterwards(mpd, fifo):
    gate = fifo()
    mpd.begin(*sh(f"read x < {gate.path}; exit 5"), name="gated")
    with mpd.connect() as a, mpd.connect() as b:
        waits = [(c, c.request("process.join", targets=["gated"])) for c in (a, b, a)]
        os.write(gate.fd, b"go\n")
        assert [c.reply(n)["processes"][0]["exitcode"] for c, n in waits] == [5, 5, 5]
    assert mpd.join("gated")["processes"][0]["exitcode"] == 5


def test_join_any_returns_with_the_first(mpd, fifo):
    gate = fifo()
    mpd.begin(*FOREVER, name="slow")
    mpd.begin(*sh(f"read x < {gate.path}; exit 6"), name="quick")
    with mpd.connect() as connection:
        number = connection.request("process.join", targets=["slow", "quick"], any=True)
        os.write(gate.fd, b"go\n")
        result = connection.reply(number)
    assert [(p["name"], p["exitcode"]) for p in result["processes"]] == [("quick", 6)]
    assert result["done"] is True and result["pending"] == ["slow"]


def test_join_keeps_the_order_of_its_arguments(mpd):
    for n in (3, 1, 2):
        mpd.begin(*sh(f"exit {n}"), name=f"p{n}")
    assert [p["exitcode"] for p in mpd.join("p2", "p3", "p1")["processes"]] == [2, 3, 1]


def test_join_of_a_tree_waits_for_children_that_live_on(mpd, fifo):
    gate, told = fifo("gate"), fifo("told")
    mpd.inside(f"mpctl start --name child -- sh -c 'read x < {gate.path}; exit 9' >/dev/null;"
               f" echo up > {told.path}; exit 2",
           name="parent")
    told.line()
    assert mpd.join("parent")["processes"][0]["exitcode"] == 2
    assert mpd.join("parent", tree=True, timeout=0.1)["done"] is False
    with mpd.connect() as connection:
        number = connection.request("process.join", targets=["parent"], tree=True)
        os.write(gate.fd, b"go\n")
        assert connection.reply(number)["done"] is True
    assert mpd.process("child")["alive"] is False


def test_joining_oneself_or_an_ancestor_is_a_deadlock(mpd, fifo):
    told = fifo()
    mpd.inside(f"mpctl join me 2>&1; echo self $? > {told.path};"
                f" mpctl start --name child -- bash -c 'mpctl join me; echo ancestor $? > {told.path}'; sleep 1000",
                name="me")
    assert told.line() == "self 1"
    assert told.line() == "ancestor 1"
    assert b"could never end" in mpd.output("me")


# --- terminate, kill, stop, signal, forget ----------------------------------------------------------------------------

def ignoring_term(fifo_path):
    return sh(f"trap '' TERM; echo up > {fifo_path}; while :; do sleep 1000; done")


def test_terminate_returns_at_once(mpd, fifo):
    told = fifo()
    mpd.begin(*ignoring_term(told.path), name="deaf")
    told.line()
    mpd.rpc("process.terminate", targets=["deaf"])
    assert mpd.process("deaf")["alive"] is True
    mpd.rpc("process.kill", targets=["deaf"])


def test_terminate_with_wait_says_whether_they_ended(mpd, fifo):
    told = fifo()
    mpd.begin(*ignoring_term(told.path), name="deaf")
    mpd.begin(*FOREVER, name="nap")
    told.line()
    result = mpd.rpc("process.terminate", targets=["nap"], wait=True)
    assert result["done"] is True and result["processes"][0]["exitcode"] == -15
    assert mpd.rpc("process.terminate", targets=["deaf"], wait=True, timeout=0.1)["done"] is False
    mpd.rpc("process.kill", targets=["deaf"])


def test_kill_has_ended_it_when_it_returns(mpd, fifo):
    told = fifo()
    deaf = mpd.begin(*ignoring_term(told.path), name="deaf")
    told.line()
    result = mpd.rpc("process.kill", targets=["deaf"])
    assert result["done"] is True and not alive(deaf["pid"])
    assert mpd.process("deaf")["exitcode"] == -9


def test_stop_sends_the_stop_signal(mpd, fifo):
    told = fifo()
    mpd.begin(*sh(f"trap 'exit 33' USR2; echo up > {told.path}; while :; do sleep 0.01; done"), name="polite",
              stop_signal="USR2")
    told.line()
    assert mpd.rpc("process.stop", targets=["polite"])["processes"][0]["exitcode"] == 33


def test_stop_kills_after_its_timeout(mpd, fifo):
    told = fifo()
    mpd.begin(*ignoring_term(told.path), name="own", stop_timeout=0.3)
    mpd.begin(*ignoring_term(told.path), name="asked")
    told.lines(2)
    for name, params, least in (("own", {}, 0.3), ("asked", {"timeout": 0.2}, 0.2)):
        before = time.monotonic()
        result = mpd.rpc("process.stop", targets=[name], **params)
        assert least <= time.monotonic() - before < 5 * SLOW
        assert result["processes"][0]["exitcode"] == -9 and result["done"] is True


def test_ending_what_has_ended_succeeds(mpd):
    mpd.begin("/bin/true", name="x")
    mpd.join("x")
    for method in ("process.stop", "process.terminate", "process.kill"):
        assert mpd.rpc(method, targets=["x"])["processes"][0]["exitcode"] == 0


def test_signal_reaches_the_process_or_the_tree(mpd, fifo):
    told = fifo()
    script = (f"trap 'echo parent > {told.path}' USR1; (trap 'echo child > {told.path}' USR1; echo up > {told.path};"
              f" while :; do sleep 0.01; done) & echo up > {told.path}; while :; do sleep 0.01; done")
    mpd.begin("/bin/bash", "-c", script, name="x")
    told.lines(2)
    mpd.rpc("process.signal", signal="USR1", targets=["x"])
    assert told.line() == "parent" and told.silent(0.1)
    mpd.rpc("process.signal", signal="SIGUSR1", targets=["x"], tree=True)
    assert sorted(told.lines(2)) == ["child", "parent"]
    mpd.rpc("process.kill", targets=["x"])


def test_a_limit_ends_the_tree(mpd, fifo):
    told = fifo()
    before = time.monotonic()
    mpd.begin(*sh(f"sleep 1000 & echo $! > {told.path}; sleep 1000"), name="x", limit=0.5)
    child = int(told.line())
    ended = mpd.join("x")["processes"][0]
    assert 0.5 <= time.monotonic() - before < 5 * SLOW
    assert ended["exitcode"] == -15 and wait_dead(child)


def test_forget_is_refused_while_alive(mpd):
    mpd.begin(*FOREVER, name="nap")
    assert mpd.rpc_error("process.forget", targets=["nap"]).symbol == "BUSY"
    mpd.rpc("process.kill", targets=["nap"])
    assert mpd.rpc("process.forget", targets=["nap"]) == {"forgotten": 1}
    assert mpd.rpc_error("process.status", targets=["nap"]).symbol == "NOT_FOUND"


# --- parents and children ---------------------------------------------------------------------------------------------

def test_who_starts_from_inside_is_the_parent(mpd, fifo):
    told = fifo()
    parent = mpd.inside(f"mpctl start --name child -- bash -c 'echo $MPD_PROCESS $MPD_PARENT > {told.path};"
                        " sleep 1000'; sleep 1000", name="parent")
    me, mine = told.line().split()
    child = mpd.process("child")
    assert child["parent"] == {"id": parent["id"]} and (int(me), int(mine)) == (child["id"], parent["id"])
    assert mpd.process("parent")["children"] == [child["id"]]
    listed = mpd.rpc("process.list", parent=parent["id"], alive=True)["processes"]
    assert [p["name"] for p in listed] == ["child"]
    assert mpd.process("parent")["parent"] is None


def test_a_grandchild_by_a_plain_fork_belongs_to_the_same_process(mpd, fifo):
    told = fifo()
    parent = mpd.inside(f"(setsid bash -c 'mpctl --json start --name child -- sleep 1000; mpctl --json whoami"
                        f" > {told.path}') & sleep 1000", name="parent")
    assert '"name":"parent"' in told.line().replace(" ", "")
    assert mpd.process("child")["parent"] == {"id": parent["id"]}


def test_the_environment_gives_no_parent(mpd):
    """MPD_PROCESS may be a lie: from outside the parent is mpd all the same."""
    nap = mpd.begin(*FOREVER, name="nap")
    done = mpd.ctl("start", "--name", "liar", "--", "sleep", "1000", env={"MPD_PROCESS": str(nap["id"])})
    if done.code == 0:  # a lie may be refused as well
        assert mpd.process("liar")["parent"] != {"id": nap["id"]}


def test_the_living_children_of_me(mpd, fifo):
    told = fifo()
    mpd.inside(f"for n in a b; do mpctl start --name $n -- sleep 1000; done >/dev/null; mpctl kill b;"
                f" mpctl ps --children --no-header | tr '\\n' ';' > {told.path}; echo >> {told.path}; sleep 1000",
                name="me")
    seen = told.line()
    assert "a " in seen and "me " not in seen


def test_self_knows_inside_from_outside(mpd, fifo):
    told = fifo()
    assert mpd.rpc("process.self")["process"] is None
    mpd.inside(f"mpctl --json whoami > {told.path}; sleep 1000", name="me")
    assert '"me"' in told.line()


def test_a_child_outlives_its_parent_unless_it_is_daemonic(mpd, fifo):
    told = fifo()
    mpd.inside("mpctl start --name plain -- sleep 1000; mpctl start --name tied --daemon -- sleep 1000;"
                f" echo up > {told.path}; read x < {told.path}.never; exit 0", name="parent")
    told.line()
    assert mpd.process("tied")["daemon"] is True
    ended = mpd.join("parent")
    assert ended["done"] is True
    tied = mpd.join("tied")["processes"][0]
    assert tied["exitcode"] == -15
    assert mpd.process("plain")["alive"] is True


def test_a_deaf_daemonic_child_is_killed_after_its_stop_timeout(mpd, fifo):
    told = fifo()
    mpd.inside(f"mpctl start --name tied --daemon --stop-timeout 0.3 -- sh -c \"trap '' TERM; echo up > {told.path};"
                " while :; do sleep 1000; done\"; sleep 1000", name="parent")
    told.line()
    mpd.rpc("process.kill", targets=["parent"])
    assert mpd.join("tied")["processes"][0]["exitcode"] == -9


def test_daemonic_processes_have_no_children(mpd, fifo):
    told = fifo()
    mpd.inside("mpctl start --name tied --daemon -- bash -c 'mpctl start --name child -- sleep 1000 2>&1;"
                f" echo $? > {told.path}; (bash -c \"mpctl start --name grandchild -- sleep 1000; echo \\$?"
                f" > {told.path}\"); sleep 1000'; sleep 1000", name="parent")
    assert told.lines(2) == ["1", "1"]
    assert b"daemonic processes are not allowed to have children" in mpd.output("tied")
    for name in ("child", "grandchild"):
        assert mpd.rpc_error("process.status", targets=[name]).symbol == "NOT_FOUND"


def test_daemonic_children_may_be_allowed(make_mpd, fifo):
    told = fifo()
    mpd = make_mpd("[mpd]\ndaemonic_children = allow\n")
    mpd.inside("mpctl start --name tied --daemon -- bash -c 'mpctl start --name child -- sleep 1000;"
                f" echo $? > {told.path}; sleep 1000'; sleep 1000", name="parent")
    assert told.line() == "0"
    mpd.rpc("process.kill", targets=["parent"])
    assert mpd.join("tied", "child")["done"] is True


def test_a_foreign_shell_is_the_parent_of_its_daemonic_processes(mpd):
    with spawn(["/bin/bash", "-c", "mpctl start --name tied --daemon -- sleep 1000; echo up; read x; exit 0"],
               env=mpd.ctl_env({"PATH": TOOL_PATH}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        lines = [shell.stdout.readline()]
        while lines[-1] != "up\n":
            assert lines[-1], lines
            lines.append(shell.stdout.readline())
        assert mpd.process("tied")["parent"] == {"pid": shell.pid}
        assert mpd.join("tied", timeout=0.1)["done"] is False
        shell.stdin.close()
        assert shell.wait(PATIENCE) == 0
    assert mpd.join("tied")["processes"][0]["exitcode"] == -15


def test_a_foreign_parent_by_its_pid(mpd):
    with spawn(["/bin/sleep", "1000"]) as parent:
        mpd.begin(*FOREVER, name="tied", daemon=True, parent={"pid": parent.pid})
        assert mpd.process("tied")["parent"] == {"pid": parent.pid}
        parent.kill()
    assert mpd.join("tied")["processes"][0]["exitcode"] == -15


# --- mpctl run: the main program --------------------------------------------------------------------------------------

@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 9", 9), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_run_passes_the_status_on(mpd, script, code):
    assert mpd.ctl("run", "--", "sh", "-c", script).code == code


def test_run_passes_stdio_on(mpd):
    done = mpd.ctl("run", "--", "sh", "-c", "cat; echo err >&2", input="through\n")
    assert (done.code, done.out, done.err) == (0, "through\n", "err\n")


def test_run_waits_for_children_and_ends_daemonic_ones(mpd, fifo):
    gate, told = fifo("gate"), fifo("told")
    script = (f"mpctl start --name plain -- sh -c 'read x < {gate.path}; exit 5'; mpctl start --name tied --daemon --"
              f" sleep 1000; echo up > {told.path}; exit 3")
    env = {"PATH": TOOL_PATH}
    with mpd.ctl_popen("run", "--name", "main", "--", "bash", "-c", script, env=env) as run:
        told.line()
        assert mpd.join("tied")["processes"][0]["exitcode"] == -15
        assert mpd.process("plain")["alive"] is True and run.poll() is None
        os.write(gate.fd, b"go\n")
        assert run.wait(PATIENCE) == 3
    assert mpd.process("plain")["exitcode"] == 5


# --- the rest of the table --------------------------------------------------------------------------------------------

def test_cpu_count(mpd):
    cpus = mpd.status()["cpus"]
    assert 1 <= cpus["usable"] <= len(os.sched_getaffinity(0)) <= cpus["configured"]
    assert mpd.ctl("cpus").out == f"{cpus['usable']}\n"


def test_is_alive_exitcode_and_pid(mpd):
    nap = mpd.begin(*FOREVER, name="nap")
    assert mpd.ctl("is-alive", "nap").code == 0
    assert mpd.ctl("pid", "nap").out == f"{nap['pid']}\n"
    mpd.ctl("kill", "nap")
    assert mpd.ctl("is-alive", "nap").code == 3
    assert mpd.ctl("exitcode", "nap").out == "-9\n"


def test_events_tell_of_starts_and_ends(mpd):
    with mpd.connect() as connection:
        connection.call("mpd.subscribe", topics=["process"])
        made = mpd.begin(*sh("exit 8"), name="x")
        seen = [connection.event(), connection.event()]
    assert [(e["event"], e["id"], e["name"]) for e in seen] == [("started", made["id"], "x"),
                                                                ("exited", made["id"], "x")]
    assert seen[1]["exitcode"] == 8 and [e["seq"] for e in seen] == [1, 2]


def test_a_session_starts_once(mpd):
    """The same request again on another connection of the session: the recorded answer, and no second process."""
    with mpd.connect() as first:
        session = first.hello()
        number = first.request("process.start", argv=FOREVER, name="once")
        made = first.reply(number)
    with mpd.connect() as second:
        second.hello(session)
        second.send_line({"id": number, "method": "process.start", "params": {"argv": FOREVER, "name": "once"}})
        assert second.reply(number) == made
    assert len(mpd.rpc("process.list")["processes"]) == 1


def test_shutdown_by_request_ends_everything(mpd):
    pids = [mpd.begin(*FOREVER)["pid"] for _ in range(5)]
    assert mpd.ctl("shutdown").code == 0
    assert wait_dead(mpd.pid) and not any(alive(pid) for pid in pids)
    assert mpd.proc.wait() == 0


def test_wrong_parameters_are_refused(mpd):
    for params in ({"argv": []}, {"argv": "true", "limit": -1}, {}, {"argv": ["x\0y"]},
                   {"argv": ["/bin/true"], "nme": "x"},
                   {"argv": ["/bin/true"], "context": "forkserver"}, {"argv": ["/bin/true"], "processes": 0},
                   {"argv": ["/bin/true"], "name": ""}, {"argv": ["/bin/true"], "env": {"": "x"}},
                   {"argv": ["/bin/true"], "stdin": "log"}, {"argv": ["/bin/true"], "stdout": {"path": "/x"}}):
        with pytest.raises(RpcError) as raised:
            mpd.rpc("process.start", **params)
        assert raised.value.symbol == "PARAMS", params
    assert mpd.rpc("process.list")["processes"] == []


def test_long_arguments_arrive_and_are_not_kept(mpd):
    long = ["x" * 100_000] * 10
    mpd.begin("sh", "-c", "echo $# $(printf %s \"$*\" | wc -c)", "sh", *long, name="long")
    mpd.join("long")
    assert mpd.output("long") == b"10 1000009\n"
    assert mpd.process("long")["argv"] == ["sh", "-c", "echo $# $(printf %s \"$*\" | wc -c)", "sh", "..."]
    assert mpd.status()["journal"]["bytes"] < 20_000
    assert mpd.rpc_error("process.start", argv=["true"], cwd="/" * 5000).symbol == "PARAMS"
