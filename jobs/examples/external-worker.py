#!/usr/bin/env python3
"""A worker for jobs of the kernel `shout`, in Python: the Majordomo worker protocol (ZeroMQ RFC 7).

    pip install pyzmq
    jobs/examples/external-worker.py tcp://127.0.0.1:5556

in the settings of the runner:

    worker_listen: ['tcp://127.0.0.1:5556']
    external_kernels: [shout]
"""
import json
import sys
import time

import zmq

READY, REQUEST, REPLY, HEARTBEAT, DISCONNECT, FAILURE = (bytes([n]) for n in range(1, 7))
BEAT, LIVENESS = 2.5, 3  # Seconds between two heartbeats; how many may be missing.


def shout(text: str) -> dict:
    return {"text": text.upper() + "!"}


def attach(endpoint: str) -> zmq.Socket:
    worker = zmq.Context.instance().socket(zmq.DEALER)
    worker.linger = 1000
    worker.connect(endpoint)
    worker.send_multipart([b"", b"MDPW01", READY, b"shout"])
    return worker


def work(endpoint: str) -> None:
    worker, heard, told = attach(endpoint), time.monotonic(), time.monotonic()
    while True:
        if worker.poll(1000 * BEAT):
            _, _, command, *rest = worker.recv_multipart()
            if command == REQUEST:
                address, _, body, *frames = rest  # The job's input, then its binary frames.
                try:
                    answer = [REPLY, address, b"", json.dumps(shout(**json.loads(body))).encode()]
                except (TypeError, ValueError) as error:  # Not to be tried again.
                    answer = [FAILURE, address, b"", str(error).encode(), b"permanent"]
                worker.send_multipart([b"", b"MDPW01", *answer])
            heard = time.monotonic()
        else:
            command = None
        now = time.monotonic()
        if command == DISCONNECT or now - heard > BEAT * LIVENESS:  # Begin anew.
            worker.close()
            worker, heard = attach(endpoint), now
        elif now - told > BEAT:
            worker.send_multipart([b"", b"MDPW01", HEARTBEAT])
            told = now


if __name__ == "__main__":
    work(sys.argv[1])
