# SPDX-License-Identifier: MIT
from multiprocessing import Condition, Process, Value


def customer():
    with change:
        change.wait_for(lambda: stock.value >= 2)
        stock.value -= 2
        print("takes two", flush=True)


def supplier():
    for _ in range(3):
        with change:
            stock.value += 1
            change.notify_all()


change, stock = Condition(), Value("i", 0)
processes = [Process(target=customer), Process(target=supplier)]
for process in processes:
    process.start()
for process in processes:
    process.join()
print("at the end there is", stock.value)
