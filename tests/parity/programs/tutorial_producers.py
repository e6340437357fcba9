# SPDX-License-Identifier: MIT
from multiprocessing import Process, Queue, SimpleQueue


def producer(number):
    for n in (1, 2, 3):
        buns.put(f"bun {n} of baker {number}")


def consumer():
    while (bun := buns.get()) != "end":
        said.put(f"ate {bun}")
    said.put("has had enough")


buns, said = Queue(2), SimpleQueue()
consumers = [Process(target=consumer) for _ in range(2)]
producers = [Process(target=producer, args=(n,)) for n in (1, 2, 3)]
for process in consumers + producers:
    process.start()
for process in producers:
    process.join()
for _ in consumers:
    buns.put("end")
for process in consumers:
    process.join()
lines = []
while not said.empty():
    lines.append(said.get())
print(*sorted(lines), sep="\n")
