# SPDX-License-Identifier: MIT
"""A daemonic child ends with its parent, and may have no children."""
import os
import sys
import time
from multiprocessing import Event, Process

folder = sys.argv[1]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def tied(ready):
    try:
        Process(target=time.sleep, args=(0,)).start()
        message = "none"
    except AssertionError as error:
        message = error
    with open(f"{folder}/tied", "w") as f:
        print(os.getpid(), message, file=f)
    ready.set()
    time.sleep(1000)


def parent():
    ready = Event()
    p = Process(target=tied, args=(ready,), daemon=True, name="tied")
    p.start()
    print("daemon", p.daemon, flush=True)
    ready.wait()
    print("alive while the parent is", p.is_alive(), flush=True)
    sys.exit(4)


p = Process(target=parent, name="parent")
p.start()
p.join()
with open(f"{folder}/tied") as f:
    pid, message = f.read().strip().split(" ", 1)
print("exitcode of the parent", p.exitcode)
print("message", message)
print("alive when the parent has ended", alive(pid))
