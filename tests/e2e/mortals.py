# SPDX-License-Identifier: MIT
"""
Players that may be killed at any moment: each plays a game with an object, and keeps a diary.

    mortals.py SOCKET DIARY

On stdin, for each life, a line {"life": N, "game": GAME, "name": OBJECT, "manner": MANNER, "seed": N}; on stdout
"LIFE PID SPEAKER". With the end of stdin everyone ends.

 1. The diary is one file that all append to, a line a write, between two newlines: a writer that is killed in the
    midst of it spoils its own line alone.
    [TIME, LIFE, "ask", NUMBER, METHOD, PARAMS] is there before the request is sent, [TIME, LIFE, "got", NUMBER, REPLY]
    after the reply was read.
 2. A player has one request under way. So each reply comes in a write of its own, and the diary lacks one at most.
 3. While the file DIARY.over is not there games go on for ever; when it is, a player ends after its round.

MANNERs of being an owner: `conn` and `process` say themselves; `parent`: a child speaks (SPEAKER) for a parent who
holds; `heir`: a child inherits the connection, and stays; `half`: as conn, until it shuts down its half of the
connection behind some request, for whose answer it still waits.
"""
import ctypes
import json
import os
import random
import signal
import socket
import sys
import time
import traceback

SUBREAPER = 36


class Refused(Exception):
    """An error of the daemon's, by its symbol."""


class Over(Exception):
    """Its owner has ended, or the connection."""


class Player:
    ORPHANED = ("LOST", "STALE_TOKEN")  # what it hears who speaks for a dead parent

    def __init__(self, role, socket_path, diary):
        self.life, self.name, self.manner = role["life"], role["name"], role["manner"]
        self.random, self.number, self.rest = random.Random(role["seed"]), 0, b""
        self.diary, self.end = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT), diary + ".over"
        owners = {"process": {"owner": "process"}, "parent": {"owner": {"pid": role.get("parent")}}}
        self.owner = owners.get(self.manner, {})
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.connect(socket_path)
        if self.manner == "heir" and os.fork() == 0:
            signal.pause()

    def over(self):
        return os.path.exists(self.end)

    def note(self, *what):
        os.write(self.diary, b"\n" + json.dumps([time.monotonic_ns(), self.life, *what]).encode() + b"\n")

    def pause(self):
        time.sleep(self.random.random() * 0.003)

    def line(self):
        while b"\n" not in self.rest:
            more = self.wire.recv(1 << 16)
            if not more:
                raise Over
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def call(self, method, **params):
        params = {"name": self.name, **params}
        self.number += 1
        self.note("ask", self.number, method, params)
        self.wire.sendall(json.dumps({"id": self.number, "method": method, "params": params}).encode() + b"\n")
        last = self.manner == "half" and self.random.random() < 0.1
        if last:
            self.wire.shutdown(socket.SHUT_WR)
        reply = self.line()
        self.note("got", self.number, reply)
        if last:
            raise Over
        if "error" in reply:
            symbol = reply["error"]["data"]["symbol"]
            raise Over if symbol in self.ORPHANED else Refused(symbol)
        return reply["result"]

    def mine(self, method, **params):
        """A call that has an owner."""
        return self.call(method, **self.owner, **params)


# --- games: one round ------------------------------------------------------------------------------------------------

def lock(p):
    p.mine("lock.acquire")
    p.pause()
    p.mine("lock.release")


def holder(p):
    """One who holds a lock until it is killed."""
    p.mine("lock.acquire")
    signal.pause()


def rlock(p):
    depth = p.random.randrange(1, 4)
    for _ in range(depth):
        p.mine("rlock.acquire")
    p.pause()
    for _ in range(depth):
        p.mine("rlock.release")


def value(p):
    """Adds one, as they do who know no add()."""
    token = p.mine("value.lock")["token"]
    now = p.call("value.get")["value"]
    p.pause()
    p.call("value.set", value=now + 1, fence={"lock": p.name, "token": token})
    p.mine("value.unlock")


def semaphore(p):
    n = p.random.randrange(1, 4)
    p.mine("semaphore.acquire", n=n)
    p.pause()
    p.mine("semaphore.release", n=n)


def event(p):
    if p.life % 2:
        p.mine("event.set")
        p.pause()
        if p.random.random() < 0.5:
            p.call("event.clear")
    else:
        p.mine("event.wait", timeout=0.02)


def condition(p):
    p.mine("condition.acquire")
    if p.random.random() < 0.5:
        p.mine("condition.notify")
    else:
        p.mine("condition.wait", timeout=0.02)
    p.pause()
    p.mine("condition.release")


def barrier(p):
    p.pause()
    try:
        p.mine("barrier.wait")
    except Refused as why:
        if str(why) != "BROKEN":
            raise
        p.over() or p.call("barrier.reset")


def put(p):
    p.pause()
    p.mine("queue.put", item=f"{p.life}-{p.number}")


def auto(p):
    put(p) if p.life % 2 else p.mine("queue.get")


def manual(p):
    if p.life % 2:
        return put(p)
    claim = p.mine("queue.get", ack="manual")["claim"]
    p.pause()
    p.call("queue.nack" if p.random.random() < 0.2 else "queue.ack", claim=claim)


def joinable(p):
    if p.life % 2:
        return put(p)
    p.mine("queue.get")
    p.pause()
    p.mine("queue.task_done")


def pipe(p):
    """Odd lives send, even ones receive; each at its end, which it holds."""
    odd = p.life % 2
    if p.number == 0:
        p.call("pipe.create", exist_ok=True)
        p.mine("pipe.hold", name=f"{p.name}:{odd}")
    if odd:
        p.pause()
        p.mine("pipe.send", name=f"{p.name}:1", item=p.number)
    else:
        p.mine("pipe.recv", name=f"{p.name}:0")


GAMES = {game.__name__: game for game in (lock, holder, rlock, value, semaphore, event, condition, barrier, auto,
                                          manual, joinable, pipe)}
ENDS = ("CLOSED", "EOF", "BROKEN_PIPE")  # of games


def live(role, socket_path, diary):
    try:
        p = Player(role, socket_path, diary)
        while not p.over():
            GAMES[role["game"]](p)
    except (Over, ConnectionError):
        pass
    except Refused as why:
        if str(why) not in ENDS:
            raise


def say(role, speaker):
    os.write(1, f"{role['life']} {os.getpid()} {speaker}\n".encode())


def born(role, socket_path, diary):
    """In a process of its own."""
    if role["manner"] == "parent":
        role["parent"] = os.getpid()
        speaker = os.fork()
        if speaker:
            say(role, speaker)
            os.waitpid(speaker, 0)
            return
    else:
        say(role, os.getpid())
    live(role, socket_path, diary)


def reap(flags):
    try:
        while os.waitpid(-1, flags)[0]:
            pass
    except ChildProcessError:
        pass


def main(socket_path, diary):
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        reap(os.WNOHANG)  # not before: until it has said more the test may look for them by their pids
        if os.fork() == 0:
            try:
                born(json.loads(line), socket_path, diary)
            except BaseException:
                traceback.print_exc()
            os._exit(0)
    while children := open(f"/proc/self/task/{os.getpid()}/children").read().split():
        for pid in children:
            os.kill(int(pid), signal.SIGKILL)
        reap(os.WNOHANG)


if __name__ == "__main__":
    main(*sys.argv[1:])
