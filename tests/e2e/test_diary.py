# SPDX-License-Identifier: MIT
"""The daemon's own log, as an operator reads it who was not there: what became of the jobs, and who asked for it."""
import os
import re

from harness import until

JOBS = """
[job:flap]
command = false
restart_delay = 10ms
restart_limit = 2
[job:once]
command = true
[job:missing]
command = /no/such
restart = no
[job:stubborn]
command = /bin/sh -c 'trap "" TERM; echo up; while :; do sleep 1; done'
stop_timeout = 100ms
[job:many]
command = sleep 1000
processes = 10
autostart = false
"""


def log_of(mpd):
    """The lines without time and pid."""
    return [re.sub(r"^\S+ mpd(-engine)?\[\d+\] ", "", line) for line in mpd.log().splitlines()]


def told(mpd, pattern):
    return until(lambda: next((line for line in log_of(mpd) if re.fullmatch(pattern, line)), None), what=pattern)


def test_the_log_tells_what_became_of_jobs(make_mpd):
    mpd = make_mpd(JOBS)
    assert told(mpd, r"info: flap started, pid \d+")
    assert told(mpd, r"warning: flap restarts in 1\dms \(1 in a row\): exit 1")
    assert told(mpd, r"warning: flap restarts in 2\dms \(2 in a row\): exit 1")
    assert told(mpd, r"error: flap has failed: exit 1")
    assert told(mpd, r"info: once has ended: exit 0")
    assert told(mpd, r"error: missing has failed: exit 127: /no/such: not found \(.*mpd.conf:\d+\)")


def test_the_log_tells_who_asked(make_mpd):
    mpd = make_mpd(JOBS)
    until(lambda: mpd.ctl("logs", "stubborn").out)
    mpd.ctl("stop", "stubborn")
    who = rf"by uid {os.getuid()}, pid \d+"
    assert told(mpd, rf"info: process.stop {who}: stubborn")
    assert told(mpd, r"info: stubborn is stopped: signal 9 \(KILL\), killed: did not stop in time")
    mpd.ctl("start", "many")
    assert told(mpd, rf"info: job.start {who}: many.1 many.2 .* many.8 and 2 more")
    mpd.ctl("signal", "CONT", "many.3")
    assert told(mpd, rf"info: process.signal {who}: many.3")


def test_what_is_no_job_is_not_in_the_log(mpd):
    mpd.begin("true", name="x")
    mpd.join("x")
    assert not [line for line in log_of(mpd) if "x" in line.split()]


def test_an_end_that_was_asked_for_is_no_alarm(make_mpd):
    mpd = make_mpd(JOBS)
    mpd.stop()
    assert not [line for line in log_of(mpd) if "gone" in line]
