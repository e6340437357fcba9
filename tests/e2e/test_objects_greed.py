# SPDX-License-Identifier: MIT
"""
What one client asks for that is a lot: the others wait a moment at most, the engine does not think that it hangs, and
who asks gets an answer that it can read.
"""
import os
import signal

import time

import pytest
from harness import PATIENCE, SLOW, figure


def reverse(number):
    return {"id": number, "method": "list.reverse", "params": {"name": "l"}}


def long_list(mpd, n):
    """A list that takes a while to be reversed; returns its version."""
    mpd.rpc("list.create", name="l", values=[0])
    mpd.rpc("list.repeat", name="l", n=n)
    return mpd.rpc("list.get", name="l", i=0)["version"]


def test_hard_work_leaves_others_their_turns(mpd):
    before, rounds = long_list(mpd, 200000), 50  # which the engine reads at once
    greedy = mpd.connect(PATIENCE * 3)
    others = [mpd.connect() for _ in range(5)]
    engine = mpd.engine_pid()
    os.kill(engine, signal.SIGSTOP)  # so that all of it is there when it looks
    asked = [other.request("list.get", name="l", i=0) for other in others[:3]]
    greedy.send_line(b"".join(greedy.line(reverse(i)) for i in range(rounds)))
    asked += [other.request("list.get", name="l", i=0) for other in others[3:]]
    os.kill(engine, signal.SIGCONT)
    versions = [other.reply(number)["version"] for other, number in zip(others, asked)]
    assert all(version < before + rounds * 4 / 5 for version in versions), versions
    assert [greedy.recv()["id"] for _ in range(rounds)] == list(range(rounds))
    assert mpd.rpc("list.get", name="l", i=0)["version"] == before + rounds


def test_a_batch_has_a_second(mpd):
    long_list(mpd, 300000)
    engine = mpd.engine_pid()
    with mpd.connect(PATIENCE * 3) as conn:
        conn.send_line([reverse(i) for i in range(1000)])
        answers = conn.recv()
    done = [answer for answer in answers if "result" in answer]
    refused = [answer["error"]["data"]["symbol"] for answer in answers if "error" in answer]
    assert len(answers) == 1000 and 0 < len(done) and answers[:len(done)] == done
    assert refused == ["OVERLOADED"] * (1000 - len(done)) != []
    assert mpd.engine_pid() == engine


def test_many_waiters_with_many_holders_can_be_told(mpd):
    mpd.rpc("semaphore.create", name="s", value=2000)
    with mpd.connect() as holder, mpd.connect() as waiter:
        for ids in ([holder.request("semaphore.acquire", name="s") for _ in range(500)] for _ in range(4)):
            for number in ids:
                holder.reply(number)
        for _ in range(1000):
            waiter.request("semaphore.acquire", name="s")
        waiter.call("mpd.ping")
        waits = mpd.rpc("graph.get")["waits"]
    assert len(waits) == 1000
    assert all(len(wait["holders"]) == 16 and wait["more"] for wait in waits)


def test_many_large_items_come_in_answers_that_can_be_read(mpd):
    items = ["x" * 1000000 + str(i) for i in range(30)]
    with mpd.connect() as conn:
        for item in items:
            conn.call("queue.put", name="q", item=item)
        got, answers = [], 0
        while len(got) < len(items):
            came = conn.call("queue.get", name="q", max=100)["items"]
            got += [one["item"] for one in came]
            answers += 1
    assert got == items and answers < len(items)


def test_an_answer_that_is_too_long_is_refused(mpd):
    with mpd.connect(PATIENCE * 3) as conn:
        for i in range(0, 100000, 1000):
            conn.send_line([{"id": f"{i}.{k}", "method": "lock.create", "params": {"name": f"{'n' * 100}-{i + k}"}}
                            for k in range(1000)])
            conn.recv()
        assert mpd.rpc_error("object.list").symbol == "TOO_LARGE"
        assert len(conn.call("object.list", pattern="*-4711")["objects"]) == 1


@pytest.mark.skipif(SLOW != 1, reason="figures of a slowed-down build say nothing")
def test_the_longest_list_is_sorted_in_a_moment(mpd):
    engine = mpd.engine_pid()
    long_list(mpd, 1900000)
    assert mpd.rpc_error("list.repeat", name="l", n=2).symbol == "TOO_LARGE"
    begin = time.monotonic()
    mpd.rpc("list.sort", name="l")
    figure(f"a list of 1 900 000 numbers is sorted in {time.monotonic() - begin:.2f} s")
    assert mpd.engine_pid() == engine
