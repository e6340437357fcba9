# SPDX-License-Identifier: MIT
"""
What the programs of the objects have in common: how they tell what they see, and how they use other processes.

 1. Only the first process prints; what others find out comes back as their result. So a transcript has one order.
 2. The wires between these processes are always Python's own: never the objects that are looked at.
"""
import multiprocessing
import pathlib
import sys
import time

PATIENCE = 30  # seconds after which what must happen has not happened
MOMENT = 0.05  # seconds; a wait that is to run out

python = multiprocessing.get_context("fork")


def outcome(call, *args, **kwargs):
    """What a call returned, or the class of what it raised; all of that goes to stderr."""
    try:
        return repr(call(*args, **kwargs))
    except Exception as error:
        print(f"{getattr(call, '__qualname__', call)}: {error!r}", file=sys.stderr)
        return type(error).__name__


def say(what, *seen):
    print(f"{what}:", *seen)


def tell(what, call, *args, **kwargs):
    say(what, outcome(call, *args, **kwargs))


def timed(call, *args, least=0, **kwargs):
    """The outcome of a call, and whether it took what it was to take: an instant, or at least so many seconds."""
    begin = time.monotonic()
    seen = outcome(call, *args, **kwargs)
    passed = time.monotonic() - begin
    if least:
        return f"{seen}, {'in time' if passed > least - 0.01 else 'too early'}"
    return f"{seen}, {'at once' if passed < PATIENCE / 3 else 'late'}"


def until(check):
    """Returns when check() is true; for what no event tells."""
    end = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"did not come true: {check}")
        time.sleep(0.002)


class Worker:
    """A process that makes one call. Its outcome is the result."""

    def __init__(self, mp, call, *args, **kwargs):
        self._result, there = python.Pipe(duplex=False)
        self._begun = python.Event()
        self.process = mp.Process(target=self._work, args=(there, call, args, kwargs), daemon=True)
        self.process.start()
        there.close()

    def _work(self, there, call, args, kwargs):
        self._result.close()
        self._begun.set()
        there.send(outcome(call, *args, **kwargs))

    def parked(self):
        """Returns when the process sleeps: in its call, as it seems. Only what a transcript is worth depends on it."""
        self._begun.wait(PATIENCE)
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S")
        return self

    def killed(self):
        """What is left of a process after SIGKILL."""
        self.process.kill()
        return self.result(), self.process.exitcode

    def ready(self):
        """Whether the call has ended."""
        return self._result.poll()

    def result(self):
        if not self._result.poll(PATIENCE):
            return "still waiting"
        try:
            return self._result.recv()
        except EOFError:
            return "died"
        finally:
            self.process.join(PATIENCE)


def elsewhere(mp, call, *args, **kwargs):
    """The outcome of a call in another process."""
    return Worker(mp, call, *args, **kwargs).result()


def all_of(mp, times, call, *args):
    """The outcomes of a call in so many processes at once, sorted."""
    return sorted(worker.result() for worker in [Worker(mp, call, *args) for _ in range(times)])
