# SPDX-License-Identifier: MIT
import signal
import sys
import time
from multiprocessing import Event, Process


def deaf(ready):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    time.sleep(1000)


p = Process(target=time.sleep, args=(1000,))
p.start()
p.terminate()
p.join()
print("terminate", p.exitcode)

p = Process(target=time.sleep, args=(1000,))
p.start()
p.kill()
p.join()
print("kill", p.exitcode)

ready = Event()
p = Process(target=deaf, args=(ready,))
p.start()
ready.wait()
p.terminate()
p.join(0.2)
print("deaf to terminate", p.is_alive(), p.exitcode)
try:
    p.close()
    print("close accepted")
except ValueError:
    print("close refused")
p.kill()
p.join()
print("deaf to kill", p.is_alive(), p.exitcode)
try:
    p.close()
    print("close accepted")
except ValueError:
    print("close refused")

p = Process(target=sys.exit, args=(3,))
p.start()
p.join()
p.terminate()
p.kill()
print("of the ended", p.exitcode)
