# SPDX-License-Identifier: MIT
import time
from multiprocessing import Process

p = Process(target=time.sleep, args=(1000,))
p.start()
print("alive", p.is_alive(), "exitcode", p.exitcode)
begin = time.monotonic()
p.join(0.2)
took = time.monotonic() - begin
print("waited", 0.2 <= took < 5)
print("alive", p.is_alive(), "exitcode", p.exitcode)
p.join(0)
print("alive", p.is_alive(), "exitcode", p.exitcode)
p.terminate()
p.join(20)
print("alive", p.is_alive(), "exitcode", p.exitcode)
p.join()
p.join(1)
print("alive", p.is_alive(), "exitcode", p.exitcode)
