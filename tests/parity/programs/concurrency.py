# SPDX-License-Identifier: MIT
import time
from multiprocessing import Process

COUNT, SECONDS = 5, 0.4


def make():
    return Process(target=time.sleep, args=(SECONDS,))


begin = time.monotonic()
for _ in range(COUNT):
    p = make()
    p.start()
    p.join()
serial = time.monotonic() - begin

begin = time.monotonic()
many = [make() for _ in range(COUNT)]
for p in many:
    p.start()
for p in many:
    p.join()
concurrent = time.monotonic() - begin

print("exitcodes", *(p.exitcode for p in many))
print("ratio", f"{serial / concurrent:.2f}")
