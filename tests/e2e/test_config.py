# SPDX-License-Identifier: MIT
"""
The loader as a program: every broken configuration has its message, with file and line, all of them at once, and exit
status 6; a good one leaves a sealed table.

In the tables below {d} is the folder the files are in; the file without a name is mpd.conf.
"""
import fcntl
import os
import pathlib
import re
import subprocess
import tempfile

import pytest

from harness import ENGINE, ROOT

SEALED = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="77: needs root")


def load(*args, env=None, **kw):
    return subprocess.run([ENGINE, "--load", *map(str, args)], capture_output=True, text=True, errors="surrogateescape",
                          timeout=30, env={**os.environ, **(env or {})}, **kw)


def check(path, **kw):
    return load("--check", "--config", path, **kw)


def write(folder, files):
    """Writes {name: text}, or one text as mpd.conf, and returns the path of mpd.conf."""
    for name, text in (files if isinstance(files, dict) else {"mpd.conf": files}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o644)
    return folder / "mpd.conf"


def job(*lines):
    return "\n".join(["[job:web]", "command = true", *lines, ""])


# name: (files, what stands on stderr: "LINE: text" of mpd.conf, or a whole line)
BROKEN = {
    # the text
    "no-equals": ("[mpd]\nlog\n", ['2: neither "[section]" nor "key = value"']),
    "before-any-section": ("\nlog = stderr\n", ["2: the key stands before the first section"]),
    "no-bracket": ("[job:web\ncommand = x\n", ['1: "]" is missing']),
    "behind-bracket": ("[mpd] ; main\n", ['1: there is text behind "]" (a comment stands on a line of its own)']),
    "no-section-name": ("[]\n", ["1: the section has no name"]),
    "indented": (job("  -v"), ["3: the line begins with white space (there are no continuation lines)"]),
    "indented-key": (job("\tuser = root"), ["3: the line begins with white space (there are no continuation lines)"]),
    "empty-key": (job("= 1"), ['3: there is no key before "="']),
    "blank-in-key": (job("a b = 1"), ['3: a key is made of letters, digits, "_", "-" and "."']),
    "long-key": (job("k" * 129 + " = 1"), ["3: the key is longer than 128 bytes"]),
    "nul": (b"[mpd]\nlog = std\0err\n", ["2: the line holds a NUL byte"]),
    "crlf": (b"[mpd]\r\nlog = stderr\r\n\r\noops\r\n", ['4: neither "[section]" nor "key = value"']),
    "bom": (b"\xef\xbb\xbf[mpd]\nlogs = stderr", ['2: [mpd] unknown key "logs" (did you mean "log"?)']),
    "escape-sequence": (job("stop_signal = \033[2J"), ['3: [job:web] stop_signal: "?[2J" is not a signal']),
    # sections
    "unknown-section": ("[jbo:web]\n", ['1: [jbo:web] unknown section (did you mean "[job:web]"?)']),
    "supervisords-section": ("[program:web]\n", ['1: [program:web] unknown section (did you mean "[job:web]"?)']),
    "strange-section": ("[something:else]\nx\n",
                        ["1: [something:else] unknown section", '2: neither "[section]" nor "key = value"']),
    "group": ("[group:all]\njobs = a, b\n", ["1: [group:all] is not supported yet"]),
    "pool": ("[pool:thumbs]\n[rwlock:x]\n[shm:x]\n",
             ["1: [pool:thumbs] is not supported yet", "2: [rwlock:x] is not supported yet",
              "3: [shm:x] is not supported yet"]),
    "named-mpd": ("[mpd:x]\n", ["1: [mpd:x] this section has no name of its own: write [mpd]"]),
    "nameless-job": ("[job]\n", ["1: [job] a job's name has 1 to 128 characters"]),
    "long-job-name": (f"[job:{'n' * 129}]\ncommand = x\n",
                      [f"1: [job:{'n' * 129}] a job's name has 1 to 128 characters"]),
    "job-name": ("[job:a/b]\n", ['1: [job:a/b] a job\'s name is made of letters, digits, ".", "_" and "-"']),
    "job-name-dots": ("[job:..]\n", ['1: [job:..] a job\'s name does not begin with "." or "-"']),
    "job-name-instance": ("[job:web.2]\n", ['1: [job:web.2] a job\'s name does not end in "." and a number: '
                                            "that names an instance of a job"]),
    "second-job": (job() + job(), ["3: [job:web] already defined at {d}/mpd.conf:1"]),
    "second-mpd": ("[mpd]\n[defaults]\n[mpd]\n[defaults]\n",
                   ["3: [mpd] already defined at {d}/mpd.conf:1", "4: [defaults] already defined at {d}/mpd.conf:2"]),
    # keys
    "unknown-key": (job("autorestrt = true"), ['3: [job:web] unknown key "autorestrt" (did you mean "autorestart"?)']),
    "unknown-key-far": (job("qqqqqqqq = 1"), ['3: [job:web] unknown key "qqqqqqqq"']),
    "wrong-case": (job("Processes = 1"), ['3: [job:web] unknown key "Processes" (did you mean "processes"?)']),
    "second-key": (job("restart = no", "restart = no"), ["4: [job:web] restart: already set at {d}/mpd.conf:3"]),
    "second-spelling": (job("processes = 2", "numprocs = 2"),
                        ['4: [job:web] numprocs: the same as "processes" at {d}/mpd.conf:3']),
    "no-command": ("\n[job:web]\nprocesses = 2\n", ['2: [job:web] "command" is missing']),
    "empty-command": ("[job:web]\ncommand =\n", ["2: [job:web] command: there is no command"]),
    "empty-program": ('[job:web]\ncommand = "" x\n', ["2: [job:web] command: the name of the program is empty"]),
    "open-quote": ("[job:web]\ncommand = sh -c 'x\n", ["2: [job:web] command: the quote ' is not closed"]),
    "backslash": ("[job:web]\ncommand = x \\\n",
                  ["2: [job:web] command: there is nothing behind the backslash at the end"]),
    "unset": ("[job:web]\ncommand = run ${CONF_NONE}\n",
              ['2: [job:web] command: the variable "CONF_NONE" is not set ("${CONF_NONE:-...}" gives a default)']),
    "open-brace": ("[job:web]\ncommand = run ${HOME\n",
                   ['2: [job:web] command: "${" without "}" ("$$" is a dollar sign)']),
    "num-for-all": (job("processes = 2", "log_file = /x.${mpd.num}"),
                    ['4: [job:web] log_file: "${mpd.num}" has no meaning where one value serves all instances']),
    "processes": (job("processes = 0"), ['3: [job:web] processes: "0" is not a number from 1 to 10000']),
    "processes-many": (job("processes = 99999999999999999999"),
                       ['3: [job:web] processes: "99999999999999999999" is not a number from 1 to 10000']),
    "boolean": (job("autostart = maybe"), ['3: [job:web] autostart: "maybe" is neither true nor false']),
    "autostart-last": (job("autostart = last"), ['3: [job:web] autostart: "last" is not supported yet']),
    "restart": (job("restart = sometimes"),
                ['3: [job:web] restart: "sometimes" is not one of: no, on-failure, always, unexpected']),
    "restart-near": (job("restart = allways"),
                     ['3: [job:web] restart: "allways" is not one of: no, on-failure, always, unexpected '
                      '(did you mean "always"?)']),
    "autorestart": (job("autorestart = x"), ['3: [job:web] autorestart: "x" is not one of: true, false, unexpected']),
    "Restart": (job("Restart = on-abort"), ['3: [job:web] Restart: "on-abort" is not supported yet']),
    "startretries": (job("startretries = 0"),
                     ['3: [job:web] startretries: no retries are written "restart = no" here']),
    "success-number": (job("success_codes = 0, 256"),
                       ['3: [job:web] success_codes: "256" is neither an exit code (0 to 255) nor a signal']),
    "success-name": (job("exitcodes = 0,OK"),
                     ['3: [job:web] exitcodes: "OK" is neither an exit code (0 to 255) nor a signal']),
    "duration": (job("stop_timeout = 5 minutes"),
                 ['3: [job:web] stop_timeout: "5 minutes" is not a length of time (500ms, 10s, 2m, 1h)']),
    "no-delay": (job("restart_delay = 0"), ['3: [job:web] restart_delay: "0" is too short']),
    "delays": (job("restart_delay = 5s", "restart_delay_max = 1s"),
               ["4: [job:web] restart_delay_max: shorter than restart_delay"]),
    "signal": (job("stop_signal = FOO"), ['3: [job:web] stop_signal: "FOO" is not a signal']),
    "kill-mode": (job("kill_mode = all"), ['3: [job:web] kill_mode: "all" is not one of: tree, group, process']),
    "KillMode": (job("KillMode = mixed"),
                 ['3: [job:web] KillMode: "mixed" is not supported yet (control-group and process are)']),
    "kill-twice": (job("kill_mode = tree", "killasgroup = true"),
                   ["4: [job:web] killasgroup: kill_mode is set as well"]),
    "umask": (job("umask = 1777"), ['3: [job:web] umask: "1777" is not a mask from 000 to 777']),
    "umask-decimal": (job("umask = 8"), ['3: [job:web] umask: "8" is not a mask from 000 to 777']),
    "directory": (job("directory = var"), ['3: [job:web] directory: "var" is not an absolute path']),
    "environment": (job("environment = A=1, B"), ['3: [job:web] environment: "B" is not NAME=VALUE']),
    "environment-name": (job("environment.1A = 1"), ['3: [job:web] environment.1A: "1A" cannot name a variable']),
    "environment-ours": (job("environment.MPD_NAME = x"),
                         ['3: [job:web] environment.MPD_NAME: "MPD_NAME": names that begin with MPD_ are mpd\'s own']),
    "stdin": (job("stdin = log"), ['3: [job:web] stdin: "log" is not one of: null, inherit, file:PATH']),
    "stdout": (job("stdout = /tmp/x"), ['3: [job:web] stdout: "/tmp/x" is not one of: log, null, inherit, file:PATH']),
    "stdout-relative": (job("stdout = file:x"), ['3: [job:web] stdout: "file:x" does not name an absolute path']),
    "stdout-journal": (job("stdout = journal"), ['3: [job:web] stdout: "journal" is not supported yet']),
    "stdout_logfile": (job("stdout_logfile = x"),
                       ['3: [job:web] stdout_logfile: "x" is not one of: AUTO, NONE, an absolute path']),
    "stderr_logfile": (job("stderr_logfile = syslog"), ['3: [job:web] stderr_logfile: "syslog" is not supported yet']),
    "merge": (job("merge_stderr = true", "stderr = null"), ["3: [job:web] merge_stderr: stderr is set as well"]),
    "context": (job("context = fork"), ['3: [job:web] context: "fork" is not supported yet']),
    "context-unknown": (job("context = x"), ['3: [job:web] context: "x" is not spawn']),
    "group-alone": (job("group = daemon"), ['3: [job:web] group: needs "user" as well']),
    "no-user": (job("user = no-such-user-here"), ['3: [job:web] user: there is no user "no-such-user-here"']),
    "too-large": (job("environment.A = " + "x" * (9 << 20)),
                  ["1: [job:web] command and environment are too large"]),
    # [defaults]: told once, where they stand, however many jobs use them
    "defaults": ("[defaults]\nkill_mode = x\nrestrat = no\n[job:a]\ncommand = x\n[job:b]\ncommand = x\nprocesses = 3\n",
                 ['2: [defaults] kill_mode: "x" is not one of: tree, group, process',
                  '3: [defaults] unknown key "restrat" (did you mean "restart"?)']),
    "defaults-alone": ("[defaults]\nstop_signal = 99\n", ['2: [defaults] stop_signal: "99" is not a signal']),
    # [mpd]
    "log": ("[mpd]\nlog = /var/log/x\n", ['2: [mpd] log: "/var/log/x" is not supported yet (stderr is)']),
    "log-level": ("[mpd]\nlog_level = loud\n",
                  ['2: [mpd] log_level: "loud" is not one of: error, warning, info, debug']),
    "daemonic": ("[mpd]\ndaemonic_children = yes\n",
                 ['2: [mpd] daemonic_children: "yes" is not one of: refuse, allow']),
    "cgroup": ("[mpd]\ncgroup = x\n", ['2: [mpd] cgroup: "x" is not an absolute path']),
    "keep": ("[mpd]\nkeep = long\n", ['2: [mpd] keep: "long" is not a length of time (500ms, 10s, 2m, 1h)']),
    # include
    "include-missing": ("[mpd]\ninclude = x.conf\n",
                        ["2: [mpd] include: {d}/x.conf: No such file or directory"]),
    "include-folder": ({"mpd.conf": "[mpd]\ninclude = sub\n", "sub/x": ""},
                       ["2: [mpd] include: {d}/sub: not a regular file"]),
    "include-itself": ("[mpd]\ninclude = ./mpd.conf\n", ["2: [mpd] include: {d}/./mpd.conf: was read before"]),
    "include-twice": ({"mpd.conf": "[mpd]\ninclude = a.conf *.conf\n", "a.conf": ""},
                      ["2: [mpd] include: {d}/a.conf: was read before",
                       "2: [mpd] include: {d}/mpd.conf: was read before"]),
    "include-second-job": ({"mpd.conf": "[mpd]\ninclude = *.inc\n\n" + job(), "b.inc": "\n" + job()},
                           ["{d}/b.inc:2: [job:web] already defined at {d}/mpd.conf:4"]),
    "include-second-key": ({"mpd.conf": "[mpd]\nkeep = 1s\ninclude = *.inc\n", "b.inc": "[mpd]\nkeep = 1s\n"},
                           ["{d}/b.inc:2: [mpd] keep: already set at {d}/mpd.conf:2"]),
    "include-deep": ({"mpd.conf": "[mpd]\ninclude = 1.inc\n",
                      **{f"{i}.inc": f"[mpd]\ninclude = {i + 1}.inc\n" for i in range(1, 10)}},
                     ["{d}/8.inc:2: [mpd] include: {d}/9.inc: too many files include one another"]),
    # all at once, in the order of files and lines
    "all": ({"mpd.conf": "[mpd]\ninclude = jobs.d/*.conf\nlogs = x\n[job:a]\nrequires = b\nstop_signal = FOO\noops\n",
             "jobs.d/2.conf": "[job:c]\ncommand = x\nwatchdog = 5s\n",
             "jobs.d/1.conf": "[job:b]\nautorestrt = 1\n"},
            ['3: [mpd] unknown key "logs" (did you mean "log"?)',
             '4: [job:a] "command" is missing',
             '5: [job:a] "requires" is not supported yet',
             '6: [job:a] stop_signal: "FOO" is not a signal',
             '7: neither "[section]" nor "key = value"',
             '{d}/jobs.d/1.conf:1: [job:b] "command" is missing',
             '{d}/jobs.d/1.conf:2: [job:b] unknown key "autorestrt" (did you mean "autorestart"?)',
             '{d}/jobs.d/2.conf:3: [job:c] "watchdog" is not supported yet']),
}

# Every key of the documentation that is not built: refused, never ignored.
LATER = """type Type start_timeout TimeoutStartSec on_failure OnFailure on_exit stop_command reload_signal after After
    requires Requires before ready ready_timeout watchdog WatchdogSec env_file clean_env nice oom_score_adj cpu_affinity
    limit_nofile limit_core LimitNOFILE capabilities no_new_privs memory_max MemoryMax cpu_max CPUQuota
    tasks_max TasksMax log_max_size log_backups log_compress stdout_logfile_maxbytes stderr_logfile_maxbytes
    stdout_logfile_backups stderr_logfile_backups priority schedule listen slots lock""".split()


def lines_of(expected, folder):
    at = f"{folder}/mpd.conf"
    return [f"{at}:{line}" if line[0].isdigit() else line for line in (e.replace("{d}", str(folder)) for e in expected)]


@pytest.mark.parametrize("name", BROKEN)
def test_broken(tmp_path, name):
    files, expected = BROKEN[name]
    got = check(write(tmp_path, files))
    assert got.stderr.splitlines() == lines_of(expected, tmp_path)
    assert (got.returncode, got.stdout) == (6, "")


@pytest.mark.parametrize("key", LATER)
def test_not_supported_yet(tmp_path, key):
    path = write(tmp_path, job(f"{key} = 1"))
    got = check(path)
    assert got.stderr == f'{path}:3: [job:web] "{key}" is not supported yet\n'
    assert got.returncode == 6


def test_a_long_value_makes_no_key(tmp_path):
    """Cut at 200 bytes this line would hold a second key."""
    for length in range(150, 260):
        path = write(tmp_path, job("description = " + "x" * length + " user = root", "stop_signal = FOO"))
        assert check(path).stderr == f'{path}:4: [job:web] stop_signal: "FOO" is not a signal\n'


def test_comment_behind_a_value_is_warned_of(tmp_path):
    path = write(tmp_path, job("description = a ; b", "stop_signal = TERM # now"))
    got = check(path)
    about = "is part of the value: a comment stands on a line of its own"
    assert got.stderr.splitlines() == [
        f'{path}:3: [job:web] warning: description: " ;" {about}',
        f'{path}:4: [job:web] warning: stop_signal: " #" {about}',
        f'{path}:4: [job:web] stop_signal: "TERM # now" is not a signal']
    assert got.returncode == 6
    path = write(tmp_path, job("description = a ; b"))
    got = check(path)
    assert got.stderr == f'{path}:3: [job:web] warning: description: " ;" {about}\n'
    assert (got.returncode, got.stdout) == (0, f"{path}: ok, 1 jobs\n")


def test_many_errors_are_counted(tmp_path):
    got = check(write(tmp_path, "[mpd]\n" + "x\n" * 5000))
    lines = got.stderr.splitlines()
    assert len(lines) == 1001 and lines[-1] == "and 4000 more errors"
    assert got.returncode == 6


def test_missing_file(tmp_path):
    path = tmp_path / "none.conf"
    got = check(path)
    assert (got.returncode, got.stderr) == (6, f"{path}: No such file or directory\n")
    assert load("--check", env={"MPCTL_CONFIG": str(path)}).stderr == got.stderr


def test_symbolic_link(tmp_path):
    write(tmp_path, job())
    link = tmp_path / "link.conf"
    link.symlink_to(tmp_path / "mpd.conf")
    got = check(link)
    assert (got.returncode, got.stderr) == (6, f"{link}: is a symbolic link: name the file itself\n")


def test_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert check(tmp_path / "fifo").stderr == f"{tmp_path}/fifo: not a regular file\n"


@as_root
@pytest.mark.parametrize("mode, owner", [(0o664, 0), (0o646, 0), (0o644, 1)])
def test_user_needs_a_trusted_file(tmp_path, mode, owner):
    path = write(tmp_path, {"mpd.conf": "[mpd]\ninclude = a.inc\n" + job("user = daemon"), "a.inc": ""})
    (tmp_path / "a.inc").chmod(mode)
    os.chown(tmp_path / "a.inc", owner, 0)
    got = check(path)
    assert got.stderr == (f"{path}:5: [job:web] user: {tmp_path}/a.inc must belong to root and be writable "
                          "by nobody else\n")
    assert got.returncode == 6


@as_root
def test_user_in_a_trusted_file(tmp_path):
    path = write(tmp_path, job("user = daemon", "group = nogroup", "groups = daemon"))
    assert check(path).stdout == f"{path}: ok, 1 jobs\n"


def loaded(path, env=None):
    fd = os.memfd_create("jobtab", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    got = load("--out", fd, "--socket", "/run/x.sock", "--state", "/nowhere", "--generation", 3, "--config", path,
               pass_fds=[fd], env=env)
    return got, fcntl.fcntl(fd, fcntl.F_GET_SEALS), os.fdopen(fd, "rb").read()


def test_table_is_sealed(tmp_path):
    got, seals, table = loaded(write(tmp_path, job("environment.A = ${CONF_A}")), env={"CONF_A": "a b"})
    assert (got.returncode, got.stdout, got.stderr) == (0, "", "")
    assert seals == SEALED
    assert table[:4] == b"MJOB" and b"A=a b\0" in table and b"MPCTL_SOCKET=/run/x.sock\0" in table


def test_broken_leaves_no_table(tmp_path):
    got, seals, table = loaded(write(tmp_path, job("stop_signal = FOO")))
    assert (got.returncode, seals, table) == (6, 0, b"")
    assert got.stderr == f'{tmp_path}/mpd.conf:3: [job:web] stop_signal: "FOO" is not a signal\n'


def test_warnings_are_for_check_alone(tmp_path):
    assert loaded(write(tmp_path, job("description = a ; b")))[0].stderr == ""


@pytest.mark.parametrize("args", [[], ["--out", "x"], ["--out", "-1"], ["--check", "--out", "3"], ["--check", "more"],
                                  ["--check", "--nonsense"], ["--check", "--generation", "1x"]])
def test_usage(args):
    got = load(*args)
    assert got.returncode == 2 and "usage: mpd-engine --load" in got.stderr


def test_no_room_for_the_table(tmp_path):
    with open("/dev/full", "wb") as full:
        got = load("--out", full.fileno(), "--config", write(tmp_path, job()), pass_fds=[full.fileno()])
    assert (got.returncode, got.stderr) == (1, "mpd-engine: the job table: cannot be written: "
                                               "No space left on device\n")


def test_the_examples_are_good():
    got = check(ROOT / "conf" / "mpd.conf")
    sections = re.findall(r"^\[(\w+):", "".join(p.read_text() for p in (ROOT / "conf" / "jobs.d").glob("*.conf")), re.M)
    jobs = sections.count("job")
    assert (got.returncode, got.stderr, got.stdout) == (
        0, "", f"{ROOT}/conf/mpd.conf: ok, {jobs} jobs, {len(sections) - jobs} objects\n")


@as_root
@pytest.mark.skipif(pathlib.Path("/etc/mpctl/mpd.conf").exists(), reason="77: the machine has a configuration")
def test_no_default_file_is_an_empty_one():
    got = load("--check", env={"MPCTL_CONFIG": ""})
    assert (got.returncode, got.stdout, got.stderr) == (0, "/etc/mpctl/mpd.conf: ok, 0 jobs\n", "")


@pytest.fixture
def as_user():
    """A folder that others may enter, and load() as somebody who is not root."""
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        env = {"MPCTL_CONFIG": "", "XDG_CONFIG_HOME": folder, "HOME": folder}
        try:
            load("--check", "--config", "/dev/null", **who)
        except PermissionError:
            pytest.skip(f"77: {ENGINE} is closed to others")
        yield pathlib.Path(folder), lambda *args, **kw: load(*args, env=env, **who, **kw)


def test_default_file_of_a_user(as_user):
    folder, run = as_user
    got = run("--check")
    assert (got.returncode, got.stdout, got.stderr) == (0, f"{folder}/mpctl/mpd.conf: ok, 0 jobs\n", "")
    write(folder / "mpctl", job())
    assert run("--check").stdout == f"{folder}/mpctl/mpd.conf: ok, 1 jobs\n"


@as_root
def test_a_user_may_check_what_root_runs(as_user):
    folder, run = as_user
    path = write(folder, job("user = daemon"))
    assert run("--check", "--config", path).stdout == f"{path}: ok, 1 jobs\n"
    fd = os.memfd_create("jobtab", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    got = run("--out", fd, "--config", path, pass_fds=[fd])
    os.close(fd)
    assert (got.returncode, got.stderr) == (6, f"{path}:3: [job:web] user: mpd does not run as root and cannot start "
                                               "processes as another user\n")


def test_a_user_may_name_himself(as_user):
    folder, run = as_user
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    path = write(folder, job(f"user = {uid}"))
    path.chmod(0o666)
    assert run("--check", "--config", path).stdout == f"{path}: ok, 1 jobs\n"
