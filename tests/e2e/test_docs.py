# SPDX-License-Identifier: MIT
"""
What the documents say is so: their shell lines run as they are written, their example configurations can be read, and
the answers have the members that stand in docs/protocol.md. What is installed where, and `make demo`, have tests of
their own (tests/install.sh, tests/check.py).
"""
import json
import os
import re
import shlex
import subprocess

import pytest

from harness import MPCTL, PATIENCE, ROOT, TOOL_PATH, until

README = ROOT / "README.md"
PROTOCOL, OBJECTS, ARCHITECTURE = [ROOT / "docs" / f"{name}.md" for name in ("protocol", "objects", "architecture")]
DOCUMENTS = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path, language, containing):
    """The one code block of this language that holds the text."""
    found = [b for b in re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S) if containing in b]
    assert len(found) == 1, f"{len(found)} blocks of {path} hold {containing!r}"
    return found[0]


@pytest.fixture
def desk(mpd, tmp_path):
    """desk(script): runs it in a fresh folder with what the examples name."""
    (tmp_path / "sell.sh").write_text("#!/bin/sh\nexec sleep 1\n")
    (tmp_path / "sell.sh").chmod(0o755)
    (tmp_path / "Makefile").write_text("all:\n\t@echo made\n")
    return lambda script: mpd.shell("set -e\n" + script, cwd=tmp_path)


# --- links and settings -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_make_targets_exist(path):
    text = subprocess.run(["make", "-C", ROOT, "help"], capture_output=True, text=True, check=True).stdout
    targets = {line.split()[1] for line in text.splitlines() if line.startswith("  make ")} | {"help"}
    for target in re.findall(r"\bmake ([a-z][a-z-]*)", " ".join(re.findall(r"`[^`]*`", path.read_text()))):
        assert target in targets


def test_the_configurations_can_be_read(tmp_path):
    example = blocks(README, "ini", "[job:web]").replace("/srv/www", str(tmp_path))
    (tmp_path / "mpd.conf").write_text(example)
    for conf in (tmp_path / "mpd.conf", ROOT / "conf" / "mpd.conf"):
        done = subprocess.run([MPCTL, "check", conf], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


# --- README.md --------------------------------------------------------------------------------------------------------

def test_readme_begins_with_lines_that_run(desk):
    done = desk(blocks(README, "sh", "mpctl run -- make"))
    assert done.code == 0 and "seller\n" in done.out and done.out.endswith('made\n{"seat": 7}\n')


def test_what_the_readme_does_between_processes(desk):
    done = desk(blocks(README, "sh", "mpctl queue create"))
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[:2] == ['{"seat": 7}', "1"]
    assert lines[2].startswith("NAME KIND") and any(line.startswith("tickets queue 0 ") for line in lines)


def test_the_first_five_minutes(mpd, tmp_path):
    """As a user, with a home of his own, next to where root has a daemon; what `make install` does has its own test."""
    script = blocks(README, "sh", "mpd --background")
    assert script.startswith("sudo make install")
    home, runtime = tmp_path / "home", mpd.dir / "run"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    user = {}
    if os.getuid() == 0:
        os.chown(home, 12345, 12345)
        os.chown(runtime, 12345, 12345)
        for folder in (tmp_path, *list(tmp_path.parents)[:2]):
            folder.chmod(0o755)
        user = {"user": 12345, "group": 12345, "extra_groups": []}
    env = {"PATH": TOOL_PATH, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
    done = subprocess.run(["bash", "-ec", script.partition("\n")[2]], env=env, cwd="/", capture_output=True, text=True,
                          timeout=PATIENCE, **user)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^nap +1 +\d+ +running ", done.stdout, re.M)
    assert not list((runtime / "mpctl").glob("*.sock"))


def test_what_the_readme_does_with_a_job(make_mpd, tmp_path):
    config = blocks(README, "ini", "[job:web]").replace("/srv/www", str(tmp_path))
    mpd = make_mpd(re.sub(r"^command = .*$", "command = sh -c 'echo hello; exec sleep 1000'", config, flags=re.M))
    until(lambda: mpd.ctl("logs", "web.1").out)
    script = blocks(README, "sh", "mpctl restart web").replace("logs -f", "logs")
    done = mpd.shell("set -e\n" + script)
    assert done.code == 0, done
    for text in ("last lines:", "hello", "web.2 | ", "usage: mpctl start"):
        assert text in done.out


def test_the_readmes_way_from_another_language(desk, mpd):
    script = blocks(README, "sh", "jq .result").partition("\n")
    assert script[0].startswith("export MPCTL_SOCKET=$XDG_RUNTIME_DIR/mpctl/mpd.sock ")
    done = desk(script[2])
    assert done.code == 0 and json.loads(done.out)["processes"] == []


# --- docs/objects.md --------------------------------------------------------------------------------------------------

def shown(language):
    """The blocks of this language, each under its section's name."""
    sections = re.split(r"^#+ (.*)$", OBJECTS.read_text(), flags=re.M)
    for name, text in zip(sections[1::2], sections[2::2]):
        for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S):
            yield pytest.param(block, id=name.replace(" ", "-"))


def bare(text):
    """Lines without what is different each time: pids, times, the width of columns."""
    text = re.sub(r"\bpid \d+|\b\d+(\.\d+)?(?= ?m?s\b)|(?<=, at )[\d.]+", "N", text)
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("block", shown("console"))
def test_what_the_shell_is_shown_to_say(mpd, block):
    """Lines that begin with `$ ` are typed, the others come out."""
    typed = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    script = "exec 2>&1\n" + "".join(f"printf '%s\\n' {shlex.quote('$ ' + line)}\n{line}\n" for line in typed)
    assert bare(mpd.shell(script).out) == bare(block)


@pytest.mark.parametrize("block", shown("json"))
def test_what_a_connection_is_shown_to_say(mpd, block):
    """Requests, each with its answer below; of an error there is its symbol."""
    lines = [json.loads(line) for line in block.splitlines()]
    with mpd.connect() as connection:
        for request, answer in zip(lines[::2], lines[1::2], strict=True):
            connection.send_line(request)
            seen = connection.recv()
            if "error" in seen:
                seen["error"] = seen["error"]["data"]["symbol"]
            assert {name: seen[name] for name in seen if name != "jsonrpc"} == answer


# --- docs/protocol.md -------------------------------------------------------------------------------------------------

def test_the_protocols_lines_run(desk):
    script = blocks(PROTOCOL, "sh", "process.join").replace('"sleep","60"', '"sleep","1"')
    started, joined = map(json.loads, desk(script).out.splitlines())
    assert started["result"]["name"] == "nap"
    assert joined["result"]["done"] is True and joined["result"]["processes"][0]["exitcode"] == 0


def test_the_protocols_raw_bytes_run(desk):
    put, got, data = desk(blocks(PROTOCOL, "sh", '"raw":5')).out.split("\n")
    assert json.loads(put)["result"]["id"] == json.loads(got)["result"]["id"] and json.loads(got)["raw"] == 5
    assert data == "hello"


def members_of(cell):
    """The first object of a table's cell: its members' names, without what is inside of them."""
    text = re.match(r"`\{(.*?)\}`", cell).group(1)
    while re.search(r"[\[{][^\[\]{}]*[\]}]", text):
        text = re.sub(r"[\[{][^\[\]{}]*[\]}]", "", text)
    return {re.match(r"\s*(\w+)", part).group(1) for part in text.split(",") if part}


def documented():
    text = PROTOCOL.read_text() + OBJECTS.read_text()
    rows = re.findall(r"^\| ([\w., ]+) \| (`\{.*) \|$", text, re.M)
    table = {}
    for methods, cell in rows:
        names = methods.split(", ")
        prefix = names[0].rpartition(".")[0]
        for name in names:
            table[name if "." in name or name == "cancel" else f"{prefix}.{name}"] = members_of(cell)
    return table


JOB = "[job:web]\ncommand = sh -c 'echo hello; exec sleep 1000'\n"
CALLS = [
    ("mpd.hello", {}), ("mpd.status", {}), ("mpd.describe", {}), ("mpd.stats", {}), ("mpd.whoami", {}),
    ("mpd.log_level", {"level": "info"}), ("mpd.subscribe", {}), ("mpd.unsubscribe", {"sub": 1}),
    ("cancel", {"id": 99}), ("process.start", {"argv": ["sleep", "1000"], "name": "x"}),
    ("process.signal", {"targets": ["x"], "signal": "CONT"}), ("process.status", {"targets": ["x"]}),
    ("process.list", {}), ("process.self", {}), ("process.logs", {"target": "x"}),
    ("process.terminate", {"targets": ["x"]}), ("process.kill", {"targets": ["x"]}),
    ("process.join", {"targets": ["x"]}), ("process.stop", {"targets": ["x"]}), ("process.forget", {"targets": ["x"]}),
    ("job.list", {}), ("job.status", {"targets": ["web"]}), ("job.start", {"all": True}),
    ("job.restart", {"all": True}), ("job.stop", {"all": True}),
]
THE_CLAIM = "what the last get returned"
OBJECT_CALLS = {  # the object's name is its kind's
    "lock": [("create", {}), ("acquire", {}), ("locked", {}), ("repair", {}), ("release", {})],
    "rlock": [("create", {}), ("acquire", {}), ("locked", {}), ("repair", {}), ("release", {})],
    "semaphore": [("create", {"value": 3}), ("acquire", {"n": 2}), ("value", {}), ("release", {"n": 2})],
    "event": [("create", {}), ("set", {}), ("wait", {}), ("is_set", {}), ("clear", {})],
    "condition": [("create", {}), ("acquire", {}), ("notify", {}), ("notify_all", {}), ("wait", {"timeout": 0.01}),
                  ("release", {})],
    "barrier": [("create", {"parties": 1, "action": True}), ("register", {}), ("wait", {"action": True}),
                ("action_done", {"generation": 0}), ("info", {}), ("unregister", {}), ("abort", {}), ("reset", {})],
    "queue": [("create", {"joinable": True}), ("put", {"item": 1}), ("size", {}), ("empty", {}), ("full", {}),
              ("peek", {}), ("get", {}), ("extend", {"claim": THE_CLAIM, "ttr": 60}), ("ack", {"claim": THE_CLAIM}),
              ("put", {"item": 2}), ("get", {}), ("task_done", {}), ("join", {}), ("put", {"item": 3}), ("get", {}),
              ("nack", {"claim": THE_CLAIM}), ("stats", {}), ("pause", {}), ("close", {})],
    "pipe": [("create", {}), ("hold", {"name": "pipe:1"}), ("send", {"name": "pipe:0", "item": 1}),
             ("poll", {"name": "pipe:1"}), ("recv", {"name": "pipe:1"}), ("drop", {"name": "pipe:1"}), ("close", {})],
    "value": [("create", {"value": 5}), ("get", {}), ("set", {"value": 6}), ("add", {"delta": 1}),
              ("cas", {"expect": 7, "value": 8}), ("wait", {"op": ">=", "x": 8}), ("lock", {}), ("unlock", {})],
    "array": [("create", {"type": "i", "size": 3}), ("set", {"i": 0, "value": 7}), ("get", {"i": 0}), ("len", {}),
              ("fill", {"value": 1})],
    "dict": [("create", {}), ("set", {"key": "a", "value": 1}), ("get", {"key": "a"}), ("incr", {"key": "a"}),
             ("setdefault", {"key": "b"}), ("update", {"items": {"c": 1, "d": 2}}), ("keys", {}), ("values", {}),
             ("items", {}), ("copy", {}), ("len", {}), ("contains", {"key": "a"}), ("has_key", {"key": "a"}),
             ("pop", {"key": "a"}), ("popitem", {}), ("del", {"key": "b"}), ("clear", {})],
    "list": [("create", {}), ("append", {"value": 1}), ("extend", {"values": [3, 2]}), ("insert", {"i": 0, "value": 1}),
             ("get", {"i": 0}), ("set", {"i": 0, "value": 4}), ("del", {"i": 0}), ("sort", {}), ("reverse", {}),
             ("repeat", {"n": 2}), ("pop", {}), ("remove", {"value": 3}), ("index", {"value": 2}),
             ("count", {"value": 2}), ("contains", {"value": 2}), ("len", {}), ("clear", {})],
    "namespace": [("create", {}), ("set", {"key": "x", "value": 1}), ("get", {"key": "x"}), ("dir", {}),
                  ("del", {"key": "x"})],
}
CALLS += [(f"{kind}.{verb}", {"name": kind, **params})
          for kind, calls in OBJECT_CALLS.items() for verb, params in calls]
CALLS += [
    ("object.list", {}), ("object.info", {"name": "lock"}), ("object.chmod", {"name": "lock", "mode": "600"}),
    ("object.delete", {"name": "lock"}), ("graph.get", {}), ("mpd.close", {}),
]


def test_answers_have_the_members_that_are_documented(make_mpd):
    mpd = make_mpd(JOB)
    table, claim = documented(), None
    with mpd.connect() as connection:
        methods = {m["method"] for m in connection.call("mpd.describe")["methods"]}
        for method, params in CALLS:
            if params.get("claim") is THE_CLAIM:
                params = {**params, "claim": claim}
            result = connection.call(method, **params)
            assert set(result) == table[method], method
            claim = result.get("claim", claim)
    untried = methods - {method for method, _ in CALLS}
    assert untried == {"mpd.ping", "mpd.shutdown"}, "every method has its row and its call"


def test_a_process_has_the_members_that_are_documented(make_mpd):
    mpd = make_mpd(JOB)
    text = PROTOCOL.read_text()
    example = json.loads(blocks(PROTOCOL, "json", '"kill_mode"'))
    mpd.begin("sh", "-c", "exit 3", name="x")
    mpd.join("x")
    for target in ("web", "x"):
        listed = mpd.rpc("process.list", targets=[target])["processes"][0]
        assert set(listed) == set(example)
        more = set(mpd.process(target)) - set(example)
        assert all(f"`{name}`" in text or f"`{name} {{" in text for name in more), more


def test_every_method_and_verb_has_help(mpd):
    for name in (m["method"] for m in mpd.rpc("mpd.describe")["methods"]):
        assert mpd.ctl("help", name).out.startswith(f"method: {name}\n")


def test_the_architecture_names_what_is_there():
    for path in re.findall(r"`((?:common|daemon|cli|core)/[\w/.]+)`", ARCHITECTURE.read_text()):
        assert (ROOT / path).exists() or (ROOT / "daemon" / "engine" / path).exists(), path
