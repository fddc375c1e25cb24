"""A client that shares no line with the runner: pyzmq and the standard library."""

import json
import sys
import time

import zmq

CONTEXT = zmq.Context()


def ten_lines(endpoint):
    """The client of the protocol's page, as it stands there."""
    s = CONTEXT.socket(zmq.REQ); s.connect(endpoint)
    s.send_multipart([b"MDPC01", b"job.submit", json.dumps({"kind": "sql", "sql": "select 6*7 as answer", "wait_ms": 5000}).encode()])
    _, _, status, head, *result = s.recv_multipart()
    print(json.dumps([status.decode(), json.loads(head)["state"], json.loads(result[0])]))


def keys(endpoint, server_key, key_file):
    """Who comes in with these keys, with wrong ones, and with none: what each was answered."""
    with open(key_file, "rb") as file:
        secret = file.read().strip()
    server = server_key.encode()
    stranger_public, stranger = zmq.curve_keypair()

    def answer(pair, expected):
        socket = CONTEXT.socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        if pair:
            socket.curve_publickey, socket.curve_secretkey = pair
            socket.curve_serverkey = expected
        socket.connect(endpoint)
        socket.send_multipart([b"MDPC01", b"job.submit", b'{"sql": "select 6*7", "wait_ms": 5000}'])
        right = pair == own and expected == server
        if not socket.poll(60_000 if right else 1_000):
            return None
        return socket.recv_multipart()[2].decode()

    own = (zmq.curve_public(secret), secret)
    wrong = [answer((stranger_public, stranger), server), answer(own, stranger_public),
             answer(None, None)]
    print(json.dumps([answer(own, server), wrong, answer(own, server)]))


class Client:
    """A DEALER that may have many requests under way."""

    def __init__(self, endpoint):
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.connect(endpoint)

    def send(self, service, body):
        self.socket.send_multipart([b"", b"MDPC01", service, json.dumps(body).encode()])

    def receive(self):
        empty, protocol, service, status, head, *frames = self.socket.recv_multipart()
        assert (empty, protocol) == (b"", b"MDPC01"), (empty, protocol)
        return status.decode(), json.loads(head), frames

    def ask(self, service, body):
        self.send(service, body)
        return self.receive()


def job(n):
    """Job number n, and what it must give."""
    return {"kernel": "sum", "input": {"numbers": [n, 0.5]}, "key": f"foreign-{n}"}


def expected(n):
    return {"sum": n + 0.5, "count": 2}


def submit_single(client, count, window=256):
    """One job a message, `window` of them unanswered at a time; ids by number."""
    ids, sent = {}, 0
    while len(ids) < count:
        while sent < count and sent - len(ids) < window:
            client.send(b"job.submit", {**job(sent), "request": str(sent)})
            sent += 1
        status, head, _ = client.receive()
        assert status == "200", head
        ids[int(head["request"])] = head["id"]
    return ids


def submit_batches(client, first, batches, size):
    ids = {}
    for batch in range(batches):
        numbers = range(first + batch * size, first + (batch + 1) * size)
        status, head, _ = client.ask(b"job.submit", {"jobs": [job(n) for n in numbers]})
        assert status == "200", head
        assert len(head["ids"]) == size
        ids.update(zip(numbers, head["ids"]))
    return ids


def wait_for_all(client, ids):
    wanted = sorted(ids.values())
    for start in range(0, len(wanted), 1_000):
        part = wanted[start:start + 1_000]
        deadline = time.monotonic() + 120
        while client.ask(b"job.wait", {"ids": part, "wait_ms": 20_000})[0] != "200":
            assert time.monotonic() < deadline, "the jobs do not end"


def check_results(client, ids, window=256):
    """Every result by its id, pipelined."""
    open_requests, rest = 0, iter(ids.items())
    by_id = {id: n for n, id in ids.items()}
    checked = 0
    while checked < len(ids):
        for n, id in rest:
            client.send(b"job.result", {"id": id, "request": str(id)})
            open_requests += 1
            if open_requests == window:
                break
        status, head, frames = client.receive()
        open_requests -= 1
        assert status == "200" and head["state"] == "succeeded", (status, head)
        assert head["id"] == int(head["request"]), head
        assert json.loads(frames[0]) == expected(by_id[head["id"]]), (head, frames)
        checked += 1


def main(mode, endpoint, path, singles, batches, size):
    if mode == "ten-lines":
        return ten_lines(endpoint)
    client = Client(endpoint)
    if mode == "submit":
        ids = submit_single(client, singles)
        ids.update(submit_batches(client, singles, batches, size))
        assert len(set(ids.values())) == singles + batches * size, "an id was given twice"
        with open(path, "w") as file:
            json.dump(ids, file)
    else:
        with open(path) as file:
            ids = {int(n): id for n, id in json.load(file).items()}
        # A resend under the same key is the same job.
        status, head, _ = client.ask(b"job.submit", job(0))
        assert status == "200" and head["id"] == ids[0] and not head["created"], head
    wait_for_all(client, ids)
    check_results(client, ids)
    print(json.dumps({"jobs": len(ids)}))


if __name__ == "__main__":
    mode, endpoint, *rest = sys.argv[1:]
    if mode == "keys":
        keys(endpoint, *rest)
        sys.exit()
    path, singles, batches, size = rest if rest else ("", 0, 0, 0)
    main(mode, endpoint, path, int(singles), int(batches), int(size))
