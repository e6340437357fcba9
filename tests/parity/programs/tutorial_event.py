# SPDX-License-Identifier: MIT
from multiprocessing import Event, Process


def runner():
    start.wait()
    print("runs", flush=True)


start = Event()
runners = [Process(target=runner) for _ in range(3)]
for process in runners:
    process.start()
if not start.wait(0.2):
    print("on your marks", flush=True)
print("go", flush=True)
start.set()
for process in runners:
    process.join()
