# SPDX-License-Identifier: MIT
"""Barrier: all go on or none; how it breaks, and how it is mended."""
from transcript import MOMENT, PATIENCE, Worker, elsewhere, python, say, tell, timed, until


def state(barrier):
    return barrier.parties, barrier.n_waiting, barrier.broken


def waiting(mp, barrier, number, *args):
    """So many that wait, one after the other."""
    workers = []
    for n in range(number):
        workers.append(Worker(mp, barrier.wait, *args))
        until(lambda n=n: barrier.n_waiting == n + 1)
    return workers


def results(workers):
    return [worker.result() for worker in workers]


def rounds(mp):
    barrier = mp.Barrier(3)
    say("new", *state(barrier))
    for _ in range(3):
        workers = waiting(mp, barrier, 2)
        say("two of three", *state(barrier))
        tell("the third", barrier.wait)
        say("the first", results(workers))
        say("after it", *state(barrier))
    steps = python.Array("i", 3)

    def march(mine):
        seen = set()
        for step in range(10):
            steps[mine] = step
            barrier.wait()
            seen.update(step == other for other in steps)
            barrier.wait(PATIENCE)
        return seen

    say("in step", results([Worker(mp, march, mine) for mine in range(3)]))
    say("one party", [mp.Barrier(1).wait(*args) for args in ((), (0,), (-1,), (MOMENT,))])


def mended(mp, barrier, how):
    """A broken barrier stays broken until it is reset."""
    say(f"{how}: broken", *state(barrier))
    say("wait on a broken one", timed(barrier.wait), timed(barrier.wait, 0), elsewhere(mp, barrier.wait))
    tell("reset", barrier.reset)
    say("mended", *state(barrier))
    workers = waiting(mp, barrier, barrier.parties - 1)
    tell("it works", barrier.wait)
    say("for all", results(workers), *state(barrier))


def breaks(mp):
    barrier = mp.Barrier(3)
    workers = waiting(mp, barrier, 2)
    tell("abort", barrier.abort)
    say("all are told", results(workers))
    mended(mp, barrier, "abort")
    say("abort elsewhere, nobody waits", elsewhere(mp, barrier.abort))
    mended(mp, barrier, "abort of nobody")

    workers = waiting(mp, barrier, 2)
    tell("reset", barrier.reset)
    say("all are told", results(workers))
    say("but it is whole", *state(barrier))
    tell("reset, nobody waits", barrier.reset)
    say("it is whole", *state(barrier))

    for timeout in (0, -1, MOMENT):
        workers = waiting(mp, barrier, 1)
        say(f"wait for {timeout} s", timed(barrier.wait, timeout, least=max(0, timeout)))
        say("the other is told", results(workers))
        mended(mp, barrier, "timeout")
    workers = [Worker(mp, barrier.wait, *args) for args in ((0.3,), ())]
    say("both are told when the first runs out", results(workers), *state(barrier))

    barrier = mp.Barrier(2, timeout=MOMENT)
    say("a barrier with a timeout", timed(barrier.wait, least=MOMENT), *state(barrier))
    barrier = mp.Barrier(2, timeout=MOMENT / 10)
    worker = waiting(mp, barrier, 1, PATIENCE)
    say("a wait that says another", barrier.wait(PATIENCE), results(worker), *state(barrier))


def actions(mp):
    runs, runner = python.Value("i", 0), python.Value("i", 0)

    def action():
        runs.value += 1
        runner.value = python.current_process().pid
        if runs.value == 3:
            raise ZeroDivisionError

    barrier = mp.Barrier(3, action)

    def wait():
        return barrier.wait(), runs.value

    for _ in range(2):
        workers = []
        for n in range(3):
            workers.append(Worker(mp, wait))
            until(lambda n=n: barrier.n_waiting == n + 1 or n == 2)
        say("all know that it ran", results(workers))
        say("the last ran it", [worker.process.pid == runner.value for worker in workers])
    workers = waiting(mp, barrier, 2)
    tell("it fails", barrier.wait)
    say("all are told", results(workers), *state(barrier))
    mended(mp, barrier, "action")
    say("it ran", runs.value)
    barrier = mp.Barrier(2, action=action)
    tell("abort runs none", barrier.abort)
    say("it ran", runs.value)


def program(mp):
    rounds(mp)
    breaks(mp)
    actions(mp)
