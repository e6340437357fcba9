# SPDX-License-Identifier: MIT
from multiprocessing import Pipe, Process


def child():
    here.close()
    total = 0
    try:
        while True:
            n = there.recv()
            print("child got", n, flush=True)
            total += n
            there.send({"sum": total})
    except EOFError:
        print("child is at the end")


here, there = Pipe()
process = Process(target=child)
process.start()
there.close()
for number in (1, 20, 300):
    here.send(number)
    answer = here.recv()
print("parent got", str(answer).replace("'", '"'), flush=True)
here.close()
process.join()
