"""A worker that takes one job, says so, and never ends it."""
import sys
import time

import zmq

worker = zmq.Context().socket(zmq.DEALER)
worker.connect(sys.argv[1])
worker.send_multipart([b"", b"MDPW01", b"\x01", b"shout"])
while worker.recv_multipart()[2] != b"\x02":
    worker.send_multipart([b"", b"MDPW01", b"\x04"])
print("busy", flush=True)
time.sleep(3600)
