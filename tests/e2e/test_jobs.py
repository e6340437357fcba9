# SPDX-License-Identifier: MIT
"""Jobs: what the configuration defines is kept as it says. Each test brings a configuration and looks from outside."""
import os
import pathlib
import pwd
import re
import signal
import time

import pytest

from harness import MPCTL, PATIENCE, SLOW, StartFailed, alive, figure, open_fds, stat_of, until, wait_dead

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root runs jobs as others")


@pytest.fixture
def script(tmp_path):
    """script(text) makes an executable shell script; in it `$DIR` is a folder everybody may write to."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and str(parent) not in ("/", "/tmp"):
            parent.chmod(parent.stat().st_mode | 0o755)
    tmp_path.chmod(0o755)

    def make(text, name="job.sh"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nDIR={shared}\n{text}\n")
        path.chmod(0o755)
        return path

    make.dir = shared
    return make


def job(name="x", **keys):
    return f"[job:{name}]\n" + "".join(f"{k.replace('__', '.')} = {v}\n" for k, v in keys.items())


def in_state(mpd, name, *states, timeout=PATIENCE):
    """Waits until the job instance is in one of the states; returns it. Told by events, so nothing is missed."""
    with mpd.connect() as connection:
        connection.call("mpd.subscribe", topics=["job", "process"])
        end = time.monotonic() + timeout
        while True:
            seen = connection.call("process.status", targets=[name])["processes"][0]
            if seen["state"] in states:
                return seen
            assert time.monotonic() < end, f"{name} is {seen['state']}, not {states}: {seen}"
            connection.event(end - time.monotonic())


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


# --- start and stop ---------------------------------------------------------------------------------------------------

def test_autostart(make_mpd):
    mpd = make_mpd(job("yes", command="/bin/sleep 1000") + job("no", command="/bin/sleep 1000", autostart="false"))
    assert in_state(mpd, "yes", "running")["argv"] == ["/bin/sleep", "1000"]
    waiting = mpd.process("no")
    assert (waiting["state"], waiting["id"], waiting["pid"], waiting["alive"]) == ("stopped", None, None, False)


def test_the_verbs_of_mpctl(make_mpd):
    mpd = make_mpd(job("web", command="/bin/sleep 1000", autostart="false"))
    assert mpd.ctl("stop", "web").code == 0, "stopping what is stopped succeeds"
    assert mpd.ctl("start", "web").code == 0
    first = mpd.process("web")["pid"]
    assert alive(first)
    assert mpd.ctl("start", "web").code == 0 and mpd.process("web")["pid"] == first, "starting what runs succeeds"
    assert mpd.ctl("restart", "web").code == 0
    second = mpd.process("web")["pid"]
    assert second != first and not alive(first) and alive(second)
    row = next(r for r in mpd.ctl("ps", "--no-header").out.splitlines() if r.startswith("web "))
    assert str(second) in row and "running" in row
    assert mpd.ctl("stop", "web").code == 0
    stopped = mpd.process("web")
    assert (stopped["state"], stopped["alive"]) == ("stopped", False) and not alive(second)
    assert mpd.ctl("start", "nothing").code == 4


def test_joining_a_job(make_mpd, fifo):
    gate = fifo()
    mpd = make_mpd(job(command=f"/bin/sh -c 'read x < {gate.path}; exit 3'", restart="no", success_codes="0,3"))
    with mpd.ctl_popen("join", "x") as join:
        os.write(gate.fd, b"go\n")
        assert join.wait(PATIENCE) == 3
    assert mpd.ctl("join", "x").code == 3


def test_instances(make_mpd, script):
    path = script('echo "$1" "$2" >> $DIR/out\nexec sleep 1000')
    mpd = make_mpd(job("web", command=f"{path} ${{mpd.num}} ${{mpd.name}}", processes=3, start_seconds="50ms"))
    for n in "123":
        in_state(mpd, f"web.{n}", "running")
    assert [p["name"] for p in mpd.rpc("process.list", targets=["web"])["processes"]] == ["web.1", "web.2", "web.3"]
    until(lambda: len(lines(script.dir / "out")) == 3)  # running is said from the exec on
    assert sorted(lines(script.dir / "out")) == [f"{n} web.{n}" for n in (1, 2, 3)]
    assert all((p["job"], p["instance"]) == ("web", n + 1) for n, p in
               enumerate(mpd.rpc("job.status", targets=["web"])["processes"]))
    mpd.rpc("job.stop", targets=["web.2"])
    assert [mpd.process(f"web.{n}")["alive"] for n in "123"] == [True, False, True]
    mpd.rpc("job.stop", targets=["web"])
    assert [mpd.process(f"web.{n}")["alive"] for n in "123"] == [False] * 3


def test_a_list_of_the_jobs(make_mpd):
    mpd = make_mpd(job("a", command="/bin/sleep 1000", processes=2, description="two of them") +
                   job("b", command="/bin/true", autostart="no", restart="always"))
    jobs = mpd.rpc("job.list")["jobs"]
    assert [(j["name"], j["instances"], j["autostart"], j["restart"]) for j in jobs] == [
        ("a", 2, True, "on-failure"), ("b", 1, False, "always")]
    assert jobs[0]["description"] == "two of them"
    assert jobs[0]["where"].endswith("mpd.conf:1") and jobs[1]["where"].endswith("mpd.conf:5")


def test_all_jobs_at_once(make_mpd):
    mpd = make_mpd("".join(job(f"j{n}", command="/bin/sleep 1000", autostart="false") for n in range(5)))
    assert mpd.ctl("start", "--all").code == 0
    pids = [p["pid"] for p in mpd.rpc("process.list", alive=True)["processes"]]
    assert len(pids) == 5
    assert mpd.ctl("stop", "--all").code == 0
    assert not any(alive(pid) for pid in pids)


# --- restarts ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("policy, ending, codes, again", [
    ("no", "exit 0", "0", False), ("no", "exit 1", "0", False), ("no", "kill -9 $$", "0", False),
    ("on-failure", "exit 0", "0", False), ("on-failure", "exit 1", "0", True), ("on-failure", "kill -9 $$", "0", True),
    ("on-failure", "exit 3", "0,3", False), ("on-failure", "exit 4", "0,3", True),
    ("on-failure", "kill -TERM $$", "0,TERM", False),
    ("always", "exit 0", "0", True), ("always", "exit 1", "0", True), ("always", "kill -9 $$", "0", True),
    ("unexpected", "exit 0", "0", False), ("unexpected", "exit 1", "0", True), ("unexpected", "exit 7", "7", False),
])
def test_restart_policy(make_mpd, script, policy, ending, codes, again):
    path = script(f"echo run >> $DIR/runs\n[ $(wc -l < $DIR/runs) -lt 2 ] || exec sleep 1000\n{ending}")
    mpd = make_mpd(job(command=path, restart=policy, success_codes=codes, restart_delay="10ms", start_seconds="50ms"))
    if again:
        seen = until(lambda: (p := mpd.process("x"))["state"] == "running" and p["restarts"] and p)
        assert seen["restarts"] == 1 and until(lambda: len(lines(script.dir / "runs")) == 2)
    else:
        seen = in_state(mpd, "x", "exited", "stopped", "failed")
        assert seen["restarts"] == 0 and len(lines(script.dir / "runs")) == 1
        assert seen["exitcode"] == (-{"-9": 9, "-TERM": 15}[ending.split()[1]] if "kill" in ending else int(ending[5:]))


def test_the_restart_limit_ends_in_failed(make_mpd, script):
    path = script("echo run >> $DIR/runs; exit 9")
    mpd = make_mpd(job(command=path, restart_delay="10ms", restart_limit=3))
    failed = in_state(mpd, "x", "failed")
    assert len(lines(script.dir / "runs")) == 4 and failed["restarts"] == 3
    assert "exit 9" in failed["reason"] and failed["exitcode"] == 9
    assert "exit 9" in mpd.ctl("ps", "--no-header").out
    assert mpd.ctl("is-alive", "x").code == 3


def test_a_failed_job_can_be_started_again(make_mpd, script):
    path = script("[ -e $DIR/cured ] && exec sleep 1000; exit 1")
    mpd = make_mpd(job(command=path, restart_delay="10ms", restart_limit=1, start_seconds="50ms"))
    in_state(mpd, "x", "failed")
    (script.dir / "cured").touch()
    assert mpd.ctl("start", "x").code == 0
    assert mpd.process("x")["alive"] is True


def test_the_delay_grows_to_its_cap_and_starts_anew_after_health(make_mpd, script):
    path = script("date +%s%N >> $DIR/runs\ncase $(wc -l < $DIR/runs) in 7) sleep 0.6;; 9) exec"
                  " sleep 1000;; esac\nexit 1")
    make_mpd(job(command=path, restart_delay="60ms", restart_delay_max="300ms", start_seconds="400ms"))
    until(lambda: len(lines(script.dir / "runs")) >= 9)
    times = [int(t) / 1e9 for t in lines(script.dir / "runs")]
    gaps = [b - a for a, b in zip(times, times[1:])]
    figure("restart delays: " + " ".join(f"{gap * 1000:.0f}" for gap in gaps) + " ms")
    # 60 120 240 300 300 300 ms and a tenth more by chance; less only by how late a run's own clock call came
    assert gaps[0] >= 0.04 and gaps[1] >= 0.09 and gaps[2] >= 0.2 and min(gaps[3:6]) >= 0.26, gaps
    if SLOW == 1:
        assert max(gaps[:6]) < 0.6, "the cap"
        assert gaps[6] - 0.6 < 0.16, "the delay after 0.6 s of health is the first one again"


def test_a_stopped_job_is_not_restarted(make_mpd, script):
    path = script("echo run >> $DIR/runs; exec sleep 1000")
    mpd = make_mpd(job(command=path, restart="always", restart_delay="10ms", start_seconds="20ms"))
    in_state(mpd, "x", "running")
    until(lambda: (script.dir / "runs").exists())  # running is said of it from its exec on
    assert mpd.ctl("stop", "x").code == 0
    with mpd.connect() as connection:
        connection.call("mpd.subscribe", topics=["job"])
        with pytest.raises(TimeoutError):
            connection.event(timeout=0.2)
    assert len(lines(script.dir / "runs")) == 1


def test_a_job_waiting_for_its_restart_can_be_stopped(make_mpd, script):
    path = script("echo run >> $DIR/runs; exit 1")
    mpd = make_mpd(job(command=path, restart_delay="1h", restart_delay_max="1h"))
    assert in_state(mpd, "x", "backoff")["exitcode"] == 1
    assert mpd.ctl("stop", "x").code == 0
    assert mpd.process("x")["state"] == "stopped"
    assert len(lines(script.dir / "runs")) == 1


def test_a_killed_job_is_restarted(make_mpd):
    mpd = make_mpd(job(command="/bin/sleep 1000", restart="always", restart_delay="10ms", start_seconds="20ms"))
    first = in_state(mpd, "x", "running")["pid"]
    os.kill(first, signal.SIGKILL)
    seen = until(lambda: (p := mpd.process("x"))["state"] == "running" and p["pid"] != first and p)
    assert seen["restarts"] == 1


def test_a_command_that_is_not_there(make_mpd):
    mpd = make_mpd(job(command="/no/such/program --flag", restart="no"))
    failed = in_state(mpd, "x", "failed")
    assert "127" in failed["reason"] and "/no/such/program" in failed["reason"] and failed["exitcode"] == 127
    done = mpd.ctl("ps", "--no-header")
    assert "/no/such/program" in done.out and "mpd.conf:1" in done.out


# --- how it is stopped ------------------------------------------------------------------------------------------------

def test_the_stop_signal(make_mpd, script, fifo):
    told = fifo()
    path = script(f"trap 'exit 33' INT\necho up > {told.path}\nwhile :; do sleep 0.01; done")
    mpd = make_mpd(job(command=path, stop_signal="INT"))
    told.line()
    assert mpd.rpc("job.stop", targets=["x"])["processes"][0]["exitcode"] == 33


def test_the_stop_timeout_ends_in_a_kill_that_is_said(make_mpd, script, fifo):
    told = fifo()
    path = script(f"trap '' TERM\necho up > {told.path}\nwhile :; do sleep 1000; done")
    mpd = make_mpd(job(command=path, stop_timeout="300ms"))
    told.line()
    before = time.monotonic()
    ended = mpd.rpc("job.stop", targets=["x"])["processes"][0]
    assert 0.3 <= time.monotonic() - before < 3 * SLOW
    assert ended["exitcode"] == -9 and ended["state"] == "stopped"


@pytest.mark.parametrize("mode, spared", [("tree", 0), ("group", 1), ("process", 2)])
def test_kill_mode(make_mpd, script, fifo, mode, spared):
    told = fifo()
    path = script(f"sleep 1000 & echo $! > {told.path}\nsetsid sh -c 'echo $$ > {told.path}; exec sleep 1000' & wait")
    mpd = make_mpd(job(command=path, kill_mode=mode))
    pids = [int(line) for line in told.lines(2)]
    mpd.rpc("job.stop", targets=["x"])
    if spared == 0:
        assert all(wait_dead(pid) for pid in pids)
    else:
        assert wait_dead(pids[0]) if mode == "group" else alive(pids[0])
        assert alive(pids[1])
    for pid in filter(alive, pids):
        os.kill(pid, signal.SIGKILL)


def test_a_jobs_daemonic_child_ends_with_it(make_mpd, script, fifo):
    told = fifo()
    path = script(f"{MPCTL} start --name tied --daemon -- sleep 1000\necho up > {told.path}\nexec sleep 1000")
    mpd = make_mpd(job(command=path))
    told.line()
    mpd.rpc("job.stop", targets=["x"])
    assert mpd.join("tied")["processes"][0]["exitcode"] == -15


# --- what it runs as --------------------------------------------------------------------------------------------------

def test_directory_environment_and_umask(make_mpd, script):
    path = script('(pwd; umask; echo "$COLOUR|$SIZE|$MPD_NAME"; env | grep -c SECRET) > $DIR/out; exec sleep 1000')
    mpd = make_mpd(job(command=path, directory="/usr/lib", umask="027", environment__COLOUR="deep blue",
                       environment__SIZE="${HEIGHT:-tall}", start_seconds="20ms"), env={"SECRET": "x"})
    in_state(mpd, "x", "running")
    until(lambda: len(lines(script.dir / "out")) == 4)
    assert lines(script.dir / "out") == ["/usr/lib", "0027", "deep blue|tall|x", "0"]


def test_quotes_and_shell(make_mpd, script):
    mpd = make_mpd(job("quoted", command="""/usr/bin/printf '%s|' "two words" 'sin"gle' back\\ slash ; semicolon""",
                       restart="no", log_timestamps="false") +
                   job("shell", command=f"echo one | tr a-z A-Z > {script.dir}/out", shell="true", restart="no"))
    mpd.join("quoted", "shell")
    assert mpd.output("quoted") == b"two words|sin\"gle|back slash|;|semicolon|"
    assert lines(script.dir / "out") == ["ONE"]


@needs_root
def test_another_user(make_mpd, script):
    nobody = pwd.getpwnam("nobody")
    path = script('(id -u; id -g; id -G; echo $HOME $USER) > $DIR/out; exec sleep 1000')
    mpd = make_mpd(job(command=path, user="nobody"))
    seen = in_state(mpd, "x", "running", "starting")
    until(lambda: len(lines(script.dir / "out")) == 4)
    out = lines(script.dir / "out")
    assert out[:3] == [str(nobody.pw_uid), str(nobody.pw_gid), str(nobody.pw_gid)]
    assert out[3] == f"{nobody.pw_dir} nobody" and seen["uid"] == nobody.pw_uid
    status = pathlib.Path(f"/proc/{mpd.process('x')['pid']}/status").read_text()
    assert re.search(rf"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\n", status)


def test_a_job_gets_three_descriptors(make_mpd):
    mpd = make_mpd(job("a", command="/bin/sleep 1000") +
                   job("b", command="/bin/sleep 1000", stdout="null", stderr="null"))
    for name in "ab":
        pid = in_state(mpd, name, "running", "starting")["pid"]
        assert open_fds(pid) == [0, 1, 2] and stat_of(pid).session == pid


# --- its output -------------------------------------------------------------------------------------------------------

def test_output_goes_to_the_state_directory(make_mpd):
    mpd = make_mpd(job(command="/bin/sh -c 'echo out; echo err >&2'", restart="no", log_timestamps="false"))
    mpd.join("x")
    seen = mpd.process("x")
    assert all(pathlib.Path(seen["log"][s]).is_relative_to(mpd.state) for s in ("stdout", "stderr"))
    assert (mpd.output("x"), mpd.output("x", "stderr")) == (b"out\n", b"err\n")


def test_output_to_a_named_file_merged(make_mpd):
    mpd = make_mpd(job(command="/bin/sh -c 'echo out; echo err >&2; echo out'", restart="no", log_timestamps="false",
                       merge_stderr="true", log_file="@DIR@/merged.log"))
    mpd.join("x")
    assert (mpd.dir / "merged.log").read_text() == "out\nerr\nout\n"


def test_output_is_kept_over_restarts(make_mpd, script):
    path = script("echo run >> $DIR/runs\necho run $(wc -l < $DIR/runs)\n[ $(wc -l < $DIR/runs) -lt 3 ] ||"
                  " exit 0\nexit 1")
    mpd = make_mpd(job(command=path, restart_delay="10ms", log_timestamps="false"))
    until(lambda: len(lines(script.dir / "runs")) == 3)
    in_state(mpd, "x", "exited", "stopped")
    assert mpd.output("x") == b"run 1\nrun 2\nrun 3\n"


def test_timestamps_begin_each_line(make_mpd):
    mpd = make_mpd(job(command="/bin/sh -c 'printf \"one\\ntw\"; sleep 0.05; printf \"o\\nthree\\n\"'", restart="no",
                       log_timestamps="true", log_file="@DIR@/x.log"))
    mpd.join("x")
    written = (mpd.dir / "x.log").read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* "
    assert len(written) == 3
    assert all(re.fullmatch(stamp + word, line) for word, line in zip(("one", "two", "three"), written))


def test_output_to_files_without_capture(make_mpd):
    mpd = make_mpd(job(command="/bin/sh -c 'cat; echo err >&2'", restart="no", stdin="file:@DIR@/mpd.conf",
                       stdout="file:@DIR@/out", stderr="file:@DIR@/err"))
    mpd.join("x")
    assert (mpd.dir / "out").read_text() == mpd.config.read_text()
    assert (mpd.dir / "err").read_text() == "err\n"


def test_logs_of_a_job(make_mpd):
    mpd = make_mpd(job(command="/bin/sh -c 'for i in 1 2 3 4 5; do echo line $$i; done'", restart="no",
                       log_timestamps="false"))
    mpd.join("x")
    assert mpd.ctl("logs", "-n", "2", "x").out.splitlines() == ["line 4", "line 5"]


# --- the configuration as a whole -------------------------------------------------------------------------------------

def test_a_bad_configuration_is_refused_at_start(make_mpd):
    with pytest.raises(StartFailed) as raised:
        make_mpd(job(comand="/bin/true") + job("y", command="/bin/true", stop_signal="FOO"))
    assert raised.value.code == 6
    assert 'mpd.conf:2: [job:x] unknown key "comand" (did you mean "command"?)' in raised.value.log
    assert "mpd.conf:5: [job:y] stop_signal" in raised.value.log


def test_processes_and_jobs_share_one_list(make_mpd):
    mpd = make_mpd(job(command="/bin/sleep 1000"))
    assert mpd.rpc_error("process.start", argv=["/bin/true"], name="x").symbol in ("EXISTS", "ALREADY_STARTED")
    mpd.begin("/bin/sleep", "1000", name="y")
    assert sorted(p["name"] for p in mpd.rpc("process.list")["processes"]) == ["x", "y"]
    assert mpd.rpc_error("job.stop", targets=["y"]).symbol in ("WRONG_KIND", "NOT_FOUND")
    assert mpd.rpc_error("process.status", targets=["x.2"]).symbol == "NOT_FOUND"
