"""Clients of Majordomo (ZeroMQ RFC 7), of its management interface (RFC 8) and of Titanic (RFC 9),
written from these three documents alone: they know nothing else of who answers."""

import json
import random
import sys
import time

import zmq

CONTEXT = zmq.Context()
CLIENT = b"MDPC01"
ANY_BYTES = [b"Hello world", b"", b"\x00\xff\x80", b'{"a": 1}', b" [1, 2]\n", b'{"$frame": 1}', b"7"]


class Synchronous:
    """A REQ socket. Without a reply in time it is closed, and the request sent again on a new one."""

    def __init__(self, endpoint, patience_ms=60_000, tries=1):
        self.endpoint, self.patience_ms, self.tries = endpoint, patience_ms, tries
        self.sent = 0
        self.connect()

    def connect(self):
        self.socket = CONTEXT.socket(zmq.REQ)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(self.endpoint)

    def ask(self, service, *body):
        for _ in range(self.tries):
            self.socket.send_multipart([CLIENT, service, *body])
            self.sent += 1
            if self.socket.poll(self.patience_ms):
                protocol, name, *reply = self.socket.recv_multipart()
                assert (protocol, name) == (CLIENT, service), (protocol, name)
                assert reply, "a reply has a body"
                return reply
            self.socket.close()
            self.connect()
        raise AssertionError(f"no reply to {service!r}")


class Asynchronous:
    """A DEALER socket, which makes the empty frame itself."""

    def __init__(self, endpoint):
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.connect(endpoint)

    def send(self, service, *body):
        self.socket.send_multipart([b"", CLIENT, service, *body])

    def receive(self):
        empty, protocol, service, *reply = self.socket.recv_multipart()
        assert (empty, protocol) == (b"", CLIENT), (empty, protocol)
        assert reply, "a reply has a body"
        return service, reply


def calls(endpoint):
    """Services by their names, over both kinds of socket."""
    client = Synchronous(endpoint)
    for name, code in [(b"echo", b"200"), (b"titanic.reply", b"200"), (b"nobody", b"404")]:
        assert client.ask(b"mmi.service", name) == [code], name
    assert client.ask(b"mmi.weather", b"tomorrow") == [b"501"]

    # Frames come back as they were sent, with their boundaries.
    for frame in ANY_BYTES:
        assert client.ask(b"echo", frame) == [frame], frame
    assert client.ask(b"echo", *ANY_BYTES) == ANY_BYTES
    assert client.ask(b"echo") == [b""], "no body is an empty frame"
    large = bytes(range(256)) * 8_192
    assert client.ask(b"echo", large, b"", large) == [large, b"", large]
    assert json.loads(client.ask(b"sum", b'{"numbers": [1, 2.5]}')[0]) == {"sum": 3.5, "count": 2}

    # A worker's failure has no form in RFC 7: three digits, and why.
    code, why = client.ask(b"sum", b"Hello world")
    assert code == b"500" and json.loads(why)["error"]["code"] == "kernel_error", (code, why)
    code, why = client.ask(b"nobody", b"Hello world")
    assert code == b"404" and json.loads(why)["error"]["code"] == "unknown_service", (code, why)

    dealer = Asynchronous(endpoint)
    wanted = {str(n).encode() for n in range(500)}
    for n in wanted:
        dealer.send(b"echo", n, b"")
    for _ in range(500):
        service, (n, empty) = dealer.receive()
        assert service == b"echo" and empty == b""
        wanted.remove(n)
    for _ in range(2_000):
        dealer.send(b"echo", b"the same")
    for _ in range(2_000):
        assert dealer.receive() == (b"echo", [b"the same"])
    print(json.dumps("done"))


def resends(endpoint):
    """What takes longer than the client's patience, sent again and again."""
    client = Synchronous(endpoint, patience_ms=300, tries=200)
    assert json.loads(client.ask(b"sleep", b'{"ms": 1500}')[0]) == {"slept_ms": 1500}
    print(json.dumps(client.sent))


def store(endpoint, path, quick, slow):
    """Stores requests with Titanic, and does not wait for any reply."""
    client = Synchronous(endpoint)
    stored = []
    for n in range(slow):
        stored.append((client.ask(b"titanic.request", b"sleep", b'{"ms": 400}'), [b'{"slept_ms":400}']))
    for n in range(quick):
        frames = [str(n).encode(), ANY_BYTES[n % len(ANY_BYTES)]][: n % 2 + 1]
        stored.append((client.ask(b"titanic.request", b"echo", *frames), frames))
    for (status, uuid), _ in stored:
        assert status == b"200", status
        assert len(uuid) == 32 and all(digit in b"0123456789abcdefABCDEF" for digit in uuid), uuid
    ids = {uuid.decode(): [frame.hex() for frame in frames] for (_, uuid), frames in stored}
    assert len(ids) == quick + slow, "an id was given twice"
    with open(path, "w") as file:
        json.dump(ids, file)
    open_requests = sum(client.ask(b"titanic.reply", uuid.encode()) == [b"300"] for uuid in ids)
    print(json.dumps(open_requests > 0))


def collect(endpoint, path):
    """Every reply by its id, twice, until it is closed."""
    client = Synchronous(endpoint)
    with open(path) as file:
        ids = {uuid.encode(): [bytes.fromhex(frame) for frame in frames]
               for uuid, frames in json.load(file).items()}
    deadline = time.monotonic() + 120
    for uuid, frames in ids.items():
        while (reply := client.ask(b"titanic.reply", uuid)) == [b"300"]:
            assert time.monotonic() < deadline, "a request is not carried out"
        assert reply == [b"200", *frames], (reply, frames)
    for uuid, frames in ids.items():
        assert client.ask(b"titanic.reply", uuid) == [b"200", *frames], "a reply is not deleted"
    for uuid in ids:
        for _ in range(2):
            assert client.ask(b"titanic.close", uuid) == [b"200"]
        assert client.ask(b"titanic.reply", uuid)[0] == b"400"
    # What fails, and what nobody knows.
    status, uuid = client.ask(b"titanic.request", b"sum", b"Hello world")
    assert status == b"200"
    while (reply := client.ask(b"titanic.reply", uuid)) == [b"300"]:
        assert time.monotonic() < deadline
    assert reply[0] == b"500", reply
    for wrong in [b"", b"0" * 32, uuid[::-1], uuid[:-1], uuid + b"0", b"\xff" * 32]:
        assert client.ask(b"titanic.reply", wrong)[0] == b"400", wrong
        assert client.ask(b"titanic.close", wrong) == [b"200"], wrong
    assert client.ask(b"titanic.request", b"nobody", b"")[0] == b"400"
    print(json.dumps(len(ids)))


def junk(endpoint, seed, count):
    """What nobody should send. Whoever keeps to the protocol is answered all the while."""
    chance = random.Random(seed)
    dealer, client = Asynchronous(endpoint), Synchronous(endpoint)
    services = [b"echo", b"sum", b"sleep", b"digest", b"mmi.service", b"mmi.", b"titanic.request",
                b"titanic.reply", b"titanic.close", b"titanic.", b"", b"\xff\xfe", b"echo\x00", b"x" * 300]
    bodies = [*ANY_BYTES, b"echo", b"0" * 32, b"f" * 32, b"\xf0\x28\x8c\x28", b"{" * 2_000, b"[" * 70,
              b"z" * 40_000, b'{"ms": 1}', b'{"numbers": [1e999]}', b'{"$frame": 2}']

    def frames():
        body = [chance.choice(bodies) for _ in range(chance.choice([0, 0, 1, 1, 2, 3, 12, 20]))]
        message = [b"", CLIENT, chance.choice(services), *body]
        match chance.randrange(6):
            case 0: del message[chance.randrange(len(message))]
            case 1: message.insert(chance.randrange(len(message)), b"")
            case 2: message[1] = chance.choice([b"MDPC02", b"MDPW01", b"MDP", b"", chance.randbytes(6)])
            case 3: message = [chance.randbytes(chance.randrange(9)) for _ in range(chance.randrange(1, 6))]
            case 4: message[-1] = chance.randbytes(chance.randrange(60))
        return message

    # A worker's commands, which have no business here.
    for command in [b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"]:
        dealer.socket.send_multipart([b"", b"MDPW01", command, b"echo", b"", b"body"])
    answers = 0
    for n in range(count):
        dealer.socket.send_multipart(frames())
        while dealer.socket.poll(0):
            check(dealer.receive())
            answers += 1
        if n % 200 == 0:
            assert client.ask(b"echo", b"%d" % n) == [b"%d" % n]
    assert client.ask(b"mmi.service", b"echo") == [b"200"]
    assert client.ask(b"echo", b"the end") == [b"the end"]
    print(json.dumps(answers > count // 10))


def check(answer):
    """Titanic and the management interface have a few codes and no others."""
    service, (status, *rest) = answer
    if service.startswith(b"titanic."):
        assert status in {b"200", b"300", b"400", b"500"}, answer
    if service == b"titanic.close":
        assert not rest, answer
    if service.startswith(b"mmi."):
        assert status in {b"200", b"404", b"501", b"400", b"413"} and not rest, answer


if __name__ == "__main__":
    mode, endpoint, *rest = sys.argv[1:]
    numbers = [int(word) if word.isdigit() else word for word in rest]
    {"calls": calls, "resends": resends, "store": store, "collect": collect,
     "junk": junk}[mode](endpoint, *numbers)
