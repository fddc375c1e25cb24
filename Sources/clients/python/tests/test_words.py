"""Jobs, replies, results and errors, as values."""

import json
import os
import pickle
import tempfile
import unittest

import millrace


def encoded(job):
    frames = []
    return json.loads(millrace._encode(job, frames)), frames


class JobTests(unittest.TestCase):
    def test_bytes_as_each_are_a_csv(self):
        job, frames = encoded({"sql": "select ?", "each": b"n\n1\n", "params": [b"x" * 100_000]})
        self.assertEqual(job["each"], {"$frame": 2})
        self.assertEqual(job["params"], [{"$frame": 3}])
        self.assertEqual(frames, [b"n\n1\n", b"x" * 100_000])
        job, frames = encoded({"sql": "select ?", "each": [[b"\xff"], [float("inf")]]})
        self.assertEqual(job["each"], [[{"base64": "/w=="}], [{"real": "inf"}]])
        self.assertEqual(frames, [])

    def test_bytes_of_a_statement_are_base64_and_long_ones_a_frame(self):
        long = b"x" * millrace._LONG_PARAMETER
        job, frames = encoded({"sql": "select ?, ?, :a", "params": [b"\x00\xff", long, "ä"]})
        self.assertEqual(job["params"], [{"base64": "AP8="}, {"$frame": 2}, "ä"])
        self.assertEqual(frames, [long])

    def test_bytes_of_a_kernels_input_are_frames(self):
        job, frames = encoded({"kernel": "k", "input": {"a": b"1", "b": [bytearray(b"2")]}})
        self.assertEqual(job["input"], {"a": {"$frame": 2}, "b": [{"$frame": 3}]})
        self.assertEqual(frames, [b"1", b"2"])

    def test_infinite_reals_are_wrapped_among_parameters_and_refused_elsewhere(self):
        job, _ = encoded({"sql": "select :a", "params": {"a": float("-inf"), "b": 1.5}})
        self.assertEqual(job["params"], {"a": {"real": "-inf"}, "b": 1.5})
        job, _ = encoded({"sql": "select ?", "each": [[float("inf")], (1,)]})
        self.assertEqual(job["each"], [[{"real": "inf"}], [1]])
        for job in ({"kernel": "k", "input": float("inf")}, {"sql": "", "params": [float("nan")]}):
            with self.assertRaises(ValueError):
                encoded(job)

    def test_integers_are_written_whole(self):
        job, _ = encoded({"sql": "select ?", "params": [2**63 - 1, -(2**63)]})
        self.assertEqual(job["params"], [9223372036854775807, -9223372036854775808])

    def test_a_job_stands_for_its_id_and_nothing_else_is_guessed(self):
        with millrace.Millrace("tcp://127.0.0.1:1") as mill:
            job, _ = encoded({"kernel": "k", "after": [mill.job(7), 8]})
        self.assertEqual(job["after"], [7, 8])
        with self.assertRaisesRegex(TypeError, "A job cannot hold a set"):
            encoded({"kernel": "k", "input": {1}})


class ResultTests(unittest.TestCase):
    def rows(self, text, **head):
        return millrace._decode({"format": "json", "rows": 1, **head}, text.encode())

    def test_rows_are_lists_or_dicts_and_values_keep_their_type(self):
        rows = self.rows(
            '{"columns":["a","b"],"rows":[[9007199254740993,{"base64":"AP8="}],'
            '[null,{"real":"inf"}]],"changes":3,"last_insert_rowid":9}'
        )
        self.assertEqual(rows, [[9007199254740993, b"\x00\xff"], [None, float("inf")]])
        self.assertEqual(next(rows.dicts()), {"a": 9007199254740993, "b": b"\x00\xff"})
        self.assertEqual((rows.changes, rows.last_insert_rowid), (3, 9))

    def test_a_kernels_json_is_left_as_it_is(self):
        found = millrace._decode({"format": "json"}, b'{"base64":"AP8="}')
        self.assertEqual(found, {"base64": "AP8="})
        self.assertEqual(millrace._decode({"format": "bytes"}, b"\x00"), b"\x00")

    def test_lines_are_dicts_also_when_a_column_has_an_odd_name(self):
        found = millrace._decode(
            {"format": "jsonl", "rows": 2}, b'{"base64":"x"}\n{"base64":{"base64":"AP8="}}\n'
        )
        self.assertEqual(found, [{"base64": "x"}, {"base64": b"\x00\xff"}])
        self.assertEqual(millrace._decode({"format": "csv"}, b"a\r\n1\r\n"), "a\r\n1\r\n")


class ErrorTests(unittest.TestCase):
    def test_a_refusal_says_all_that_the_runner_said(self):
        error = {
            "code": "queue_full",
            "message": "Full.",
            "hint": "Wait.",
            "field": "queue",
            "retry_after_ms": 9,
        }
        with self.assertRaises(millrace.Refused) as caught:
            millrace._good(millrace.Reply("job.submit", 429, {"error": error}, []))
        refused = caught.exception
        self.assertEqual(
            (refused.status, refused.code, refused.field), (429, "queue_full", "queue")
        )
        self.assertEqual((refused.retry_after_ms, str(refused)), (9, "Full. Wait."))

    def test_a_refusal_that_says_nothing_is_one_too(self):
        for head in ({}, {"error": "odd"}):
            with self.assertRaisesRegex(millrace.Refused, "answered 500"):
                millrace._good(millrace.Reply("s", 500, head, []))

    def test_a_failed_job_raises_and_a_cancelled_one_as_a_future_does(self):
        import concurrent.futures

        error = {"code": "sql_error", "message": "No.", "sqlite_code": 1, "offset": 3}
        head = {"id": 5, "attempt": 2, "error": error}
        with self.assertRaises(millrace.JobFailed) as caught:
            millrace._ended(millrace.Reply("", 200, {"state": "failed", **head}, []))
        failed = caught.exception
        self.assertEqual(
            (failed.id, failed.attempt, failed.offset, failed.sqlite_code), (5, 2, 3, 1)
        )
        with self.assertRaises(concurrent.futures.CancelledError):
            millrace._ended(millrace.Reply("", 200, {"state": "cancelled", **head}, []))

    def test_errors_can_be_sent_to_other_processes(self):
        failed = millrace.JobFailed("No.", "sql_error", "Mend it.")
        failed.id = 5
        for error in (failed, millrace.NoRunner("Nobody."), millrace.NotEnded("Not yet.")):
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), str(again)), (type(error), str(error)))
        self.assertEqual(pickle.loads(pickle.dumps(failed)).id, 5)

    def test_messages_of_another_shape_are_no_replies(self):
        good = [b"", b"MDPC01", b"s", b"200", b"{}"]
        self.assertEqual(millrace._read(good), millrace.Reply("s", 200, {}, []))
        self.assertEqual(millrace._read(good[:4]), millrace.Reply("s", 200, {}, []))
        deep = b"[" * 1_000_000
        for place, frame in (
            (0, b"x"),
            (1, b"MDPC02"),
            (2, b"\xff"),
            (3, b"2OO"),
            (3, b"20"),
            (4, b"[]"),
            (4, b"{"),
            (4, deep),
        ):
            odd = [*good]
            odd[place] = frame
            self.assertIsNone(millrace._read(odd), frame[:9])
        self.assertIsNone(millrace._read([]))


class PlaceTests(unittest.TestCase):
    def test_a_runner_is_found_as_the_program_finds_it(self):
        socket = "/s/run/millrace.sock"
        for environ, there, found in (
            ({"MILLRACE_CONNECT": "tcp://mill:1", "MILLRACE_STATE": "/s"}, socket, "tcp://mill:1"),
            ({"MILLRACE_CONNECT": "", "MILLRACE_STATE": "/s"}, socket, f"ipc://{socket}"),
            (
                {"HOME": "/h"},
                "/h/.local/state/millrace/run/millrace.sock",
                "ipc:///h/.local/state/millrace/run/millrace.sock",
            ),
            ({"HOME": "/h", "MILLRACE_STATE": "/s"}, "/h", "tcp://127.0.0.1:5555"),
            ({}, "", "tcp://127.0.0.1:5555"),
        ):
            self.assertEqual(millrace.find_runner(environ, lambda path: path == there), found)

    def test_a_key_is_a_file_that_nobody_else_can_read(self):
        import zmq

        public, secret = zmq.curve_keypair()
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/ada.key"
            with open(path, "wb") as file:
                file.write(secret + b"\n")
            os.chmod(path, 0o600)
            found = millrace._Keys.find(public.decode(), path)
            self.assertEqual(found, millrace._Keys(public, public, secret))
            with self.assertRaisesRegex(ValueError, "belong together"):
                millrace._Keys.find(None, path)
            with self.assertRaisesRegex(ValueError, "40 characters"):
                millrace._Keys.find("short", path)
            os.chmod(path, 0o640)
            with self.assertRaisesRegex(PermissionError, "chmod 600"):
                millrace._Keys.find(public.decode(), path)
        self.assertIsNone(millrace._Keys.find(None, None))


class BatchTests(unittest.TestCase):
    def cut(self, inputs, size=500, work="k"):
        batches = millrace._Batches(millrace._jobs_of(work, inputs, {}), millrace._encode, size)
        found = []
        while (following := batches.next()) is not None:
            call, count = following
            jobs = json.loads(call.body)["jobs"]
            self.assertEqual(len(jobs), count)
            found.append((jobs, list(call.frames)))
        return found

    def test_a_stream_is_cut_by_number_and_by_size(self):
        self.assertEqual([len(jobs) for jobs, _ in self.cut(range(5), size=2)], [2, 2, 1])
        self.assertEqual(self.cut([]), [])
        half = "x" * (millrace._BATCH_BYTES // 2)
        self.assertEqual([len(jobs) for jobs, _ in self.cut([half, half, "", ""])], [1, 3])

    def test_frames_have_the_numbers_of_their_own_message(self):
        found = self.cut([b"%d" % n for n in range(25)])
        self.assertEqual([len(frames) for _, frames in found], [11, 11, 3])
        for jobs, frames in found:
            self.assertEqual(
                [job["input"]["$frame"] for job in jobs], list(range(2, 2 + len(frames)))
            )
        self.assertEqual(
            [frame for _, frames in found for frame in frames], [b"%d" % n for n in range(25)]
        )

    def test_a_name_is_a_kernel_and_the_rest_is_sql(self):
        key = {"key": "night", "priority": 3}
        self.assertEqual(
            list(millrace._jobs_of("my-kernel_2", [1], {})), [{"kernel": "my-kernel_2", "input": 1}]
        )
        self.assertEqual(
            list(millrace._jobs_of("select ?", [[1], [2]], key)),
            [
                {"key": "night-0", "priority": 3, "sql": "select ?", "params": [1]},
                {"key": "night-1", "priority": 3, "sql": "select ?", "params": [2]},
            ],
        )
