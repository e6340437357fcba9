# SPDX-License-Identifier: MIT
import queue
from multiprocessing import Process, Queue

buns = Queue(3)
for bun in (1, 2, 3):
    buns.put(bun)
if buns.full():
    print("full")
try:
    buns.put_nowait(4)
except queue.Full:
    print("no place for 4")
try:
    buns.put(4, timeout=0.1)
except queue.Full:
    print("still no place")
late = Process(target=buns.put, args=(5,))
late.start()
print("got", buns.get())
late.join()
for _ in range(3):
    print("got", buns.get())
if buns.empty():
    print("empty")
try:
    buns.get_nowait()
except queue.Empty:
    print("nothing there")
