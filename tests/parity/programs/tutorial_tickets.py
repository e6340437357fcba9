# SPDX-License-Identifier: MIT
import pathlib
import sys
import time
from collections import Counter
from multiprocessing import Lock, Process, SimpleQueue

LEFT = pathlib.Path(sys.argv[1]) / "left"


def buy(say):
    left = int(LEFT.read_text() or 0)
    if left > 0:
        time.sleep(0.3)
        LEFT.write_text(str(left - 1))
        say.put("has a ticket")
    else:
        say.put("comes too late")


def careful_buyer(say, lock):
    say.put("looks")
    with lock:
        buy(say)


def hasty_buyer(say):
    say.put("looks")
    buy(say)


def counted(say):
    lines = []
    while not say.empty():
        lines.append(say.get())
    return sorted(Counter(lines).items())


def show(say):
    for line, n in counted(say):
        print(f"{n:7} {line}")


lines = SimpleQueue()
print("with a lock:")
LEFT.write_text("1")
counter = Lock()
buyers = [Process(target=careful_buyer, args=(lines, counter)) for _ in range(10)]
for buyer in buyers:
    buyer.start()
for buyer in buyers:
    buyer.join()
show(lines)

print("without:")
LEFT.write_text("1")
buyers = [Process(target=hasty_buyer, args=(lines,)) for _ in range(10)]
for buyer in buyers:
    buyer.start()
for buyer in buyers:
    buyer.join()
if dict(counted(lines))["has a ticket"] > 1:
    print("sold too often")

print("one after the other:")
LEFT.write_text("1")
for _ in range(10):
    buyer = Process(target=hasty_buyer, args=(lines,))
    buyer.start()
    buyer.join()
show(lines)
