#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs all there is to check, tells how it went, and ends with one line: N passed, N failed[, N skipped].

A stage is a name and a function from the stage's log to its counts. What a stage's programs print goes into
build/check/NAME.log, and onto the screen when something in it failed. Groups of stages run one after the other, the
stages of a group at the same time. Where a build fails, what would run from it fails, too, without being run.
"""

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "check"
PYTHON = "/usr/bin/python3"
JOBS = str(os.cpu_count() or 2)
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "MPD_SLOW": "3",
}
SKIP_STATUS = 77


class Counts(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(*(a + b for a, b in zip(self, other)))

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


PASS, FAIL = Counts(passed=1), Counts(failed=1)


running = set()


def stop(child):
    """Ends what a stage has started, in its own way if it can: pytest takes its daemons down on SIGINT."""
    for signo, grace in ((signal.SIGINT, 30), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, signo)
            return child.wait(grace)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            pass
    return child.wait()


def run(log, *argv, timeout, env=None):
    """Runs ARGV with its output in LOG. Returns its exit status; one that takes too long is stopped with its group."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    environment.update(PYTHONDONTWRITEBYTECODE="1", **(env or {}))
    print("$", *argv, file=log, flush=True)
    child = subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, start_new_session=True)
    running.add(child)
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        print(f"stopped: still running after {timeout} s", file=log, flush=True)
        return stop(child) or 1
    finally:
        running.discard(child)


def interrupted(signo, _frame):
    """Leaves nothing behind that runs on."""
    for child in list(running):
        stop(child)
    os._exit(128 + signo)


def make(*targets):
    """A stage: make TARGETS."""
    return lambda log: PASS if run(log, "make", "-k", f"-j{JOBS}", *targets, timeout=600) == 0 else FAIL


def script(*argv, timeout=60):
    """A stage: one program whose exit status says all."""
    return lambda log: PASS if run(log, *argv, timeout=timeout) == 0 else FAIL


def tap_counts(text):
    """Counts of what cmocka prints with CMOCKA_MESSAGE_OUTPUT=TAP."""
    lines = re.findall(r"^(not )?ok \d+(.*)$", text, re.M)
    skipped = sum(1 for wrong, rest in lines if not wrong and re.search(r"#\s*skip", rest, re.I))
    failed = sum(1 for wrong, _ in lines if wrong)
    return Counts(len(lines) - failed - skipped, failed, skipped)


def unit(build, timeout=120, env=None):
    """A stage: every cmocka program of BUILD."""

    def stage(log):
        total = Counts()
        for source in sorted((ROOT / "tests" / "unit").glob("test_*.c")):
            begin = log.tell()
            environment = {"CMOCKA_MESSAGE_OUTPUT": "TAP", **SANITIZER_ENV, **(env or {})}
            status = run(log, f"{build}/tests/unit/{source.stem}", timeout=timeout, env=environment)
            counts = tap_counts(tail(log, begin))
            if status == SKIP_STATUS and not any(counts):
                counts = Counts(skipped=1)
            elif (status != 0 and not counts.failed) or not any(counts):
                counts += FAIL
                print(f"{source.stem}: exit status {status}, {counts}", file=log, flush=True)
            total += counts
        return total

    return stage


def tail(log, begin):
    """What stands in LOG from byte BEGIN on."""
    log.seek(0, os.SEEK_END)
    with open(log.name, encoding="utf-8", errors="replace") as file:
        file.seek(begin)
        return file.read()


def junit_counts(path):
    counts = Counts()
    for suite in xml.parse(path).getroot().iter("testsuite"):
        tests, failures, errors, skipped = (int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped"))
        counts += Counts(tests - failures - errors - skipped, failures + errors, skipped)
    return counts


AGAIN_MAX = 5  # more failures than these are no coincidence


def junit_failures(path):
    """The tests that failed, as pytest wants to be told of them."""
    cases = [c for c in xml.parse(path).getroot().iter("testcase")
             if c.find("failure") is not None or c.find("error") is not None]
    return [f"{c.get('classname').replace('.', '/')}.py::{c.get('name')}" for c in cases]


def pytest(build, *args, timeout, env=None):
    """A stage: the tests from outside, against the programs in BUILD. On a busy machine one or the other may run out
    of time: a few that failed are run again, alone. What passes then is counted as passed, and told in the log and on
    the screen; what fails again has failed."""

    def attempt(log, report, *what):
        report.unlink(missing_ok=True)
        status = run(log, PYTHON, "-m", "pytest", *what, "-p", "no:cacheprovider", "-q", "-rs", "--durations=5",
                     f"--junitxml={report}", *args, timeout=timeout, env={"MPD_BUILD": build, **(env or {})})
        counts = junit_counts(report) if report.exists() else Counts()
        return counts if status == 0 or counts.failed else counts + FAIL

    def stage(log):
        report = Path(log.name).with_suffix(".xml")
        counts = attempt(log, report, "tests/e2e", "tests/parity")
        failed = junit_failures(report) if counts.failed and report.exists() else []
        if not failed or len(failed) > AGAIN_MAX or len(failed) != counts.failed:
            return counts
        print(f"once more, alone: {' '.join(failed)}", file=log, flush=True)
        again = attempt(log, report.with_suffix(".again.xml"), *failed)
        print(f"{log.name}: {len(failed)} failed and ran again, {again}: {' '.join(failed)}", flush=True)
        return Counts(counts.passed + again.passed, again.failed, counts.skipped + again.skipped)

    return stage


def fuzz(target, seconds):
    """A stage: one libFuzzer program, from its seeds and from what earlier runs have found."""

    def stage(log):
        name = target.stem[len("fuzz_"):]
        found = ROOT / "build" / "fuzz" / "corpus" / name
        found.mkdir(parents=True, exist_ok=True)
        seeds = ROOT / "tests" / "fuzz" / "corpus" / name
        status = run(log, f"build/fuzz/tests/fuzz/{target.stem}", f"-max_total_time={seconds}", "-timeout=10",
                     "-rss_limit_mb=2048", "-verbosity=1", f"-artifact_prefix=build/fuzz/{name}-", str(found),
                     *([str(seeds)] if seeds.is_dir() else []), timeout=seconds + 120, env=SANITIZER_ENV)
        return PASS if status == 0 else FAIL

    return stage


class Stage(NamedTuple):
    name: str
    run: callable
    needs: str = ""  # the build whose failure makes this one pointless


def fuzz_stages(seconds):
    """The objects' state machine has the most to be found in it: half as long again."""
    return [Stage(f"fuzz {t.stem[len('fuzz_'):]}", fuzz(t, seconds * 3 // 2 if t.stem == "fuzz_objects" else seconds),
                  "build fuzz")
            for t in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c"))]


def pairs(stages):
    return [stages[i:i + 2] for i in range(0, len(stages), 2)]


def check_groups():
    return [
        [Stage("build", make("WERROR=-Werror", "test-programs"))],
        [Stage("build clang", make("clang"))],
        [Stage("build asan", make("asan"))],
        [Stage("build fuzz", make("fuzz"))],
        [Stage("layers", script("make", "layers")), Stage("checker", script(PYTHON, "tests/check.py", "--self-test"))],
        [Stage("install", script("tests/install.sh"), "build")],
        [Stage("unit", unit("build"), "build"), Stage("unit asan", unit("build/asan"), "build asan")],
        [Stage("e2e", pytest("build", "-m", "not soak", timeout=600), "build")],
        # Two at a time: what these are slow at measures nothing, and most of it waits.
        [Stage("e2e asan", pytest("build/asan", "-m", "not soak", "-n", "2", timeout=900, env=SANITIZER_ENV),
               "build asan")],
        *pairs(fuzz_stages(20)),
    ]


def soak_groups():
    return [
        [Stage("build", make("test-programs"))],
        [Stage("build fuzz", make("fuzz"))],
        [Stage("unit", unit("build", timeout=1800, env={"MPD_SOAK": "1"}), "build")],
        [Stage("soak", pytest("build", "-m", "soak", timeout=7200, env={"MPD_SOAK": "1"}), "build")],
        *pairs(fuzz_stages(300)),
    ]


def figures(text):
    """What the tests measured: the lines of pytest's section of that name."""
    found = re.search(r"^=+ figures =+\n(.*?)^=", text, re.MULTILINE | re.DOTALL)
    return found[1].splitlines() if found else []


class Runner:
    """Runs groups of stages, adds up their counts."""

    def __init__(self):
        self.total = Counts()
        self.broken = set()
        self.lock = threading.Lock()

    def stage(self, stage):
        if stage.needs in self.broken:
            return self.tell(stage, FAIL, f"not run: {stage.needs} failed", None)
        begin = time.monotonic()
        path = LOGS / (stage.name.replace(" ", "-") + ".log")
        with open(path, "w", encoding="utf-8") as log:
            try:
                counts = stage.run(log)
            except Exception:  # a program that was not built, a report that is not XML
                traceback.print_exc(file=log)
                counts = FAIL
        return self.tell(stage, counts, f"{time.monotonic() - begin:6.1f} s", path)

    def tell(self, stage, counts, how, path):
        with self.lock:
            self.total += counts
            if counts.failed:
                self.broken.add(stage.name)
                if path:
                    print(f"---- {stage.name}: {path}", path.read_text(encoding="utf-8", errors="replace"), sep="\n")
            print(f"{'FAILED' if counts.failed else 'ok':6} {stage.name:16} {how:>10}  {counts}", flush=True)
            if path and not counts.failed:
                for line in figures(path.read_text(encoding="utf-8", errors="replace")):
                    print("      ", line, flush=True)

    def groups(self, groups):
        for group in groups:
            with concurrent.futures.ThreadPoolExecutor(len(group)) as pool:
                list(pool.map(self.stage, group))


def self_test():
    """The counting itself: what it does not see does not fail."""
    tap = "1..3\nok 1 - a\nnot ok 2 - b\nok 3 # SKIP c\nlook: not ok 9\n"
    assert tap_counts(tap) == Counts(1, 1, 1)
    assert tap_counts("") == Counts()
    assert str(Counts(2, 1)) == "2 passed, 1 failed"
    assert str(Counts(2, 1, 3)) == "2 passed, 1 failed, 3 skipped"
    assert figures("x\n=== figures ===\na\nb\n=== 1 passed ===\n") == ["a", "b"] and figures("x\n") == []
    report = LOGS / "self-test.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>')
    assert junit_counts(report) == Counts(3, 3, 3)
    report.write_text('<testsuite><testcase classname="tests.e2e.t" name="a[1]"><failure/></testcase>'
                      '<testcase classname="tests.e2e.t" name="b"/></testsuite>')
    assert junit_failures(report) == ["tests/e2e/t.py::a[1]"]
    with open(LOGS / "self-test.log", "w", encoding="utf-8") as log:
        assert script("false")(log) == FAIL
        assert script("true")(log) == PASS
        assert script("sleep", "60", timeout=0.1)(log) == FAIL
        runner = Runner()
        sys.stdout = log
        runner.groups([[Stage("self-test-one", script("false"))], [Stage("two", script("true"), "self-test-one")],
                       [Stage("self-test-gone", script("build/no-such-program"))]])
        sys.stdout = sys.__stdout__
    assert runner.total == Counts(0, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soak", action="store_true", help="the long tests instead")
    parser.add_argument("--self-test", action="store_true", help="test this program")
    args = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    if args.self_test:
        return self_test()
    runner = Runner()
    runner.groups(soak_groups() if args.soak else check_groups())
    print(runner.total)
    return 1 if runner.total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
