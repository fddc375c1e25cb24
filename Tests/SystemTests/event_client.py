"""A subscriber to events that knows nothing but the protocol: `event_client.py ENDPOINT`.

It has jobs come to each end, and looks at each job as soon as it hears of it."""

import json
import sys
import time

import zmq

PATIENCE_MS = 60_000
context = zmq.Context()
asking = context.socket(zmq.REQ)
asking.connect(sys.argv[1])


def ask(service, **body):
    asking.send_multipart([b"MDPC01", service.encode(), json.dumps(body).encode()])
    assert asking.poll(PATIENCE_MS), service
    _, _, status, head, *_ = asking.recv_multipart()
    assert status == b"200", (service, head)
    return json.loads(head)


info = ask("sys.info")
listening = context.socket(zmq.SUB)
listening.connect(info["events"][0])
listening.subscribe(b"")
while ask("sys.stats")["events"]["subscriptions"] < 1:
    time.sleep(0.01)

good = ask("job.submit", sql="select 1")["id"]
bad = ask("job.submit", sql="selec 1")["id"]
long = ask("job.submit", kernel="sleep", input={"ms": 600_000}, queue="mail")["id"]

heard, numbers, asked = [], [], []
ends = {"succeeded", "failed", "cancelled"}
while len(asked) < 3:
    assert listening.poll(PATIENCE_MS), heard
    topic, body = listening.recv_multipart()
    event = json.loads(body)
    assert event["run"] == info["run"] and event["at"] > 1_700_000_000_000, event
    numbers.append(event["seq"])
    _, name, word = topic.decode().split(".")
    heard.append([name, word, event.get("error", {}).get("code")])
    if word == "running" and event["id"] == long:
        assert event["worker"] > 0, event
        ask("queue.pause", queue="mail")
        ask("job.cancel", id=long)
    if word in ends:
        # What is told is on disk by then.
        asked.append([event["id"], ask("job.show", id=event["id"])["state"] == word])

names = {str(good): "good", str(bad): "bad", str(long): "long"}
found = {}
for name, word, code in heard:
    found.setdefault(names.get(name, name), []).append(word if code is None else f"{word} {code}")
print(
    json.dumps(
        {
            "heard": found,
            "true": sorted(asked) == [[good, True], [bad, True], [long, True]],
            "consecutive": numbers == list(range(numbers[0], numbers[0] + len(numbers))),
        }
    )
)
