# SPDX-License-Identifier: MIT
from multiprocessing import Array, Process, Value


def child():
    num.value = 3.1415927
    for i in range(len(arr)):
        arr[i] = -arr[i]


num, arr = Value("d", 0.0), Array("i", range(10))
process = Process(target=child)
process.start()
process.join()
print(num.value)
print(*arr[:], sep="\n")
