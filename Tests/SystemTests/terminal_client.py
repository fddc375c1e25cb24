"""Somebody at a terminal: `terminal_client.py COLUMNS ROWS SCRIPT PROGRAM ARGUMENT...`.

SCRIPT is a JSON list of steps: a text that must be seen on the screen, or `{"press": KEYS}`, or
`{"signal": NUMBER}`. When the program has ended, its exit code, all that it has drawn, and whether
the terminal is as it was are printed as JSON."""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE = 60

columns, rows, script, *command = sys.argv[1:]
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
before = termios.tcgetattr(theirs)
child = os.fork()
if child == 0:
    os.close(ours)
    os.setsid()
    for descriptor in (0, 1, 2):
        os.dup2(theirs, descriptor)
    os.execv(command[0], command)

drawn = b""


def read(seconds):
    global drawn
    if select.select([ours], [], [], seconds)[0]:
        try:
            drawn += os.read(ours, 65536)
        except OSError:
            pass


seen = 0
for step in json.loads(script):
    if isinstance(step, str):
        end = time.monotonic() + PATIENCE
        while step.encode() not in drawn[seen:]:
            assert time.monotonic() < end, (step, drawn[seen:].decode(errors="replace"))
            read(0.1)
        seen = drawn.index(step.encode(), seen) + len(step.encode())
    elif "press" in step:
        os.write(ours, step["press"].encode())
    else:
        os.kill(child, step["signal"])

end = time.monotonic() + PATIENCE
while True:
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
    assert time.monotonic() < end, drawn.decode(errors="replace")
    read(0.05)
read(0)
print(
    json.dumps(
        {
            "code": os.waitstatus_to_exitcode(status),
            "drawn": drawn.decode(errors="replace"),
            "restored": termios.tcgetattr(theirs) == before,
        }
    )
)
