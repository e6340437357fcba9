# SPDX-License-Identifier: MIT
import time
from multiprocessing import Process, active_children


def names():
    return " ".join(sorted(p.name for p in active_children()))


print("none:", names())
made = {name: Process(target=time.sleep, args=(1000,), name=name) for name in ("carol", "alice", "bob")}
for p in made.values():
    p.start()
print("all:", names())
made["bob"].kill()
made["bob"].join()
print("without bob:", names())
for p in active_children():
    p.terminate()
    p.join()
print("none again:", names())
