# SPDX-License-Identifier: MIT
from multiprocessing import JoinableQueue, Process, SimpleQueue


def producer(number):
    for n in (1, 2, 3):
        buns.put(f"bun {n} of baker {number}")


def consumer():
    while True:
        eaten.put(buns.get())
        buns.task_done()


buns, eaten = JoinableQueue(), SimpleQueue()
for _ in range(2):
    Process(target=consumer, daemon=True).start()
producers = [Process(target=producer, args=(n,)) for n in (1, 2, 3)]
for process in producers:
    process.start()
for process in producers:
    process.join()
buns.join()
lines = []
while not eaten.empty():
    lines.append(eaten.get())
print(*sorted(lines), sep="\n")
