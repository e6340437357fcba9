# SPDX-License-Identifier: MIT
"""Event: sticky, for all."""
from transcript import MOMENT, PATIENCE, Worker, elsewhere, python, say, tell, timed


def program(mp):
    event = mp.Event()
    tell("is set", event.is_set)
    say("wait for 0 s", timed(event.wait, 0))
    say("wait for less than nothing", timed(event.wait, -1))
    say("wait a moment", timed(event.wait, MOMENT, least=MOMENT))
    say("elsewhere a moment", elsewhere(mp, timed, event.wait, timeout=MOMENT, least=MOMENT))
    tell("clear what is clear", event.clear)

    waiters = [Worker(mp, event.wait, *args).parked() for args in ((), (PATIENCE,), (), (1e6,))]
    say("they wait", [waiter.ready() for waiter in waiters])
    tell("set", event.set)
    say("all go on", [waiter.result() for waiter in waiters])
    tell("set again", event.set)
    for args in ((), (0,), (-1,), (MOMENT,)):
        tell(f"wait {args}", event.wait, *args)
    say("elsewhere", elsewhere(mp, event.is_set), elsewhere(mp, event.wait), elsewhere(mp, event.clear))
    tell("is set", event.is_set)
    say("wait for 0 s", timed(event.wait, 0))

    waiter = Worker(mp, event.wait, PATIENCE).parked()
    say("set elsewhere", elsewhere(mp, event.set))
    say("the waiter", waiter.result())
    tell("who set it has ended", event.is_set)

    event.clear()
    there, back = mp.Event(), mp.Event()

    def answer():
        for _ in range(20):
            there.wait()
            there.clear()
            back.set()

    other, rounds = Worker(mp, answer), python.Value("i", 0)
    for _ in range(20):
        there.set()
        rounds.value += back.wait(PATIENCE)
        back.clear()
    say("to and fro", rounds.value, other.result())
