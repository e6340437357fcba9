# SPDX-License-Identifier: MIT
from multiprocessing import Manager, Process


def worker(i):
    squares[str(i)] = i * i
    with lock:
        count["workers"] = count.get("workers", 0) + 1


with Manager() as manager:
    squares, count, lock = manager.dict(), manager.dict(), manager.Lock()
    workers = [Process(target=worker, args=(i,)) for i in range(10)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    for key, value in sorted(squares.items()):
        print(f"{key}\t{value}")
    print("by", count["workers"], "workers")
