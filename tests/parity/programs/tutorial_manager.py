# SPDX-License-Identifier: MIT
from multiprocessing import Manager, Process


def child():
    d["one"] = 1
    d["two"] = 2
    d.pop("gone")
    l.reverse()
    l.append(10)
    n.x = 7


with Manager() as manager:
    d, l, n = manager.dict(gone="soon"), manager.list(range(4)), manager.Namespace(x=5)
    process = Process(target=child)
    process.start()
    process.join()
    for key, value in d.items():
        print(f"{key}\t{value}")
    print(*l, sep="\n")
    print("x is", n.x)
