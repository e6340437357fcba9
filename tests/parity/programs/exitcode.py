# SPDX-License-Identifier: MIT
import os
import sys
from multiprocessing import Process

for code in (0, 1, 7, 127, 255):
    p = Process(target=sys.exit, args=(code,), name=f"code{code}")
    p.start()
    p.join()
    print(p.name, "exitcode", p.exitcode, "alive", p.is_alive())
for sig in (1, 9, 10, 15):
    p = Process(target=lambda: os.kill(os.getpid(), sig), name=f"signal{sig}")
    p.start()
    p.join()
    print(p.name, "exitcode", p.exitcode, "alive", p.is_alive())
