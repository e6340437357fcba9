# SPDX-License-Identifier: MIT
import time
from multiprocessing import Process, Semaphore, SimpleQueue, Value


def work():
    with desk:
        with working.get_lock():
            working.value += 1
            said.put(f"{working.value} at work")
        time.sleep(0.2)
        with working.get_lock():
            working.value -= 1


desk, working, said = Semaphore(2), Value("i"), SimpleQueue()
workers = [Process(target=work) for _ in range(6)]
for process in workers:
    process.start()
for process in workers:
    process.join()
lines = []
while not said.empty():
    lines.append(said.get())
print(max(lines))
print(desk.get_value())
