"""What the tests share: the real runner, to be killed, and a false one to lose replies."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

import zmq

_ROOT = pathlib.Path(__file__).resolve().parents[4]
PROGRAM = os.environ.get("MILLRACE_TEST_PROGRAM", str(_ROOT / ".build/debug/millrace"))
# Ten times what a loaded machine needs, in seconds.
PATIENCE = 60


class Runner:
    """The built program in a directory of its own, with the writable database `own`. A reply has
    at most 64 KiB of a result, so that small ones are large. FOLDER in the settings is its own."""

    def __init__(self, settings="", files=None):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-")
        path = self.directory.name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.tcp = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.state, self.ipc = f"{path}/state", f"ipc://{path}/state/run/millrace.sock"
        open(f"{path}/own.db", "w").close()
        command = f"serve --no-supervise --state {self.state} --spool {path}/jobs --workers 2"
        command += f" --listen {self.ipc} --listen {self.tcp} --database own={path}/own.db:write"
        for name, text in (files or {}).items():
            self.write(name, text)
        text = "limits:\n  reply_bytes: 65536\n" + settings
        self._command = [
            PROGRAM,
            *command.split(),
            "--settings",
            self.write("s.yaml", text.replace("FOLDER", path)),
        ]
        self.start()

    def write(self, name, text):
        """A file that nobody else can read."""
        path = f"{self.directory.name}/{name}"
        with open(path, "w") as file:
            os.chmod(path, 0o600)
            file.write(text)
        return path

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
        self._log = open(f"{self.directory.name}/log", "ab")
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=self._log, env=environment
        )
        line = self._process.stdout.readline()
        assert line.startswith(b"millrace takes jobs at"), open(self._log.name).read()

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def close(self):
        self.kill()
        self.directory.cleanup()


class FalseRunner:
    """Answers pings by itself and `sys.info` with `info`; all else as `answer(number, service,
    body, frames)` says: a list of (status, head, frames), several or none."""

    def __init__(self, answer, info=None):
        self._answer, self._info = answer, info or (lambda: {"run": 1})
        self.heard = []
        self._context = zmq.Context()
        router = self._context.socket(zmq.ROUTER)
        router.linger = 0
        self.endpoint = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        self._thread = threading.Thread(target=self._serve, args=(router,), daemon=True)
        self._thread.start()

    def _serve(self, router):
        number = 0
        while True:
            try:
                client, _, protocol, service, text, *frames = router.recv_multipart()
            except zmq.ContextTerminated:
                return router.close()
            body = json.loads(text)
            if service == b"sys.ping":
                answers = [(200, {}, [])]
            elif service == b"sys.info":
                answers = [(200, self._info(), [])]
            else:
                self.heard.append((service.decode(), body, frames))
                answers = self._answer(number, service.decode(), body, frames)
                number += 1
            for status, head, found in answers:
                head = json.dumps({"request": body["request"], **head}).encode()
                digits = str(status).encode()
                router.send_multipart([client, b"", protocol, service, digits, head, *found])

    def close(self):
        self._context.term()
        self._thread.join()
