"""A client of Millrace, the durable batch job runner. It needs pyzmq and nothing else.

    from millrace import Millrace

    with Millrace() as mill:
        job = mill.submit(sql="SELECT ? * 7 AS answer", params=[6])
        print(job.id, job.result())

From pure to effectful: the words of the protocol; `_Mail`, which decides what is under way, sent
again and given up, and owns no socket and no clock; `AsyncMillrace`, which owns both; `Millrace`,
which has one on a thread of its own and serves all others.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import heapq
import itertools
import json
import math
import os
import re
import secrets
import stat
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypedDict, TypeVar, Union

import zmq

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Self, Unpack

    P = ParamSpec("P")

__version__ = "0.1.0"
__all__ = [
    "AsyncJob", "AsyncMillrace", "BadReply", "Job", "JobCancelled", "JobFailed", "JobFields",
    "JobFilter", "Millrace", "MillraceError", "NoRunner", "NotEnded", "Refused", "Reply", "Rows",
    "Unanswered", "Waited", "find_runner",
]  # fmt: skip

T = TypeVar("T")

# MARK: Errors


class MillraceError(Exception):
    """What went wrong, in one sentence; `code` is stable, `hint` says what to do about it."""

    def __init__(
        self, message: str, code: str = "", hint: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message, code, hint, field)
        self.message, self.code, self.hint, self.field = message, code, hint, field

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class NoRunner(MillraceError, ConnectionError):
    """Nobody has ever answered at this endpoint, not even a ping."""


class Unanswered(MillraceError, ConnectionError):
    """A runner was there, but did not answer this, or was started anew while it was asked."""


class BadReply(MillraceError):
    """The answer is none of the protocol's."""


class NotEnded(MillraceError, concurrent.futures.TimeoutError):
    """The time is over, and the job has not ended. It goes on."""


class Refused(MillraceError):
    """The runner will not do it: `status` is its three digits."""

    status = 0
    retry_after_ms: int | None = None
    total_bytes: int | None = None


class JobFailed(MillraceError):
    """A job came to a bad end in its last `attempt`. For SQL, `offset` is where; a command has an
    `exit_code`."""

    id = 0
    attempt = 0
    sqlite_code: int | None = None
    offset: int | None = None
    exit_code: int | None = None


class JobCancelled(JobFailed, concurrent.futures.CancelledError):
    """Somebody called the job off."""


def _explained(kind: type[MillraceError], error: Any, message: str) -> Any:
    """The `error` of a refusal or of a job as an exception, with all that it tells."""
    error = _object(error)
    found = kind(
        error.get("message", message), error.get("code", "unknown"), error.get("hint"),
        error.get("field"),
    )  # fmt: skip
    for name in ("retry_after_ms", "total_bytes", "sqlite_code", "offset", "exit_code"):
        if name in error and hasattr(kind, name):
            setattr(found, name, error[name])
    return found


# MARK: Words


class JobFields(TypedDict, total=False):
    """What may be said of a job, in the protocol's words. `params` and `input` may hold bytes.

    Bytes as `each` are a CSV.
    """

    kind: str
    sql: str
    params: Sequence[Any] | Mapping[str, Any]
    each: Any
    database: str
    mode: str
    format: str
    kernel: str
    input: Any
    parts: int
    command: Sequence[str]
    env: Mapping[str, str]
    queue: str
    priority: int
    ready_at: int
    delay_ms: int
    timeout_ms: int
    max_attempts: int
    backoff: Mapping[str, int]
    after: Sequence[Any]
    on_failure: str
    key: str
    name: str
    tags: Sequence[str]
    keep_ms: int
    dry_run: bool


class JobFilter(TypedDict, total=False):
    """Which jobs a list shows, or a cancel, retry or delete is for."""

    state: str
    queue: str
    kind: str


class Rows(list[list[Any]]):
    """The rows of an SQL result, as lists in the order of `columns`."""

    columns: list[str]
    changes: int
    last_insert_rowid: int | None

    def dicts(self) -> Iterator[dict[str, Any]]:
        """Each row by the names of its columns; of two that are called alike the later counts."""
        return (dict(zip(self.columns, row)) for row in self)


class Reply(NamedTuple):
    """What the runner answers: three digits, an object, and the bytes of a result."""

    service: str
    status: int
    head: dict[str, Any]
    frames: list[bytes]


_PROTOCOL = b"MDPC01"
_KERNEL = re.compile(r"[a-z0-9_-]+")
# Longer parameters travel as frames, of which a message has room for eleven beside the JSON.
_LONG_PARAMETER = 64 << 10
_FRAMES = 11
# What one of our messages of many jobs holds. A runner takes more, but others want their turn.
_BATCH_BYTES = 1 << 20
_PIECE_BYTES = 4 << 20
_IDS = 1_000
# The longest that one request waits: a runner that was started anew has not heard it.
_STEP = 5.0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default
    ).encode()


def _encode(job: Mapping[str, Any], frames: list[bytes]) -> bytes:
    """A job as JSON. Bytes that JSON should not hold are added to the frames."""

    def stand_in(value: Any) -> Any:
        if isinstance(value, (Job, AsyncJob)):
            return value.id
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"A job cannot hold a {type(value).__name__}.")
        content = bytes(value)
        if "sql" in job and len(content) < _LONG_PARAMETER:
            return {"base64": base64.b64encode(content).decode()}
        frames.append(content)
        return {"$frame": len(frames) + 1}

    words = {k: _real(v) if k in ("params", "each") else v for k, v in job.items()}
    if isinstance(words.get("each"), (bytes, bytearray, memoryview)):
        frames.append(bytes(words["each"]))
        words["each"] = {"$frame": len(frames) + 1}
    return _json(words, stand_in)


def _real(value: Any) -> Any:
    """The infinite reals among parameters, as the protocol writes them."""
    if isinstance(value, Mapping):
        return {key: _real(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_real(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return {"real": "inf" if value > 0 else "-inf"}
    return value


def _value(value: Any) -> Any:
    """A value of SQL: bytes and the infinite reals are wrapped in an object."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    if "base64" in value:
        return base64.b64decode(value["base64"])
    return float(value["real"]) if "real" in value else value


def _decode(head: Mapping[str, Any], content: bytes) -> Any:
    """A result: `Rows` of SQL, a kernel's JSON, dicts of `jsonl`, text of `csv` or a command."""
    form = head.get("format")
    if form in ("csv", "text"):
        return content.decode()
    if form == "jsonl":
        found = (json.loads(line) for line in content.split(b"\n") if line)
        return [{name: _value(value) for name, value in row.items()} for row in found]
    if form != "json":
        return content
    if "rows" not in head:
        return json.loads(content)
    result = json.loads(content, object_hook=_value)
    rows = Rows(result["rows"])
    rows.columns, rows.changes = result["columns"], result.get("changes", 0)
    rows.last_insert_rowid = result.get("last_insert_rowid")
    return rows


def _ended(reply: Reply) -> tuple[dict[str, Any], bytes]:
    """The head and the bytes of a job that succeeded; raises what another ended in."""
    head = reply.head
    if head.get("state") == "succeeded":
        return head, reply.frames[0] if reply.frames else b""
    kind = JobCancelled if head.get("state") == "cancelled" else JobFailed
    failed = _explained(kind, head.get("error"), f"Job {head.get('id')} is {head.get('state')}.")
    failed.id, failed.attempt = head.get("id", 0), head.get("attempt", 0)
    raise failed


def _read(message: Sequence[bytes]) -> Reply | None:
    """The reply that a DEALER received; None when it is of another shape."""
    try:
        empty, protocol, service, digits, *rest = message
        head = json.loads(rest[0]) if rest and rest[0] else {}
        if empty or protocol != _PROTOCOL or len(digits) != 3 or not isinstance(head, dict):
            return None
        return Reply(service.decode(), int(digits), head, rest[1:])
    except (ValueError, RecursionError):
        return None


def _good(reply: Reply) -> Reply:
    if reply.status < 400:
        return reply
    sentence = f"The runner answered {reply.status}."
    refused: Refused = _explained(Refused, reply.head.get("error"), sentence)
    refused.status = reply.status
    raise refused


def _member(reply: Reply, name: str, kind: type[T]) -> T:
    value = reply.head.get(name)
    if not isinstance(value, kind):
        raise BadReply(f'The runner\'s answer has no {kind.__name__} "{name}".', "bad_reply")
    return value


# MARK: Messages under way


@dataclass(eq=False)
class _Call:
    """A request, and what is noted of it while it is under way."""

    service: str
    body: bytes
    frames: Sequence[bytes] = ()
    wait_ms: int = 0
    # Never sent a second time, for it must not be done twice.
    once: bool = False
    # When there is no room now it is sent again later.
    patient: bool = False
    # The future that is told the answer.
    ticket: Any = None
    name: str = ""
    tries: int = 0
    due: float = math.inf


class _Send(NamedTuple):
    message: list[bytes]


class _Reconnect(NamedTuple):
    """Close the socket and open another: what was lost on the way of the old one is asked again."""


class _Answer(NamedTuple):
    call: _Call
    answer: Reply | MillraceError


class _Mail:
    """Decides which messages are sent, sent again and given up: the lazy pirate of the ZeroMQ
    guide, chapter 4, with many requests under way. It is told what is asked, what arrives and the
    time, in seconds of any clock that never goes back, and leaves what is to be done to `take`.
    """

    # So many requests are under way at a time, and as many that wait for the end of jobs; others
    # stand in line. A runner lets a client have 1 000 waits.
    WINDOW = 256
    # How soon it is the turn of the last in a long line, about.
    ROUND = 2.0
    GREETING = 2.0

    def __init__(self, endpoint: str, shows_keys: bool, patience: float, tries: int) -> None:
        self._endpoint, self._shows_keys = endpoint, shows_keys
        self._patience, self._tries = patience, max(tries, 1)
        token = secrets.token_hex(8)
        self._names = (f"py-{token}-{number}" for number in itertools.count())
        self._open: dict[str, _Call] = {}
        # By whether they wait for jobs: how many are under way, and who stands in line.
        self._counts = [0, 0]
        self._lines: tuple[deque[_Call], deque[_Call]] = (deque(), deque())
        self._later: list[tuple[float, int, _Call]] = []
        self._heard_at = self._connected_at = -math.inf
        # When there is no runner, if nobody has ever answered until then.
        self._greeted_by = math.inf
        # At most the earliest `due` of those under way.
        self._due = math.inf
        self._actions: list[_Send | _Reconnect | _Answer] = []

    def post(self, call: _Call, now: float) -> None:
        call.name, call.tries = next(self._names), self._tries
        if self._heard_at == -math.inf and self._greeted_by == math.inf:
            self._greeted_by = now + self.GREETING
            self._write(_Call("sys.ping", b"{}", name=next(self._names)), 0)
        self._admit(call, now)

    def hear(self, message: Sequence[bytes], now: float) -> None:
        reply = _read(message)
        if reply is None:
            return
        self._heard_at, self._greeted_by = now, math.inf
        call = self._asked_for(reply)
        if call is None:
            return
        self._leave(call, now)
        pause = _pause(reply) if call.patient else None
        if pause is None:
            self._actions.append(_Answer(call, reply))
        else:
            call.tries = self._tries
            heapq.heappush(self._later, (now + pause, id(call), call))

    def look(self, now: float) -> None:
        """Time has passed: sends again what has had no answer, or gives it up."""
        while self._later and self._later[0][0] <= now:
            self._admit(heapq.heappop(self._later)[2], now)
        if now >= self._greeted_by:
            self._greeted_by = math.inf
            self._reconnect(now)
            self.fail(self._absence)
        if now < self._due:
            return
        late = [call for call in self._open.values() if call.due <= now]
        # While others are answered the connection is well.
        if late and now - max(self._heard_at, self._connected_at) >= self._patience:
            self._reconnect(now)
            for call in list(self._open.values()):
                if call.once:
                    self._give_up(call, now)
                elif call.due > now:
                    self._write(call, call.wait_ms)
        for call in late:
            call.tries -= 1
            if call.tries > 0:
                self._send(call, now)
            else:
                self._give_up(call, now)
        self._due = min((call.due for call in self._open.values()), default=math.inf)

    def forget(self, call: _Call, now: float) -> None:
        """Nobody waits for this one any more."""
        if call.name in self._open:
            self._leave(call, now)

    def fail(self, error: Callable[[], MillraceError]) -> None:
        """Answers all that is under way or stands in line with an error."""
        later = [call for _, _, call in self._later]
        for call in [*self._open.values(), *self._lines[0], *self._lines[1], *later]:
            self._actions.append(_Answer(call, error()))
        for each in (self._open, self._later, *self._lines):
            each.clear()
        self._counts, self._due = [0, 0], math.inf

    @property
    def due(self) -> float:
        """When to look at the latest."""
        return min(self._due, self._greeted_by, self._later[0][0] if self._later else math.inf)

    def take(self) -> list[_Send | _Reconnect | _Answer]:
        actions, self._actions = self._actions, []
        return actions

    def _admit(self, call: _Call, now: float) -> None:
        waits = call.wait_ms > 0
        if self._counts[waits] >= self.WINDOW:
            return self._lines[waits].append(call)
        self._counts[waits] += 1
        self._open[call.name] = call
        self._send(call, now)

    def _leave(self, call: _Call, now: float) -> None:
        waits = call.wait_ms > 0
        del self._open[call.name]
        self._counts[waits] -= 1
        if self._lines[waits]:
            self._admit(self._lines[waits].popleft(), now)

    def _asked_for(self, reply: Reply) -> _Call | None:
        name = reply.head.get("request")
        if name is not None:
            return self._open.get(name) if isinstance(name, str) else None
        # A refusal of what could not be read bears no name. It is for one of these.
        same = [call for call in self._open.values() if call.service == reply.service]
        return same[0] if len(same) == 1 and reply.status >= 400 else None

    def _send(self, call: _Call, now: float) -> None:
        wait_ms = call.wait_ms
        if wait_ms and self._lines[1]:
            crowd = 1 + len(self._lines[1]) / self.WINDOW
            wait_ms = max(min(wait_ms, int(1000 * self.ROUND / crowd)), 1)
        if not call.once:
            call.due = now + self._patience + wait_ms / 1000
            self._due = min(self._due, call.due)
        self._write(call, wait_ms)

    def _write(self, call: _Call, wait_ms: int) -> None:
        start = _json({"request": call.name, **({"wait_ms": wait_ms} if wait_ms else {})})[:-1]
        body = start + (b"," if len(call.body) > 2 else b"") + call.body[1:]
        message = [b"", _PROTOCOL, call.service.encode(), body, *call.frames]
        self._actions.append(_Send(message))

    def _reconnect(self, now: float) -> None:
        self._connected_at = now
        self._actions.append(_Reconnect())

    def _give_up(self, call: _Call, now: float) -> None:
        self._leave(call, now)
        message = f"The runner at {self._endpoint} did not answer {call.service} in time."
        hint = _MAYBE if call.once else "Try again; what has a key is not done twice."
        self._actions.append(_Answer(call, Unanswered(message, "unanswered", hint)))

    def _absence(self) -> MillraceError:
        message = f"No runner answers at {self._endpoint}."
        hint = "Start one with `millrace serve`, or name another endpoint."
        if self._shows_keys:
            message += " It may not run, or one of the keys is not the right one."
            hint = "Compare the keys with `curve` in the settings of the runner."
        return NoRunner(message, "no_runner", hint)


_MAYBE = "It may have been done, or a part of it: look before you try again."


def _pause(reply: Reply) -> float | None:
    """After how many seconds the same may be sent again; None when that would not help."""
    error = _object(reply.head.get("error"))
    if reply.status == 429 or error.get("code") in ("busy", "draining"):
        return float(error.get("retry_after_ms", 1000)) / 1000
    return None


def _closed() -> MillraceError:
    return MillraceError("This client is closed.", "closed")


# MARK: The way to a runner


def find_runner(
    environ: Mapping[str, str] = os.environ, exists: Callable[[str], bool] = os.path.exists
) -> str:
    """Where the command `millrace` looks: at MILLRACE_CONNECT, else the socket in the state
    directory, else the usual port."""
    if environ.get("MILLRACE_CONNECT"):
        return environ["MILLRACE_CONNECT"]
    home = environ.get("HOME")
    state = environ.get("MILLRACE_STATE") or (home and home + "/.local/state/millrace")
    if state and exists(state + "/run/millrace.sock"):
        return f"ipc://{state}/run/millrace.sock"
    return "tcp://127.0.0.1:5555"


class _Keys(NamedTuple):
    server: bytes
    public: bytes
    secret: bytes

    @classmethod
    def find(cls, server: str | None, path: str | os.PathLike[str] | None) -> _Keys | None:
        server = server or os.environ.get("MILLRACE_SERVER_KEY")
        path = path or os.environ.get("MILLRACE_SECRET_KEY")
        if not server and not path:
            return None
        if not server or not path:
            raise ValueError("server_key and secret_key belong together: give both.")
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise PermissionError(f"Others than its owner can get at {path}: chmod 600 it.")
            secret = file.read(64).strip()
        if len(secret) != 40 or len(server) != 40:
            raise ValueError("A key has 40 characters of Z85.")
        return cls(server.encode(), zmq.curve_public(secret), secret)


# MARK: Events


class _Listening:
    """A subscription: an iterator over events."""

    def __init__(
        self, endpoint: str, topics: Sequence[str], keys: _Keys | None, timeout: float | None
    ) -> None:
        self._context = zmq.Context()
        socket = self._socket = self._context.socket(zmq.SUB)
        socket.linger = 0
        socket.rcvhwm = 10_000
        # A connection that is dead without a word is noticed, and made anew.
        socket.heartbeat_ivl, socket.heartbeat_timeout = 10_000, 30_000
        if keys is not None and endpoint.startswith("tcp://"):
            socket.curve_serverkey = keys.server
            socket.curve_publickey = keys.public
            socket.curve_secretkey = keys.secret
        for topic in topics or ("",):
            socket.subscribe(topic.encode())
        socket.connect(endpoint)
        self._wait_ms = None if timeout is None else math.ceil(timeout * 1000)

    def __iter__(self) -> Generator[dict[str, Any], None, None]:
        try:
            while self._socket.poll(self._wait_ms):
                topic, body = self._socket.recv_multipart()
                yield {"topic": topic.decode(), **json.loads(body)}
        finally:
            self._socket.close()
            self._context.term()


def _reachable(endpoints: Any, endpoint: str) -> str:
    """The one of a runner's endpoints that whoever has found it at `endpoint` can reach."""
    found = [name for name in endpoints or () if isinstance(name, str)]
    socket = next((name for name in found if name.startswith("ipc://")), None)
    tcp = next((name for name in found if name.startswith("tcp://")), None)
    host = endpoint[len("tcp://") :].rpartition(":")[0] if endpoint.startswith("tcp://") else None
    if host is None:
        chosen = socket or tcp
    elif tcp is not None:
        chosen = re.sub(r"^tcp://(0\.0\.0\.0|\[::\])(?=:)", lambda _: f"tcp://{host}", tcp)
    else:
        is_near = host.startswith("127.") or host in ("localhost", "[::1]")
        chosen = socket if is_near else None
    if chosen is None:
        raise MillraceError(f"The runner at {endpoint} tells of no events here.", "no_events")
    return chosen


# MARK: Many inputs


class _Begin(NamedTuple):
    """Have this go on by itself; the answer is a future."""

    work: Coroutine[Any, Any, Any]


class _Item(NamedTuple):
    """Hand this out."""

    value: Any


def _jobs_of(
    work: str, inputs: Iterable[Any], fields: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """A job for each input: of that kernel, or of that SQL statement with it as `params`."""
    is_kernel = _KERNEL.fullmatch(work) is not None
    what, given = ("kernel", "input") if is_kernel else ("sql", "params")
    key = fields.get("key")
    for number, value in enumerate(inputs):
        job = {**fields, what: work, given: value}
        yield job if key is None else {**job, "key": f"{key}-{number}"}


class _Batches:
    """Cuts a stream of jobs into messages."""

    def __init__(
        self,
        jobs: Iterator[Mapping[str, Any]],
        encode: Callable[[Mapping[str, Any], list[bytes]], bytes],
        size: int,
    ) -> None:
        self._jobs, self._encode = jobs, encode
        self.size = max(size, 1)
        self._left: Mapping[str, Any] | None = None

    def next(self) -> tuple[_Call, int] | None:
        """A message and how many jobs it has; None at the end."""
        frames: list[bytes] = []
        texts: list[bytes] = []
        total = 0
        while len(texts) < self.size:
            job, self._left = self._left or next(self._jobs, {}), None
            if not job:
                break
            before = len(frames)
            text = self._encode(job, frames)
            total += len(text) + sum(map(len, frames[before:]))
            if texts and (total > _BATCH_BYTES or len(frames) > _FRAMES):
                # It goes first in the next message, where its frames have other numbers.
                self._left = job
                del frames[before:]
                break
            texts.append(text)
        return (_batch(texts, frames, patient=True), len(texts)) if texts else None


def _batch(texts: Sequence[bytes], frames: Sequence[bytes], patient: bool = False) -> _Call:
    body = b'{"jobs":[' + b",".join(texts) + b"]}"
    return _Call("job.submit", body, frames, patient=patient)


def _map(
    mill: AsyncMillrace, batches: _Batches, ahead: int, return_exceptions: bool
) -> Generator[Any, Any, None]:
    """What to do for the results of all jobs in order: batches are submitted while the results of
    the ones before are awaited, at most `ahead` jobs before the one that is handed out. It is sent
    the future of each `_Begin`, and for a future its result.
    """
    window = _Mail.WINDOW // 4
    sent: deque[tuple[Any, int]] = deque()
    ids: deque[int] = deque()
    asked: deque[Any] = deque()
    count, following = 0, batches.next()
    try:
        while following or sent or ids or asked:
            while following and count + following[1] <= max(ahead, batches.size):
                call, size = following
                sent.append(((yield _Begin(mill._ids(call, size))), size))
                count, following = count + size, batches.next()
            if sent and len(ids) < window:
                ids.extend((yield sent.popleft()[0]))
                continue
            while ids and len(asked) < window:
                asked.append((yield _Begin(mill._outcome(ids.popleft()))))
            value = yield asked.popleft()
            count -= 1
            if isinstance(value, JobFailed) and not return_exceptions:
                raise value
            yield _Item(value)
    finally:
        # Nobody asks for these any more. Their jobs go on.
        for future in [*asked, *(future for future, _ in sent)]:
            future.cancel()


# MARK: asyncio


class AsyncMillrace:
    """A runner, to be asked from one event loop. All is as in `Millrace`."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        server_key: str | None = None,
        secret_key: str | os.PathLike[str] | None = None,
        patience: float = 2.5,
        tries: int = 4,
    ) -> None:
        self.endpoint = endpoint or find_runner()
        # A socket of this machine asks for no keys.
        is_tcp = self.endpoint.startswith("tcp://")
        self._keys = _Keys.find(server_key, secret_key) if is_tcp else None
        self._patience = patience
        self._mail = _Mail(self.endpoint, self._keys is not None, patience, tries)
        self._token, self._numbers = secrets.token_hex(12), itertools.count()
        self._limits: dict[str, Any] | None = None
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._ended = False

    async def close(self) -> None:
        """Ends the connection; the jobs go on. Whoever still waits gets a `MillraceError`."""
        self._ended = True
        self._mail.fail(_closed)
        self._carry_out()
        if self._alarm is not None:
            self._alarm.cancel()
        self._disconnect()
        self._context.term()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def submit(self, **job: Unpack[JobFields]) -> AsyncJob:
        """Hands a job over. When this returns, it is on the runner's disk."""
        frames: list[bytes] = []
        reply = await self._ask(_Call("job.submit", self._encode(job, frames), frames))
        return AsyncJob(self, _member(reply, "id", int), reply.head.get("created", True))

    async def submit_many(self, jobs: Iterable[JobFields]) -> list[AsyncJob]:
        """Hands jobs over in one message: all of them, or none. A runner takes 10 000."""
        frames: list[bytes] = []
        texts = [self._encode(job, frames) for job in jobs]
        ids = await self._ids(_batch(texts, frames), len(texts)) if texts else []
        return [AsyncJob(self, id) for id in ids]

    async def run(self, *, timeout: float | None = None, **job: Unpack[JobFields]) -> Any:
        """The result of a job that is handed over and waited for in one message."""
        frames: list[bytes] = []
        rest, body = _rest(timeout), self._encode(job, frames)
        wait_ms = math.ceil(min(rest(), _STEP) * 1000)
        reply = await self._ask_whole(_Call("job.submit", body, frames, wait_ms))
        if reply is None:
            # The same key: no new job, but the number of that one.
            reply = await self._ask(_Call("job.submit", body, frames))
        if reply.status == 200 and "attempt" in reply.head:
            return _decode(*_ended(reply))
        return _decode(*await self._fetch(_member(reply, "id", int), rest))

    async def map(
        self,
        work: str,
        inputs: Iterable[Any],
        *,
        batch: int = 500,
        ahead: int = 2_000,
        return_exceptions: bool = False,
        **job: Unpack[JobFields],
    ) -> AsyncIterator[Any]:
        """As `Millrace.map`."""
        batches = _Batches(_jobs_of(work, inputs, job), self._encode, batch)
        plan, answer = _map(self, batches, ahead, return_exceptions), None
        with contextlib.closing(plan), contextlib.suppress(StopIteration):
            while True:
                step, answer = plan.send(answer), None
                if isinstance(step, _Item):
                    yield step.value
                elif isinstance(step, _Begin):
                    answer = asyncio.ensure_future(step.work)
                else:
                    answer = await step

    def job(self, id: int) -> AsyncJob:
        """A job by its number. Nobody is asked whether there is one."""
        return AsyncJob(self, id)

    async def jobs(self, **filter: Unpack[JobFilter]) -> AsyncIterator[dict[str, Any]]:
        """All jobs, newest first, or those of a `state`, `queue` or `kind`."""
        async for page in self._pages(filter):
            for job in page:
                yield job

    async def wait(self, jobs: Iterable[AsyncJob], timeout: float | None = None) -> Waited:
        """Waits until all of them have ended, for good or bad, or the time is over."""
        jobs = set(jobs)
        ends = await self._ends([job.id for job in jobs], timeout)
        done = {job for job in jobs if job.id in ends}
        return Waited(done, jobs - done)

    async def cancel(self, jobs: Jobs = None, **filter: Unpack[JobFilter]) -> int:
        """Calls jobs off, these or those that a filter chooses as in `jobs`, and counts them."""
        return await self._change("job.cancel", jobs, filter)

    async def retry(self, jobs: Jobs = None, **filter: Unpack[JobFilter]) -> int:
        """Has failed or cancelled jobs run again."""
        return await self._change("job.retry", jobs, filter)

    async def delete(self, jobs: Jobs = None, **filter: Unpack[JobFilter]) -> int:
        """Forgets jobs that have ended, with their results."""
        return await self._change("job.delete", jobs, filter)

    async def call(
        self,
        service: str,
        body: Mapping[str, Any] | None = None,
        frames: Sequence[bytes] = (),
        wait: float = 0,
    ) -> Reply:
        """Asks for any service of the protocol, with `wait_ms` from `wait`. The first frame is
        `{"$frame": 2}` in the body."""
        return await self._ask(_Call(service, _json(body or {}), frames, math.ceil(wait * 1000)))

    async def info(self) -> dict[str, Any]:
        """The runner's version, run, limits, kernels and databases."""
        return (await self.call("sys.info")).head

    async def stats(self) -> dict[str, Any]:
        """Counts, rates, times, workers, alarms."""
        return (await self.call("sys.stats")).head

    async def ping(self) -> float:
        """How many seconds an answer takes."""
        start = time.monotonic()
        await self.call("sys.ping")
        return time.monotonic() - start

    # What these are made of.

    def _encode(self, job: Mapping[str, Any], frames: list[bytes]) -> bytes:
        """With a key of its own unless it has one, so that it can be sent again."""
        if job.get("key") is None:
            job = {**job, "key": f"py-{self._token}-{next(self._numbers)}"}
        return _encode(job, frames)

    async def _limit(self, name: str, usual: int) -> int:
        if self._limits is None:
            self._limits = _object((await self.info()).get("limits"))
        found = self._limits.get(name)
        return found if isinstance(found, int) and found > 0 else usual

    async def _ids(self, call: _Call, count: int) -> list[int]:
        ids = _member(await self._ask(call), "ids", list)
        if len(ids) != count:
            raise BadReply(f"The answer has {len(ids)} ids for {count} jobs.", "bad_reply")
        return ids

    async def _outcome(self, id: int) -> Any:
        """The result of a job, or as a value what it failed with."""
        try:
            return _decode(*await self._fetch(id, _rest(None)))
        except JobFailed as failed:
            return failed

    async def _fetch(self, id: int, rest: Callable[[], float]) -> tuple[dict[str, Any], bytes]:
        """The head and the bytes of a result, as soon as there is one."""
        while True:
            wait_ms = math.ceil(min(rest(), _STEP) * 1000)
            reply = await self._ask_whole(_Call("job.result", _json({"id": id}), wait_ms=wait_ms))
            if reply is None:
                pieces = [reply async for reply in self._pieces(id, _PIECE_BYTES)]
                return pieces[-1].head, b"".join(piece.frames[0] for piece in pieces)
            if reply.status == 200:
                return _ended(reply)
            if rest() <= 0:
                raise NotEnded(f"Job {id} has not ended yet.", "not_ended")

    async def _pieces(self, id: int, size: int) -> AsyncIterator[Reply]:
        size = min(size, await self._limit("reply_bytes", 16 << 20))
        offset, first = 0, None
        while True:
            reply = await self.call("job.result", {"id": id, "offset": offset, "limit": size})
            if reply.status != 200:
                raise NotEnded(f"Job {id} has not ended yet.", "not_ended")
            head, piece = _ended(reply)
            first = first or head
            if head.get("offset") != offset or head.get("attempt") != first.get("attempt"):
                raise BadReply("The result changed while it was read.", "bad_reply")
            offset, is_last = offset + len(piece), head.get("eof", True)
            if not piece and not is_last:
                raise BadReply("A piece of the result is empty.", "bad_reply")
            yield reply
            if is_last:
                return

    async def _ends(self, ids: Iterable[int], timeout: float | None) -> dict[int, str]:
        """The states of those that have ended, when all have or the time is over."""
        rest, left = _rest(timeout), list(dict.fromkeys(ids))
        ends: dict[int, str] = {}
        most = min(await self._limit("request_ids", _IDS), _IDS)
        while left:
            some, left = left[:most], left[most:]
            reply = await self.call("job.wait", {"ids": some}, wait=min(rest(), _STEP))
            ends.update((end["id"], end["state"]) for end in _member(reply, "jobs", list))
            if rest() > 0:
                left = [id for id in some if id not in ends] + left
        return ends

    async def _pages(self, filter: Mapping[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        after: dict[str, Any] = {}
        while True:
            reply = await self.call("job.list", {**filter, **after})
            yield _member(reply, "jobs", list)
            if reply.head.get("next") is None:
                return
            after = {"after": reply.head["next"]}

    async def _change(self, service: str, jobs: Jobs, filter: Mapping[str, Any]) -> int:
        if jobs is None:
            return _member(await self._ask_once(service, filter), "count", int)
        if filter:
            raise ValueError("Give jobs or a filter, not both.")
        left = [job if isinstance(job, int) else job.id for job in jobs]
        most, count = await self._limit("request_ids", _IDS), 0
        while left:
            reply = await self._ask_once(service, {"ids": left[:most]})
            count, left = count + _member(reply, "count", int), left[most:]
        return count

    async def _ask_once(self, service: str, body: Mapping[str, Any]) -> Reply:
        """Asks what must not be done twice, and waits while the same run of the runner is there:
        the next one knows nothing of it."""
        first = found = (await self.info()).get("run")
        call = _Call(service, _json(body), once=True)
        ticket = self._start(call)
        try:
            while not (await asyncio.wait([ticket], timeout=self._patience))[0]:
                if found != first:
                    message = f"The runner was started anew while it was asked for {service}."
                    raise Unanswered(message, "unanswered", _MAYBE)
                # When nobody answers this either, the call is given up, and tells it itself.
                with contextlib.suppress(Unanswered):
                    found = (await self.info()).get("run")
            return _good(ticket.result())
        finally:
            self._mail.forget(call, asyncio.get_running_loop().time())

    async def _ask_whole(self, call: _Call) -> Reply | None:
        """None when the result is too large for one reply."""
        try:
            return await self._ask(call)
        except Refused as refused:
            if refused.code != "read_in_pieces":
                raise
            return None

    async def _ask(self, call: _Call) -> Reply:
        size = len(call.body) + sum(map(len, call.frames))
        # Nobody answers a message that is larger than the runner takes.
        if size > _BATCH_BYTES and size > (most := await self._limit("message_bytes", 16 << 20)):
            raise MillraceError(f"The runner takes {most} bytes, not {size}.", "too_large")
        return _good(await self._start(call))

    # The edge.

    def _start(self, call: _Call) -> asyncio.Future[Reply]:
        if self._ended:
            raise _closed()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._connect(self._loop)
        ticket: asyncio.Future[Reply] = self._loop.create_future()
        call.ticket = ticket
        self._mail.post(call, self._loop.time())
        self._carry_out()
        return ticket

    def _carry_out(self) -> None:
        """Does what is to be done, and hears what there is to be heard, which a socket tells only
        once: when something arrives, or after something was sent."""
        loop = self._loop
        if loop is None:
            return
        while actions := self._mail.take():
            for action in actions:
                if isinstance(action, _Answer):
                    _tell(action)
                elif isinstance(action, _Reconnect):
                    self._disconnect()
                    self._connect(loop)
                elif self._socket is not None:
                    self._socket.send_multipart(action.message)
            self._hear(loop.time())
        due = self._mail.due
        if self._alarm is not None and self._alarm.when() > due:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None and due < math.inf and not self._ended:
            self._alarm = loop.call_at(due, self._look)

    def _hear(self, now: float) -> None:
        with contextlib.suppress(zmq.Again):
            while self._socket is not None:
                self._mail.hear(self._socket.recv_multipart(zmq.NOBLOCK), now)

    def _look(self) -> None:
        self._alarm = None
        self._mail.look(asyncio.get_running_loop().time())
        self._carry_out()

    def _on_arrival(self) -> None:
        self._hear(asyncio.get_running_loop().time())
        self._carry_out()

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        socket = self._socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        # `_Mail` bounds what is under way, so that sending need never wait.
        socket.sndhwm = socket.rcvhwm = 0
        if self._keys is not None:
            socket.curve_serverkey = self._keys.server
            socket.curve_publickey = self._keys.public
            socket.curve_secretkey = self._keys.secret
        socket.connect(self.endpoint)
        loop.add_reader(socket.FD, self._on_arrival)

    def _disconnect(self) -> None:
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket.FD)
            self._socket.close()
            self._socket = None


def _tell(action: _Answer) -> None:
    ticket = action.call.ticket
    if ticket.done():
        return  # Whoever asked was cancelled.
    if isinstance(action.answer, Reply):
        ticket.set_result(action.answer)
    else:
        ticket.set_exception(action.answer)


def _rest(timeout: float | None) -> Callable[[], float]:
    """Tells how many seconds are left."""
    if timeout is None:
        return lambda: math.inf
    end = time.monotonic() + timeout
    return lambda: max(end - time.monotonic(), 0)


class AsyncJob:
    """A job in the runner, as `Job`. `await job` is its result."""

    def __init__(self, mill: AsyncMillrace, id: int, created: bool = True) -> None:
        self._mill, self.id = mill, id
        # False when its key was known, and this is the job that had it already.
        self.created = created

    def __repr__(self) -> str:
        return f"<AsyncJob {self.id}>"

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()

    async def show(self) -> dict[str, Any]:
        """All about it: state, times, attempts, error, and why it has not run yet."""
        return (await self._mill.call("job.show", {"id": self.id})).head

    async def result(self, timeout: float | None = None) -> Any:
        """What it made: `Rows` of SQL, a kernel's JSON or bytes, dicts of `jsonl`, text of `csv`.

        Raises `JobFailed`, `JobCancelled`, or `NotEnded` when the time is over.
        """
        return _decode(*await self._mill._fetch(self.id, _rest(timeout)))

    async def exception(self, timeout: float | None = None) -> JobFailed | None:
        """The bad end that it came to; None after a good one. Raises `JobCancelled`, `NotEnded`."""
        try:
            await self._mill._fetch(self.id, _rest(timeout))
        except JobCancelled:
            raise
        except JobFailed as failed:
            return failed
        return None

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits until all of them have ended, for good or bad, or the time is over."""
        return bool(await self._mill._ends([self.id], timeout))

    async def cancel(self) -> bool:
        """Calls jobs off, these or those that a filter chooses as in `jobs`, and counts them."""
        return await self._mill.cancel([self]) == 1

    async def pieces(self, size: int = _PIECE_BYTES) -> AsyncIterator[bytes]:
        """The bytes of its result, of which only a piece is in memory. It must have ended."""
        async for reply in self._mill._pieces(self.id, size):
            yield reply.frames[0]


# MARK: Threads


def _blocking(
    method: Callable[Concatenate[AsyncMillrace, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Millrace, P], T]:
    """The same, for whoever waits on another thread."""

    def ask(self: Millrace, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._wait(method(self._mill, *args, **kwargs))

    ask.__doc__ = method.__doc__
    return ask


def _blocking_job(
    method: Callable[Concatenate[AsyncJob, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Job, P], T]:
    def ask(self: Job, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._mill._wait(method(self._job, *args, **kwargs))

    ask.__doc__ = method.__doc__
    return ask


class Millrace:
    """A runner, to be asked from any number of threads. Close it, or use it with `with`.

    Without an endpoint the runner is found as the command `millrace` finds it. For tcp,
    `server_key` is the runner's public key and `secret_key` the file of one's own that `millrace
    keygen` has made; without them MILLRACE_SERVER_KEY and MILLRACE_SECRET_KEY count. When no
    answer comes for `patience` seconds, the same is asked again over a new connection, `tries`
    times in all; only what must not be done twice (cancel, retry, delete) is sent once. Times are
    in seconds, except in the fields of a job, which are the protocol's. A fork may not use it.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        server_key: str | None = None,
        secret_key: str | os.PathLike[str] | None = None,
        patience: float = 2.5,
        tries: int = 4,
    ) -> None:
        self._mill = AsyncMillrace(
            endpoint, server_key=server_key, secret_key=secret_key, patience=patience, tries=tries
        )
        self.endpoint = self._mill.endpoint
        self._lock = threading.Lock()
        self._loop = asyncio.SelectorEventLoop()
        self._thread: threading.Thread | None = None
        self._callbacks: concurrent.futures.ThreadPoolExecutor | None = None
        self._ended = False

    def close(self) -> None:
        """Ends the connection; the jobs go on. Whoever still waits gets a `MillraceError`."""
        with self._lock:
            if self._ended or threading.current_thread() is self._thread:
                return
            self._ended = True
        if self._thread is None:
            self._loop.run_until_complete(self._mill.close())
        else:
            asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        if self._callbacks is not None:
            self._callbacks.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    run = _blocking(AsyncMillrace.run)
    cancel = _blocking(AsyncMillrace.cancel)
    retry = _blocking(AsyncMillrace.retry)
    delete = _blocking(AsyncMillrace.delete)
    call = _blocking(AsyncMillrace.call)
    info = _blocking(AsyncMillrace.info)
    stats = _blocking(AsyncMillrace.stats)
    ping = _blocking(AsyncMillrace.ping)

    def submit(self, **job: Unpack[JobFields]) -> Job:
        """Hands a job over. When this returns, it is on the runner's disk."""
        found = self._wait(self._mill.submit(**job))
        return Job(self, found.id, found.created)

    def submit_many(self, jobs: Iterable[JobFields]) -> list[Job]:
        """Hands jobs over in one message: all of them, or none. A runner takes 10 000."""
        return [Job(self, job.id) for job in self._wait(self._mill.submit_many(list(jobs)))]

    def map(
        self,
        work: str,
        inputs: Iterable[Any],
        *,
        batch: int = 500,
        ahead: int = 2_000,
        return_exceptions: bool = False,
        **job: Unpack[JobFields],
    ) -> Iterator[Any]:
        """The results for many inputs, in their order.

        `work` is the name of a kernel, or an SQL statement for which each input is the `params`.
        Jobs are handed over in batches as the results are taken, at most `ahead` before them; a
        runner that has no room is waited for. With a `key` the jobs have the keys KEY-0, KEY-1 and
        so on: whoever starts the same again after a crash gets the results that are there. A job
        that failed raises, or is handed out as an exception; the others go on.
        """
        batches = _Batches(_jobs_of(work, inputs, job), self._mill._encode, batch)
        plan, answer = _map(self._mill, batches, ahead, return_exceptions), None
        with contextlib.closing(plan), contextlib.suppress(StopIteration):
            while True:
                step, answer = plan.send(answer), None
                if isinstance(step, _Item):
                    yield step.value
                elif isinstance(step, _Begin):
                    answer = self._begin(step.work)
                else:
                    answer = step.result()

    def job(self, id: int) -> Job:
        """A job by its number. Nobody is asked whether there is one."""
        return Job(self, id)

    def jobs(self, **filter: Unpack[JobFilter]) -> Iterator[dict[str, Any]]:
        """All jobs, newest first, or those of a `state`, `queue` or `kind`."""
        return itertools.chain.from_iterable(self._each(self._mill._pages(filter)))

    def wait(self, jobs: Iterable[Job], timeout: float | None = None) -> Waited:
        """Waits until all of them have ended, for good or bad, or the time is over."""
        jobs = set(jobs)
        ends = self._wait(self._mill._ends([job.id for job in jobs], timeout))
        done = {job for job in jobs if job.id in ends}
        return Waited(done, jobs - done)

    def events(
        self, *topics: str, timeout: float | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """What happens from now on to jobs and queues: events whose `topic` begins with one of
        these, such as `job.17.`, or all. Best effort: `Job.show` tells how a job really stands.
        Ends when none has come for `timeout` seconds."""
        endpoint = _reachable(self.info().get("events"), self.endpoint)
        return _Listening(endpoint, topics, self._mill._keys, timeout).__iter__()

    def as_completed(self, jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
        """The jobs as they end. Raises `concurrent.futures.TimeoutError` when the time is over."""
        by_future = {job.future(): job for job in jobs}
        return (by_future[done] for done in concurrent.futures.as_completed(by_future, timeout))

    def _begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        with self._lock:
            if self._ended or threading.current_thread() is self._thread:
                work.close()
                if self._ended:
                    raise _closed()
                raise RuntimeError("Its own thread cannot wait for a Millrace.")
            if self._thread is None:
                run = self._loop.run_forever
                self._thread = threading.Thread(target=run, name="millrace", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = self._begin(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _each(self, items: AsyncIterator[T]) -> Iterator[T]:
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield self._wait(_next(items))

    async def _finish(self) -> None:
        await self._mill.close()
        # Whoever waits hears of it before the loop stops.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left)

    def _call_back(self, callback: Callable[[], object]) -> None:
        with self._lock:
            if self._callbacks is None:
                self._callbacks = concurrent.futures.ThreadPoolExecutor(1, "millrace-callbacks")
        self._callbacks.submit(callback)


async def _next(items: AsyncIterator[T]) -> T:
    return await items.__anext__()


class Job:
    """A job in the runner, by its `id`. As a `concurrent.futures.Future`, except that a running one
    can be called off too, and that it goes on, and keeps its result, when nobody looks."""

    def __init__(self, mill: Millrace, id: int, created: bool = True) -> None:
        self._mill, self._job = mill, AsyncJob(mill._mill, id, created)
        self.id, self.created = id, created
        self._future: concurrent.futures.Future[Any] | None = None

    def __repr__(self) -> str:
        return f"<Job {self.id}>"

    show = _blocking_job(AsyncJob.show)
    result = _blocking_job(AsyncJob.result)
    exception = _blocking_job(AsyncJob.exception)
    wait = _blocking_job(AsyncJob.wait)
    cancel = _blocking_job(AsyncJob.cancel)

    @property
    def state(self) -> str:
        """`queued`, `running`, `succeeded`, `failed` or `cancelled`."""
        return str(self.show()["state"])

    def done(self) -> bool:
        """Whether it has ended, for good or bad."""
        return self.wait(0)

    def running(self) -> bool:
        """Whether it runs at this moment."""
        return self.state == "running"

    def cancelled(self) -> bool:
        """Whether somebody called it off."""
        return self.state == "cancelled"

    def future(self) -> concurrent.futures.Future[Any]:
        """Its result as a future, for `concurrent.futures.wait` and `asyncio.wrap_future`. What is
        called when it is done may not ask the runner; `add_done_callback` is for that."""
        if self._future is None:
            self._future = self._mill._begin(self._job.result())
        return self._future

    def add_done_callback(self, callback: Callable[[Job], object]) -> None:
        """Has it called with this job when it has ended, on a thread that all callbacks share."""
        self.future().add_done_callback(lambda _: self._mill._call_back(lambda: callback(self)))

    def pieces(self, size: int = _PIECE_BYTES) -> Iterator[bytes]:
        """The bytes of its result, of which only a piece is in memory. It must have ended."""
        return self._mill._each(self._job.pieces(size))

    def save(self, file: str | os.PathLike[str] | BinaryIO) -> int:
        """Writes the bytes of its result to a file, and counts them. It must have ended."""
        if isinstance(file, (str, os.PathLike)):
            with open(file, "wb") as opened:
                return self.save(opened)
        return sum(file.write(piece) for piece in self.pieces())


class Waited(NamedTuple):
    """Jobs that have ended, and jobs that have not, as `concurrent.futures.wait` has it."""

    done: set[Any]
    not_done: set[Any]


Jobs = Union[Iterable[Union[int, Job, AsyncJob]], None]
