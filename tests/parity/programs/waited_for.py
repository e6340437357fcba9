# SPDX-License-Identifier: MIT
"""A program ends when its children that are not daemonic have."""
import subprocess
import sys

folder = sys.argv[1]
PROGRAM = """
import sys, time
from multiprocessing import Process

def say(what):
    with open(sys.argv[1], "a") as f:
        f.write(what + "\\n")

def child():
    time.sleep(0.4)
    say("the child is done")

Process(target=child).start()
say("the main program is done")
sys.exit(5)
"""
done = subprocess.run([sys.executable, "-c", PROGRAM, f"{folder}/said"], check=False)
with open(f"{folder}/said", "a") as f:
    f.write(f"all is over with {done.returncode}\n")
with open(f"{folder}/said") as f:
    print(f.read(), end="")
