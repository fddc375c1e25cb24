"""The client against the real runner, and against a false one where replies are to be lost."""

import asyncio
import concurrent.futures
import io
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

import zmq

from millrace import (
    AsyncMillrace,
    BadReply,
    JobCancelled,
    JobFailed,
    Millrace,
    MillraceError,
    NoRunner,
    NotEnded,
    Refused,
    Unanswered,
    _reachable,
)

from .stage import PATIENCE, FalseRunner, Runner

NUMBERS = "with recursive c(n) as (select 1 union all select n + 1 from c where n < 50000) "
LARGE = NUMBERS + "select n from c"
LARGE_BYTES = 388_932  # of its JSON


class RunnerTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = Runner()
        cls.mill = Millrace(cls.runner.ipc)

    @classmethod
    def tearDownClass(cls):
        cls.mill.close()
        cls.runner.close()

    def sleeping(self):
        """A job that holds a worker until the test ends."""
        job = self.mill.submit(kernel="sleep", input={"ms": 600_000})
        self.addCleanup(self.mill.cancel, state="running")
        return job

    def test_a_statement_gives_rows(self):
        job = self.mill.submit(sql="SELECT ? * 7 AS answer", params=[6])
        self.assertEqual(job.result(PATIENCE), [[42]])
        self.assertEqual(list(job.result().dicts()), [{"answer": 42}])
        self.assertEqual((job.state, job.done(), job.exception()), ("succeeded", True, None))
        self.assertEqual(self.mill.job(job.id).show()["kind"], "sql")

    def test_a_statement_runs_with_each_row(self):
        self.assertEqual(self.mill.run(sql="SELECT ? * 7 AS n", each=[[1], [6]]), [[7], [42]])
        rows = self.mill.run(sql="SELECT :b AS b, :a AS a", each=b"a,b\r\n1,x\r\n,\r\n")
        self.assertEqual(rows, [["x", 1], [None, None]])

    def test_values_come_back_as_they_went(self):
        values = [
            2**63 - 1,
            -(2**63),
            2**53 + 1,
            0.1,
            float("inf"),
            None,
            "ä\0",
            b"\x00\xff",
            b"y" * 200_000,
        ]
        marks = ", ".join("?" * len(values))
        self.assertEqual(self.mill.run(sql=f"select {marks}", params=values), [values])
        self.assertEqual(self.mill.run(sql="select :a", params={"a": b""}), [[b""]])
        self.assertEqual(self.mill.run(kernel="echo", input=b"\x00\xff"), b"\x00\xff")
        self.assertEqual(self.mill.run(kernel="echo", input={"n": 2**53 + 1}), {"n": 2**53 + 1})
        found = self.mill.run(kernel="digest", input={"bytes": b"abc"})
        self.assertTrue(found["sha256"].startswith("ba7816bf"))

    def test_events_are_told_as_they_happen(self):
        for endpoint in (self.runner.ipc, self.runner.tcp):
            with Millrace(endpoint) as mill:
                events = mill.events("job.", timeout=PATIENCE)
                before = time.monotonic()
                while mill.stats()["events"]["subscriptions"] < 1:
                    self.assertLess(time.monotonic() - before, PATIENCE)
                job = mill.submit(sql="select 1")
                heard = []
                for event in events:
                    if event["id"] == job.id and event["state"] != "running":
                        heard.append(event["topic"])
                    if event["topic"] == f"job.{job.id}.succeeded":
                        break
                self.assertEqual(heard, [f"job.{job.id}.queued", f"job.{job.id}.succeeded"])
                events.close()
                self.assertEqual(list(mill.events("queue.", timeout=0.05)), [])

    def test_events_are_reached_as_the_runner_is(self):
        both = ["ipc:///a/b", "tcp://0.0.0.0:7"]
        self.assertEqual(_reachable(both, "ipc:///a/c"), "ipc:///a/b")
        self.assertEqual(_reachable(both, "tcp://mill:5555"), "tcp://mill:7")
        self.assertEqual(_reachable(["tcp://10.0.0.1:7"], "tcp://mill:5555"), "tcp://10.0.0.1:7")
        self.assertEqual(_reachable(both[:1], "tcp://127.0.0.1:5555"), "ipc:///a/b")
        self.assertEqual(_reachable(both[1:], "ipc:///a/c"), "tcp://0.0.0.0:7")
        for none in ([], None, both[:1]):
            self.assertRaises(MillraceError, _reachable, none, "tcp://mill:5555")

    def test_a_key_is_one_job(self):
        first = self.mill.submit(sql="select 1", key="one")
        second = self.mill.submit(sql="select 1", key="one")
        self.assertEqual((first.id, first.created, second.created), (second.id, True, False))
        with self.assertRaises(Refused) as caught:
            self.mill.submit(sql="select 2", key="one")
        self.assertEqual((caught.exception.status, caught.exception.code), (409, "key_conflict"))

    def test_a_refusal_names_the_field(self):
        with self.assertRaises(Refused) as caught:
            self.mill.submit(sql="select 1", prioritty=3)
        self.assertEqual(
            (caught.exception.code, caught.exception.field), ("unknown_field", "prioritty")
        )
        with self.assertRaises(Refused) as caught:
            self.mill.job(10**12).result()
        self.assertEqual(caught.exception.code, "unknown_job")

    def test_a_message_that_is_too_large_is_said_to_be(self):
        with self.assertRaisesRegex(MillraceError, "The runner takes 16777216 bytes"):
            self.mill.run(kernel="echo", input=b"x" * (17 << 20))

    def test_a_bad_end_is_an_exception(self):
        job = self.mill.submit(sql="select 1; selec")
        with self.assertRaises(JobFailed) as caught:
            job.result(PATIENCE)
        self.assertEqual((caught.exception.code, caught.exception.id), ("sql_error", job.id))
        self.assertIsInstance(job.exception(PATIENCE), JobFailed)

    def test_a_job_that_runs_is_waited_for_and_called_off(self):
        job = self.sleeping()
        with self.assertRaises(concurrent.futures.TimeoutError):
            job.result(timeout=0.01)
        self.assertFalse(job.wait(0) or job.done())
        self.assertTrue(job.cancel())
        self.assertTrue(job.wait(PATIENCE))
        self.assertTrue(job.cancelled())
        with self.assertRaises(concurrent.futures.CancelledError):
            job.exception()
        self.assertFalse(job.cancel())
        self.assertEqual(self.mill.retry([job]), 1)
        self.assertEqual((self.mill.cancel([job.id]), self.mill.cancel([])), (1, 0))
        self.assertTrue(job.wait(PATIENCE))
        self.assertEqual(self.mill.delete([job]), 1)

    def test_a_filter_is_given_or_jobs(self):
        with self.assertRaises(ValueError):
            self.mill.cancel([1], state="queued")
        with self.assertRaises(Refused):
            self.mill.cancel()

    def test_many_jobs_are_handed_over_and_waited_for_together(self):
        jobs = self.mill.submit_many(
            {"kernel": "sum", "input": {"numbers": [n]}} for n in range(2_500)
        )
        self.assertEqual(self.mill.wait(jobs, PATIENCE), (set(jobs), set()))
        self.assertEqual([job.result()["sum"] for job in jobs[-3:]], [2497, 2498, 2499])
        self.assertEqual(self.mill.submit_many([]), [])
        open_job = self.sleeping()
        waited = self.mill.wait([*jobs, open_job], 0)
        self.assertEqual((len(waited.done), waited.not_done), (2_500, {open_job}))
        open_job.cancel()
        before = self.mill.stats()["counts"]
        with self.assertRaises(Refused):
            self.mill.submit_many([{"sql": "select 1"}, {"sql": "select 1", "mode": "odd"}])
        self.assertEqual(sum(self.mill.stats()["counts"].values()), sum(before.values()))

    def test_jobs_are_told_as_they_end(self):
        slow = self.sleeping()
        quick = self.mill.submit_many([{"kernel": "echo", "input": n} for n in range(600)])
        ends = self.mill.as_completed([slow, *quick], PATIENCE)
        self.assertEqual({next(ends) for _ in quick}, set(quick))
        slow.cancel()
        self.assertEqual(list(ends), [slow])

    def test_whoever_is_called_back_may_ask_the_runner(self):
        told = concurrent.futures.Future()
        job = self.sleeping()
        job.add_done_callback(lambda job: told.set_result((threading.current_thread(), job.state)))
        job.cancel()
        thread, state = told.result(PATIENCE)
        self.assertEqual(state, "cancelled")
        self.assertIsNot(thread, threading.current_thread())

    def test_futures_are_those_of_the_library(self):
        done = self.mill.submit(sql="select 1").future()
        slow = self.sleeping()
        found = concurrent.futures.wait(
            [done, slow.future()], PATIENCE, concurrent.futures.FIRST_COMPLETED
        )
        self.assertEqual(found, ({done}, {slow.future()}))
        slow.cancel()
        self.assertIsInstance(slow.future().exception(PATIENCE), JobCancelled)

    def test_its_own_thread_is_told_that_it_cannot_wait(self):
        told = concurrent.futures.Future()
        job = self.sleeping()

        def ask(_):
            try:
                told.set_result(job.state)
            except RuntimeError as error:
                told.set_exception(error)

        job.future().add_done_callback(ask)
        job.cancel()
        with self.assertRaises(RuntimeError):
            told.result(PATIENCE)

    def test_many_threads_share_a_client(self):
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            found = threads.map(lambda n: self.mill.run(sql="select ?", params=[n]), range(200))
            self.assertEqual(list(found), [[[n]] for n in range(200)])

    def test_a_large_result_comes_whole_or_in_pieces(self):
        job = self.mill.submit(sql=LARGE)
        self.assertTrue(job.wait(PATIENCE))
        pieces = list(job.pieces(50_000))
        self.assertEqual([len(piece) for piece in pieces], 7 * [50_000] + [38_932])
        self.assertEqual(len(list(job.pieces())), 6, "no more is asked for than a reply may hold")
        file = io.BytesIO()
        self.assertEqual(job.save(file), LARGE_BYTES)
        self.assertEqual(file.getvalue(), b"".join(pieces))
        path = self.runner.directory.name + "/large.json"
        self.assertEqual(job.save(path), LARGE_BYTES)
        for rows in (job.result(), self.mill.run(sql=LARGE)):
            self.assertEqual(rows, [[n] for n in range(1, 50_001)])
        with self.assertRaises(NotEnded):
            next(self.sleeping().pieces())

    def test_a_list_is_read_page_by_page(self):
        self.mill.submit_many([{"sql": "select 1", "queue": "pages"}] * 1_500)
        ids = [job["id"] for job in self.mill.jobs(queue="pages")]
        self.assertEqual((len(ids), ids), (1_500, sorted(ids, reverse=True)))

    def test_a_map_gives_results_in_order(self):
        inputs = ({"numbers": [n, 0.5]} for n in range(3_000))
        found = self.mill.map("sum", inputs, batch=100, ahead=400)
        self.assertEqual([end["sum"] for end in found], [n + 0.5 for n in range(3_000)])
        self.assertEqual(list(self.mill.map("sum", [])), [])
        self.assertEqual(list(self.mill.map("echo", [b"a", b"b"] * 20)), [b"a", b"b"] * 20)

    def test_a_map_takes_inputs_on_the_thread_of_who_asks(self):
        database = sqlite3.connect(":memory:")  # It lets no other thread in.
        outer = database.execute(NUMBERS + "select n from c limit 50")
        inner = self.mill.map("select ? + 1", outer, batch=7, ahead=7)
        found = self.mill.map("select ? * 2", (rows[0] for rows in inner), batch=3, ahead=5)
        self.assertEqual([rows[0][0] for rows in found], [2 * (n + 1) for n in range(1, 51)])

    def test_a_map_takes_no_more_than_it_may_be_ahead(self):
        taken = []
        inputs = (taken.append(n) or n for n in range(1_000))
        found = self.mill.map("echo", inputs, batch=10, ahead=30)
        self.assertEqual([next(found) for _ in range(5)], list(range(5)))
        self.assertLessEqual(len(taken), 5 + 30 + 2 * 10)
        found.close()
        self.assertEqual(self.mill.run(sql="select 1"), [[1]])

    def test_a_map_raises_or_hands_out_what_failed(self):
        inputs = [[1], [], [3]]
        found = self.mill.map("select ?", inputs)
        self.assertEqual(next(found), [[1]])
        with self.assertRaises(JobFailed):
            next(found)
        found = list(self.mill.map("select ?", inputs, return_exceptions=True))
        self.assertEqual((found[0], type(found[1]), found[2]), ([[1]], JobFailed, [[3]]))

    def test_a_map_with_a_key_is_the_same_the_second_time(self):
        def run():
            return list(
                self.mill.map("select ?", [[n] for n in range(20)], key="night", queue="again")
            )

        self.assertEqual(run(), run())
        self.assertEqual(len(list(self.mill.jobs(queue="again"))), 20)


class RestartTests(unittest.TestCase):
    def test_a_map_outlives_the_runner_and_no_job_is_lost_or_doubled(self):
        runner = Runner()
        self.addCleanup(runner.close)
        with Millrace(runner.tcp, patience=1, tries=60) as mill:
            write = "insert into t values (?)"
            mill.run(sql="create table t (n)", database="own", mode="write")
            found = mill.map(
                write, ([n] for n in range(900)), batch=50, ahead=200, database="own", mode="write"
            )
            for _ in range(2):
                for _ in range(100):
                    next(found)
                runner.kill()
                runner.start()
            self.assertEqual(len(list(found)), 700)
            rows = mill.run(sql="select count(*), count(distinct n) from t", database="own")
            self.assertEqual(rows, [[900, 900]])

    def test_who_waits_hears_of_the_end_after_a_restart(self):
        runner = Runner()
        self.addCleanup(runner.close)
        with Millrace(runner.ipc, patience=1, tries=60) as mill:
            job = mill.submit(kernel="sleep", input={"ms": 1_000})
            future = job.future()
            runner.kill()
            runner.start()
            self.assertEqual(future.result(PATIENCE), {"slept_ms": 1_000})

    def test_a_closed_client_leaves_nobody_waiting(self):
        runner = Runner()
        self.addCleanup(runner.close)
        mill = Millrace(runner.ipc)
        job = mill.submit(kernel="sleep", input={"ms": 600_000})
        future = job.future()
        mill.close()
        mill.close()
        with self.assertRaisesRegex(MillraceError, "closed"):
            future.result(PATIENCE)
        with self.assertRaisesRegex(MillraceError, "closed"):
            mill.ping()
        with self.assertRaises(RuntimeError), Millrace(runner.ipc) as again:
            again.ping()
            raise RuntimeError

    def test_a_program_that_forgets_to_close_ends_all_the_same(self):
        runner = Runner()
        self.addCleanup(runner.close)
        text = (
            "import millrace; mill = millrace.Millrace(%r); job = mill.submit(kernel='sleep', "
            "input={'ms': 600000}); job.add_done_callback(print); print(job.done())" % runner.ipc
        )
        done = subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            timeout=PATIENCE,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"False\n", b""))

    def test_keys_open_the_door(self):
        server, secret = zmq.curve_keypair()
        mine, my_secret = zmq.curve_keypair()
        runner = Runner(
            f"curve:\n  secret_key: FOLDER/runner.key\n  clients:\n"
            f"    ada: {{key: '{mine.decode()}', role: submit}}\n",
            {"runner.key": secret.decode()},
        )
        self.addCleanup(runner.close)
        path = runner.write("ada.key", my_secret.decode())
        with Millrace(runner.tcp, server_key=server.decode(), secret_key=path) as mill:
            self.assertEqual(mill.submit(sql="select 6 * 7").show()["owner"], "ada")
        with Millrace(runner.tcp) as stranger, self.assertRaises(NoRunner):
            stranger.ping()


class LostReplyTests(unittest.TestCase):
    def stage(self, answer, info=None, **options):
        runner = FalseRunner(answer, info)
        mill = Millrace(runner.endpoint, **{"patience": 0.3, "tries": 20, **options})
        self.addCleanup(runner.close)
        self.addCleanup(mill.close)
        return runner, mill

    def test_a_submission_whose_reply_is_lost_is_sent_again_with_the_same_key(self):
        accepted = (200, {"id": 7, "state": "queued", "created": False}, [])
        runner, mill = self.stage(lambda number, *_: [accepted] if number > 1 else [])
        self.assertEqual(mill.submit(sql="select 1").id, 7)
        self.assertGreaterEqual(len(runner.heard), 3)
        self.assertEqual(len({str(heard) for heard in runner.heard}), 1)
        self.assertTrue(runner.heard[0][1]["key"])
        mill.submit(sql="select 1")
        self.assertNotEqual(runner.heard[-1][1]["key"], runner.heard[0][1]["key"])

    def test_a_runner_that_answers_pings_alone_is_not_waited_for_without_end(self):
        runner, mill = self.stage(lambda *_: [], tries=2)
        with self.assertRaises(Unanswered):
            mill.stats()
        self.assertEqual(len(runner.heard), 2)

    def test_what_must_not_be_done_twice_is_sent_once(self):
        answers, looks = [[]], []

        def info():
            looks.append(0)
            return {"run": 1 if len(looks) < 4 else 2}

        runner, mill = self.stage(lambda *_: answers[0], info)
        with self.assertRaisesRegex(Unanswered, "may have been done"):
            mill.retry(state="failed")
        self.assertEqual([service for service, _, _ in runner.heard], ["job.retry"])
        answers[0] = [(200, {"count": 3}, [])]
        self.assertEqual(mill.retry(state="failed"), 3)

    def test_pieces_of_two_attempts_are_never_put_together(self):
        def answer(number, service, body, frames):
            if "offset" not in body:
                return [(413, {"error": {"code": "read_in_pieces", "message": "Large."}}, [])]
            head = {
                "id": 1,
                "state": "succeeded",
                "attempt": number,
                "offset": body["offset"],
                "eof": False,
            }
            return [(200, head, [b"x"])]

        _, mill = self.stage(answer)
        with self.assertRaisesRegex(BadReply, "changed while it was read"):
            mill.job(1).result()

    def test_an_empty_piece_before_the_end_is_no_reason_to_ask_for_ever(self):
        head = {"id": 1, "state": "succeeded", "attempt": 1, "offset": 0, "eof": False}
        _, mill = self.stage(lambda *_: [(200, head, [b""])])
        with self.assertRaisesRegex(BadReply, "empty"):
            list(mill.job(1).pieces())

    def test_an_answer_that_lacks_what_the_protocol_promises_is_told_as_such(self):
        _, mill = self.stage(lambda *_: [(200, {"ids": [1]}, [])])
        for ask in (
            lambda: mill.submit(sql=""),
            lambda: mill.submit_many([{"sql": ""}, {"sql": ""}]),
            lambda: mill.cancel([1]),
            lambda: mill.job(1).wait(0),
            lambda: next(mill.jobs()),
        ):
            with self.assertRaises(BadReply):
                ask()

    def test_a_map_waits_where_there_is_no_room(self):
        def answer(number, service, body, frames):
            if service == "job.submit" and number < 3:
                return [(429, {"error": {"code": "queue_full", "retry_after_ms": 1}}, [])]
            if service == "job.submit":
                return [(200, {"ids": list(range(len(body["jobs"])))}, [])]
            head = {"id": body["id"], "state": "succeeded", "attempt": 1, "format": "json"}
            return [(200, head, [b"%d" % body["id"]])]

        runner, mill = self.stage(answer)
        self.assertEqual(list(mill.map("echo", "abc")), [0, 1, 2])
        self.assertEqual(
            len({str(body["jobs"]) for _, body, _ in runner.heard if "jobs" in body}), 1
        )


class AsyncTests(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = Runner()

    @classmethod
    def tearDownClass(cls):
        cls.runner.close()

    async def asyncSetUp(self):
        self.mill = AsyncMillrace(self.runner.tcp)
        self.addAsyncCleanup(self.mill.close)

    async def sleeping(self):
        job = await self.mill.submit(kernel="sleep", input={"ms": 600_000})
        self.addAsyncCleanup(job.cancel)
        return job

    async def test_a_job_is_awaited(self):
        job = await self.mill.submit(sql="SELECT ? * 7 AS answer", params=[6])
        self.assertEqual((await job, await job.result(), await job.wait()), ([[42]], [[42]], True))
        self.assertEqual((await job.show())["state"], "succeeded")
        self.assertIsNone(await job.exception())

    async def test_more_are_waited_for_at_a_time_than_a_runner_allows(self):
        slow = await self.sleeping()
        jobs = await self.mill.submit_many(
            [{"kernel": "echo", "input": 1, "delay_ms": 500}] * 1_200
        )
        waiting = asyncio.ensure_future(slow.result())
        found = await asyncio.gather(*(job.result() for job in jobs))
        self.assertEqual(found, [1] * 1_200)
        self.assertTrue(await slow.cancel())
        with self.assertRaises(JobCancelled):
            await waiting

    async def test_the_loop_goes_on_while_a_job_is_awaited(self):
        slow = await self.sleeping()
        waiting = asyncio.ensure_future(slow.result())
        self.assertEqual(await self.mill.run(sql="select 1", timeout=PATIENCE), [[1]])
        waiting.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await waiting
        self.assertEqual(await self.mill.run(sql="select 2"), [[2]])
        self.assertEqual(await self.mill.cancel([slow]), 1)

    async def test_a_map_gives_results_in_order(self):
        inputs = ({"numbers": [n]} for n in range(1_000))
        found = [end["sum"] async for end in self.mill.map("sum", inputs, batch=64, ahead=200)]
        self.assertEqual(found, list(range(1_000)))
        async for end in self.mill.map("select ?", ([n] for n in range(500))):
            self.assertEqual(end, [[0]])
            break

    async def test_a_large_result_comes_in_pieces(self):
        job = await self.mill.submit(sql=LARGE)
        self.assertTrue(await job.wait(PATIENCE))
        self.assertEqual(sum([len(piece) async for piece in job.pieces()]), LARGE_BYTES)
        self.assertEqual(len(await job), 50_000)

    async def test_a_list_is_read_page_by_page(self):
        await self.mill.submit_many([{"sql": "select 1", "queue": "pages"}] * 1_500)
        ids = [job["id"] async for job in self.mill.jobs(queue="pages")]
        self.assertEqual(len(ids), 1_500)

    async def test_where_nobody_listens_there_is_no_runner(self):
        with zmq.Context() as context, context.socket(zmq.ROUTER) as mute:
            mute.linger = 0
            port = mute.bind_to_random_port("tcp://127.0.0.1")
            async with AsyncMillrace(f"tcp://127.0.0.1:{port}") as mill:
                with self.assertRaises(NoRunner):
                    await mill.ping()

    async def test_a_closed_client_leaves_nobody_waiting(self):
        mill = AsyncMillrace(self.runner.ipc)
        slow = await mill.submit(kernel="sleep", input={"ms": 600_000})
        waiting = asyncio.ensure_future(slow.result())
        await mill.ping()
        await mill.close()
        with self.assertRaisesRegex(MillraceError, "closed"):
            await waiting
        self.assertEqual(await self.mill.cancel([slow]), 1)
