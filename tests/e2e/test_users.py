# SPDX-License-Identifier: MIT
"""Two users of one daemon: root, whose it is, and somebody who was let in. Neither can take the other's place."""
import os
import subprocess

import pytest

from harness import MPCTL, MPD, PATIENCE

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="77: needs two users")


def as_somebody(mpd):
    os.chmod(mpd.socket, 0o666)

    def ctl(*words):
        done = subprocess.run([MPCTL, "-s", mpd.socket, *words], user=12345, group=12345, extra_groups=[], cwd="/",
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    return ctl


@pytest.fixture
def somebody(mpd):
    """somebody(words...): mpctl as a user without any rights; returns (exit status, stdout, stderr)."""
    return as_somebody(mpd)


def test_a_name_is_first_ones_own(mpd, somebody):
    mine = mpd.begin("sleep", "1000", name="x")
    assert somebody("start", "--name", "x", "--", "sleep", "1000") == (0, "x\n", "")
    theirs = int(somebody("pid", "x")[1])
    assert theirs != mine["pid"]
    assert mpd.ctl("pid", "x").out == f"{mine['pid']}\n"
    assert sorted(map(int, mpd.ctl("pid", "x*").out.split())) == sorted([mine["pid"], theirs])
    assert mpd.ctl("kill", "x").code == 0
    assert somebody("is-alive", "x")[0] == 0


def test_an_admin_means_others_where_he_has_none(mpd, somebody):
    somebody("start", "--name", "y", "--processes", "2", "--", "sleep", "1000")
    assert mpd.ctl("kill", "y").code == 0
    assert somebody("is-alive", "y")[0] == 3


def test_what_is_not_ones_own_is_not_there(mpd, somebody):
    mpd.begin("sleep", "1000", name="x")
    for words in (("kill", "x"), ("logs", "x"), ("status", "#1"), ("stop", f"pid:{mpd.process('x')['pid']}")):
        code, out, err = somebody(*words)
        assert (code, out) == (4, "") and err == f"mpctl: {words[1]}: no such job or process (see: mpctl ps)\n"
    assert somebody("kill", "--all")[0] == 0
    assert mpd.process("x")["alive"]
    assert somebody("shutdown")[0] == 1


def test_the_name_of_a_job_is_not_told(make_mpd):
    mpd = make_mpd("[job:web]\ncommand = sleep 1000\nautostart = false\n")
    assert mpd.ctl("start", "--name", "web", "--", "sleep", "1000").code == 1
    assert as_somebody(mpd)("start", "--name", "web", "--", "sleep", "1000") == (0, "web\n", "")
    assert as_somebody(mpd)("is-alive", "web")[0] == 0
    assert mpd.process("web")["state"] == "stopped"


def test_root_at_a_users_daemon(make_mpd, somebody, tmp_path):
    """He sees and ends what is there; the daemon cannot become him."""
    folder = tmp_path / "s"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    for parent in (tmp_path, *list(tmp_path.parents)[:2]):
        parent.chmod(0o755)
    user = {"user": 12345, "group": 12345, "extra_groups": [], "cwd": "/", "env": {"HOME": str(folder)}}
    subprocess.run([MPD, "--background", "-s", folder / "s", "-d", folder / "d"], check=True, timeout=PATIENCE, **user)
    ctl = lambda *words: subprocess.run([MPCTL, "-s", folder / "s", *words], capture_output=True, text=True)
    try:
        assert somebody("-s", str(folder / "s"), "start", "--name", "x", "--", "sleep", "1000")[0] == 0
        done = ctl("run", "--", "id")
        assert done.returncode == 126 and "(this daemon cannot start processes for your user)" in done.stderr
        assert ctl("kill", "x").returncode == 0
    finally:
        assert ctl("shutdown").returncode == 0


def test_all_is_not_said_beside_names(mpd):
    """Who names some and means all has made a mistake, and finds out before everything is killed."""
    mpd.begin("sleep", "1000", name="x")
    mpd.begin("sleep", "1000", name="y")
    with mpd.connect() as connection:
        for method in ("process.kill", "process.stop", "process.terminate", "job.stop"):
            with pytest.raises(Exception, match='either "targets" or "all", not both'):
                connection.call(method, targets=["x"], all=True)
    assert mpd.process("x")["alive"] and mpd.process("y")["alive"]
