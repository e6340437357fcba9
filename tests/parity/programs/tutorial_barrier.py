# SPDX-License-Identifier: MIT
import time
from multiprocessing import Barrier, Process


def guest(name, seconds, gate):
    time.sleep(seconds)
    print(name, "comes", flush=True)
    if gate:
        gate.wait()
    print("one leaves", flush=True)


for title, barrier in (("with a barrier:", Barrier(2)), ("without:", None)):
    print(title, flush=True)
    guests = [Process(target=guest, args=("quick", 0, barrier)), Process(target=guest, args=("slow", 0.4, barrier))]
    for process in guests:
        process.start()
    for process in guests:
        process.join()
