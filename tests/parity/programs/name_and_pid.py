# SPDX-License-Identifier: MIT
import os
import sys
from multiprocessing import Process

folder = sys.argv[1]


def tell(path):
    with open(path, "w") as f:
        f.write(str(os.getpid()))


for name in (None, None, "worker", None):
    p = Process(target=tell, args=(f"{folder}/pid",), name=name)
    p.start()
    p.join()
    with open(f"{folder}/pid") as f:
        told = int(f.read())
    print("name", p.name, "pid is the child's own", p.pid == told, "pid after the end stays", p.pid is not None)
