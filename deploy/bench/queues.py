"""The queues that deploy/bench-peers sets beside Millrace, each as its own documents use it.

A queue is started with an empty store, asked for three figures, and ended. Its workers are two
processes; a job does nothing. Whoever waits for a job hears of its end as directly as the queue
allows, and where it has no way at all, by a pipe from the worker, which costs it nothing.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from multiprocessing import get_context

forks = get_context("fork")
WORKERS = 2
BATCH = 256


def version(*command):
    """What a program says of its version, the first line of it."""
    end = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return end.stdout.strip().splitlines()[0] if end.stdout.strip() else "unknown"


def until(what, seconds=30):
    """Waits until `what` gives something that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError("a queue did not start in time")


def connect(port):
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Queue:
    """What all of them have. `jobs` says how many jobs the slowest figure is taken from."""

    name = version = durability = ""
    jobs = 2_000
    keeps_results = False

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.server = None
        self.workers = []
        self.heard, self.tell = os.pipe()

    def start(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        os.chmod(self.directory, 0o777)

    def spawn(self, *command, **options):
        log = open(self.directory / "log", "ab")
        self.server = subprocess.Popen(command, stdout=log, stderr=log, **options)

    def start_workers(self):
        for _ in range(WORKERS):
            worker = forks.Process(target=self.work, daemon=True)
            worker.start()
            self.workers.append(worker)

    def end_workers(self):
        for worker in self.workers:
            worker.terminate()
            worker.join()
        self.workers = []

    def end(self):
        self.end_workers()
        if self.server:
            self.server.send_signal(signal.SIGINT)
            try:
                self.server.wait(10)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        self.server = None
        shutil.rmtree(self.directory, ignore_errors=True)
        # Nobody who comes next shall wait for what the disk still has to do.
        os.sync()

    def hear(self, count):
        """Waits until the workers have told of so many ends."""
        while count > 0:
            count -= len(os.read(self.heard, count))

    def work(self):
        """A worker's life."""

    def submit(self, count):
        """Submits so many jobs, each safe when this ends."""

    def wait(self, count):
        """Waits until the jobs that were submitted last have ended."""
        self.hear(count)

    def one(self):
        """One job, from its submission to the news of its end."""
        self.submit(1)
        self.wait(1)

    def measure(self, scale):
        """Figures by their names: jobs/s, and times of single jobs in seconds."""
        count = max(int(self.jobs * scale), 2)
        self.start()
        try:
            begin = time.monotonic()
            self.submit(count)
            found = {"submit": count / (time.monotonic() - begin)}
            self.end()
            self.start()
            self.start_workers()
            self.one()
            times = []
            for _ in range(max(int(1_000 * scale), 2)):
                begin = time.perf_counter()
                self.one()
                times.append(time.perf_counter() - begin)
            begin = time.monotonic()
            self.submit(count)
            self.wait(count)
            found["end to end"] = count / (time.monotonic() - begin)
            return found | {"times": times}
        finally:
            self.end()


class Beanstalkd(Queue):
    """Raw protocol, puts pipelined by 256."""

    name = "beanstalkd"
    durability = "binlog, -f0: every put and delete is synced"
    jobs = 3_000
    port = 0

    def start(self):
        super().start()
        self.version = version("beanstalkd", "-v")
        self.port = free_port()
        self.spawn("beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), "-b",
                   str(self.directory), "-f0")
        self.line = until(lambda: connect(self.port))
        self.replies = self.line.makefile("rb")

    def submit(self, count):
        while count > 0:
            some = min(count, BATCH)
            self.line.sendall(b"put 0 0 3600 1\r\n7\r\n" * some)
            for _ in range(some):
                if not self.replies.readline().startswith(b"INSERTED"):
                    raise RuntimeError("beanstalkd refused a job")
            count -= some

    def work(self):
        line = connect(self.port)
        replies = line.makefile("rb")
        line.sendall(b"reserve\r\n")
        while head := replies.readline().split():
            replies.readline()
            line.sendall(b"delete " + head[1] + b"\r\n")
            replies.readline()
            os.write(self.tell, b".")
            line.sendall(b"reserve\r\n")


class Gearmand(Queue):
    """Raw protocol, background jobs, submissions pipelined by 256."""

    name = "gearmand"
    durability = "libsqlite3 queue with SQLite's default, synchronous=FULL"
    jobs = 1_500
    port = 0

    def start(self):
        super().start()
        self.version = "gearmand " + version("dpkg-query", "-Wf", "${Version}",
                                             "gearman-job-server")
        self.port = free_port()
        self.spawn("gearmand", "--listen=127.0.0.1", f"--port={self.port}",
                   "--queue-type=libsqlite3", f"--libsqlite3-db={self.directory}/queue.db",
                   f"--log-file={self.directory}/gearmand.log",
                   *(["--user=root"] if os.geteuid() == 0 else []))
        self.line = until(lambda: connect(self.port))
        self.replies = self.line.makefile("rb")

    @staticmethod
    def packet(kind, *parts):
        body = b"\0".join(parts)
        return b"\0REQ" + struct.pack(">II", kind, len(body)) + body

    @staticmethod
    def reply(replies):
        head = replies.read(12)
        if len(head) < 12:
            raise RuntimeError("gearmand has gone")
        kind, size = struct.unpack(">II", head[4:])
        return kind, replies.read(size)

    def submit(self, count):
        submit_background, created = 18, 8
        while count > 0:
            some = min(count, BATCH)
            # No unique name: gearmand would take jobs of one name for one job.
            self.line.sendall(b"".join(
                self.packet(submit_background, b"nothing", os.urandom(8).hex().encode(), b"7")
                for _ in range(some)))
            for _ in range(some):
                if self.reply(self.replies)[0] != created:
                    raise RuntimeError("gearmand refused a job")
            count -= some

    def work(self):
        can_do, pre_sleep, no_op, grab, no_job, assigned, complete = 1, 4, 6, 9, 10, 11, 13
        line = connect(self.port)
        replies = line.makefile("rb")
        line.sendall(self.packet(can_do, b"nothing"))
        while True:
            line.sendall(self.packet(grab))
            kind, body = self.reply(replies)
            if kind == assigned:
                line.sendall(self.packet(complete, body.split(b"\0")[0], b"7"))
                os.write(self.tell, b".")
            elif kind == no_job:
                line.sendall(self.packet(pre_sleep))
                while self.reply(replies)[0] != no_op:
                    pass


class Postgres(Queue):
    """A table, SELECT … FOR UPDATE SKIP LOCKED by 256, LISTEN and NOTIFY to wake up."""

    name = "PostgreSQL SKIP LOCKED, 256"
    durability = "fsync and synchronous_commit on, as shipped"
    jobs = 60_000
    keeps_results = True

    def start(self):
        import psycopg2

        super().start()
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.version = version(programs / "postgres", "--version")
        # The server refuses to be root.
        whose = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        home = self.directory / "home"
        subprocess.run([*whose, programs / "initdb", "-D", home, "-A", "trust", "-U", "bench",
                        "--no-locale", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL,
                       cwd="/")
        self.spawn(*whose, programs / "postgres", "-D", home, "-k", self.directory, "-c",
                   "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB",
                   cwd="/")
        self.place = f"host={self.directory} user=bench dbname=postgres"

        def reach():
            try:
                return psycopg2.connect(self.place)
            except psycopg2.OperationalError:
                return None

        self.line = until(reach)
        self.line.autocommit = True
        self.asks = self.line.cursor()
        self.asks.execute("""
            CREATE TABLE jobs (id bigserial PRIMARY KEY, state text NOT NULL DEFAULT 'queued',
                payload text NOT NULL, result text, created_at timestamptz NOT NULL DEFAULT now(),
                finished_at timestamptz);
            CREATE INDEX jobs_queued ON jobs (id) WHERE state = 'queued';
            LISTEN ended;""")

    def submit(self, count):
        while count > 0:
            some = min(count, BATCH)
            self.asks.execute("INSERT INTO jobs (payload) SELECT unnest(%s); NOTIFY added",
                              ([str(number) for number in range(some)],))
            count -= some

    def wait(self, count):
        while True:
            self.line.notifies.clear()
            self.asks.execute("SELECT 1 FROM jobs WHERE state = 'queued' LIMIT 1")
            if not self.asks.fetchone():
                return
            self.rest(self.line)

    @staticmethod
    def rest(line):
        """Waits for news, unless they came with the answer to the last query."""
        if not line.notifies:
            select.select([line], [], [], 0.1)
            line.poll()

    def work(self):
        import psycopg2

        line = psycopg2.connect(self.place)
        asks = line.cursor()
        asks.execute("LISTEN added")
        line.commit()
        while True:
            line.notifies.clear()
            asks.execute("SELECT id, payload FROM jobs WHERE state = 'queued' ORDER BY id"
                         " LIMIT %s FOR UPDATE SKIP LOCKED", (BATCH,))
            jobs = asks.fetchall()
            if jobs:
                asks.execute(
                    "UPDATE jobs SET state = 'succeeded', result = done.result, finished_at = now()"
                    " FROM unnest(%s, %s) AS done (id, result) WHERE jobs.id = done.id;"
                    " NOTIFY ended",
                    ([job[0] for job in jobs], [job[1] for job in jobs]))
            line.commit()
            if not jobs:
                self.rest(line)


class Huey(Queue):
    """Huey on SQLite with two worker processes that look every millisecond."""

    name = "Huey on SQLite"
    durability = "fsync=True: synchronous=FULL"
    jobs = 2_000
    keeps_results = True
    module = """
from huey import SqliteHuey
huey = SqliteHuey(filename={path!r}, fsync=True)
@huey.task()
def nothing(number):
    return number
"""

    def start(self):
        super().start()
        (self.directory / "huey_jobs.py").write_text(
            self.module.format(path=str(self.directory / "huey.db")))
        sys.path.insert(0, str(self.directory))
        sys.modules.pop("huey_jobs", None)
        import huey
        import huey_jobs

        sys.path.pop(0)
        self.version = f"Huey {huey.__version__}"
        self.jobs_module = huey_jobs
        self.last = []

    def start_workers(self):
        consumer = pathlib.Path(sys.executable).with_name("huey_consumer")
        if not consumer.exists():
            consumer = consumer.with_name("huey_consumer.py")
        self.spawn(sys.executable, consumer, "huey_jobs.huey", "-k", "process", "-w",
                   str(WORKERS), "-d", "0.001", "-m", "0.001", "-b", "1", "-n", "-q",
                   cwd=self.directory, env=os.environ | {"PYTHONPATH": str(self.directory)})

    def submit(self, count):
        self.last = [self.jobs_module.nothing(number) for number in range(count)]

    def wait(self, count):
        for result in self.last:
            result.get(blocking=True, backoff=1, max_delay=0.001, timeout=60)


class MillraceByPython(Queue):
    """Millrace as the others are: its client a Python program, over tcp."""

    name = "Millrace, Python client"
    durability = "synchronous=FULL: every reply is synced"
    jobs = 30_000
    keeps_results = True
    program = "millrace"

    def start(self):
        import zmq

        super().start()
        self.version = "Millrace"
        # Not the directory that all may write to: the runner refuses such a one.
        state = self.directory / "state"
        self.port = free_port()
        self.spawn(self.program, "serve", "--no-supervise", "--state", state, "--spool",
                   self.directory / "jobs", "--listen", f"ipc://{state}/run/millrace.sock",
                   "--listen", f"tcp://127.0.0.1:{self.port}", "--workers", str(WORKERS))
        until(lambda: b"millrace takes jobs" in (self.directory / "log").read_bytes())
        self.line = zmq.Context.instance().socket(zmq.DEALER)
        self.line.setsockopt(zmq.LINGER, 0)
        self.line.connect(f"tcp://127.0.0.1:{self.port}")
        self.submitted = 0
        self.pause(True)

    def ask(self, service, body):
        self.line.send_multipart([b"", b"MDPC01", service, body])
        return self.reply()

    def reply(self):
        _, _, _, digits, head, *result = self.line.recv_multipart()
        if digits != b"200":
            raise RuntimeError(f"Millrace answered {digits.decode()}: {head.decode()}")
        return head

    def pause(self, paused):
        self.ask(b"queue.pause" if paused else b"queue.resume", b'{"queue":"default"}')

    def start_workers(self):
        self.pause(False)

    def submit(self, count):
        under_way = 0
        self.submitted += count
        while count > 0 or under_way > 0:
            if count > 0 and under_way < 4:
                some = min(count, BATCH)
                jobs = ",".join('{"kernel":"echo","input":%d}' % number for number in range(some))
                self.line.send_multipart(
                    [b"", b"MDPC01", b"job.submit", b'{"jobs":[' + jobs.encode() + b"]}"])
                count -= some
                under_way += 1
            else:
                self.reply()
                under_way -= 1

    def wait(self, count):
        while True:
            queues = json.loads(self.ask(b"queue.list", b'{"queue":"default"}'))["queues"]
            if queues[0]["counts"]["succeeded"] >= self.submitted:
                return
            time.sleep(0.001)

    def one(self):
        self.submitted += 1
        self.ask(b"job.submit", b'{"kernel":"echo","input":7,"wait_ms":10000}')

    def end(self):
        if self.server:
            self.line.close()
        super().end()
