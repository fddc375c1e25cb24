"""What is sent, sent again and given up, at moments that the tests choose."""

import json
import unittest

import millrace
from millrace import _Answer, _Call, _Mail, _Reconnect, _Send


class Stage:
    """A client's mail, and what came of it."""

    def __init__(self, patience=2.5, tries=3, greeted=True):
        self.mail = _Mail("tcp://mill:1", False, patience, tries)
        self.sent, self.answers, self.connections = [], [], 0
        if greeted:
            self.hear(0, {}, service="sys.ping")

    def post(self, now, service="job.show", **fields):
        call = _Call(service, b'{"id":1}', **fields)
        self.mail.post(call, now)
        self.take()
        return call

    def hear(self, now, head, status=200, service="job.show"):
        text = json.dumps(head).encode()
        message = [b"", b"MDPC01", service.encode(), str(status).encode(), text]
        self.mail.hear(message, now)
        self.take()

    def answer(self, now, call, status=200, **head):
        self.hear(now, {"request": call.name, **head}, status, call.service)

    def look(self, now):
        self.mail.look(now)
        self.take()

    def take(self):
        for action in self.mail.take():
            if isinstance(action, _Reconnect):
                self.connections += 1
            elif isinstance(action, _Answer):
                self.answers.append(action)
            else:
                assert isinstance(action, _Send)
                body = json.loads(action.message[3])
                self.sent.append((action.message[2].decode(), body["request"], body))

    def names(self, since=0):
        return [name for _, name, _ in self.sent[since:]]


class MailTests(unittest.TestCase):
    def test_what_has_no_answer_is_sent_again_unchanged_over_a_new_connection(self):
        stage = Stage()
        call = stage.post(10)
        stage.look(12.4)
        self.assertEqual((len(stage.sent), stage.connections), (1, 0))
        stage.look(12.5)
        self.assertEqual(stage.connections, 1)
        self.assertEqual(stage.sent, [("job.show", call.name, {"id": 1, "request": call.name})] * 2)
        stage.answer(13, call, state="queued")
        self.assertEqual(stage.answers[0].answer.head["state"], "queued")
        stage.answer(13, call, state="queued")
        self.assertEqual(len(stage.answers), 1, "an answer that comes twice is told once")
        stage.look(20)
        self.assertEqual((len(stage.sent), stage.mail.due), (2, float("inf")))

    def test_after_so_many_tries_it_is_given_up(self):
        stage = Stage(tries=3)
        call = stage.post(10)
        for now in (12.5, 15, 17.5):
            self.assertEqual(stage.mail.due, now)
            stage.look(now)
        self.assertEqual(stage.names(), [call.name] * 3)
        self.assertIsInstance(stage.answers[0].answer, millrace.Unanswered)
        self.assertIn("tcp://mill:1 did not answer job.show", str(stage.answers[0].answer))

    def test_a_wait_is_given_its_time_on_top(self):
        stage = Stage()
        stage.post(10, "job.result", wait_ms=5000)
        self.assertEqual(stage.mail.due, 17.5)
        self.assertEqual(stage.sent[0][2]["wait_ms"], 5000)

    def test_where_nobody_has_ever_answered_there_is_no_runner(self):
        stage = Stage(greeted=False)
        stage.post(10)
        self.assertEqual([service for service, _, _ in stage.sent], ["sys.ping", "job.show"])
        stage.post(11)
        stage.look(12)
        self.assertEqual([type(told.answer) for told in stage.answers], [millrace.NoRunner] * 2)
        stage.post(20)
        self.assertEqual(stage.sent[-2][0], "sys.ping", "the next one asks anew")
        self.assertEqual(stage.mail.due, 22)

    def test_any_answer_is_a_sign_of_life(self):
        stage = Stage(greeted=False)
        call = stage.post(10)
        stage.hear(11, {"request": "another's"})
        stage.look(12)
        self.assertEqual(stage.answers, [])
        stage.answer(13, call)
        self.assertEqual(len(stage.answers), 1)

    def test_while_others_are_answered_only_the_late_one_is_sent_again(self):
        stage = Stage()
        late, other = stage.post(10), stage.post(10)
        stage.answer(12, other)
        third = stage.post(12)
        stage.look(12.5)
        self.assertEqual((stage.connections, stage.names(3)), (0, [late.name]))
        self.assertEqual(stage.mail.due, 14.5, "the third has not had its time")
        self.assertNotEqual(third.name, late.name)

    def test_a_new_connection_is_told_all_that_is_under_way(self):
        stage = Stage()
        first, second = stage.post(10), stage.post(12)
        stage.look(12.5)
        self.assertEqual(stage.connections, 1)
        self.assertEqual(sorted(stage.names(2)), sorted([first.name, second.name]))
        stage.look(14.5)
        self.assertEqual(stage.connections, 1, "at most one new connection in its time")
        self.assertEqual(stage.names(4), [second.name])

    def test_what_must_not_be_done_twice_is_never_sent_again(self):
        stage = Stage()
        once = stage.post(10, "job.cancel", once=True)
        stage.look(1000)
        self.assertEqual(stage.names(), [once.name])
        stage.post(1000)
        stage.look(1002.5)
        self.assertEqual(stage.names().count(once.name), 1)
        self.assertIsInstance(stage.answers[0].answer, millrace.Unanswered)
        self.assertIn("may have been done", str(stage.answers[0].answer))

    def test_what_is_forgotten_leaves_its_place(self):
        stage = Stage()
        calls = [stage.post(10, "job.cancel", once=True) for _ in range(_Mail.WINDOW + 1)]
        self.assertEqual(len(stage.sent), _Mail.WINDOW)
        stage.mail.forget(calls[0], 11)
        stage.mail.forget(calls[0], 11)
        stage.take()
        self.assertEqual(stage.names(_Mail.WINDOW), [calls[-1].name])

    def test_so_many_are_under_way_and_the_others_stand_in_line(self):
        stage = Stage()
        calls = [stage.post(10) for _ in range(_Mail.WINDOW + 2)]
        self.assertEqual(len(stage.sent), _Mail.WINDOW)
        stage.answer(11, calls[5])
        self.assertEqual(stage.names(_Mail.WINDOW), [calls[_Mail.WINDOW].name])
        waiting = stage.post(11, "job.result", wait_ms=5000)
        self.assertEqual(
            stage.sent[-1][1], waiting.name, "those that wait have a line of their own"
        )

    def test_the_longer_the_line_the_shorter_they_wait(self):
        stage = Stage()
        calls = [stage.post(10, "job.result", wait_ms=5000) for _ in range(4 * _Mail.WINDOW)]
        self.assertEqual({body["wait_ms"] for _, _, body in stage.sent}, {5000})
        stage.answer(11, calls[0], 300)
        self.assertLess(stage.sent[-1][2]["wait_ms"], 1000)
        for call in calls[1:]:
            stage.answer(11, call, 300)
        self.assertEqual(stage.sent[-1][2]["wait_ms"], 5000)

    def test_the_patient_wait_for_room_and_the_others_are_told(self):
        stage = Stage()
        patient, other = stage.post(10, patient=True), stage.post(10)
        full = {"error": {"code": "queue_full", "retry_after_ms": 700}}
        stage.answer(11, other, 429, **full)
        stage.answer(11, patient, 429, **full)
        self.assertEqual([told.call for told in stage.answers], [other])
        self.assertEqual(stage.mail.due, 11.7)
        stage.look(11.7)
        self.assertEqual(stage.names(2), [patient.name])
        stage.answer(12, patient, 503, error={"code": "draining"})
        stage.look(12.9)
        self.assertEqual((len(stage.sent), stage.mail.due), (3, 13))
        stage.look(13)
        stage.answer(14, patient, 503, error={"code": "disk_full", "retry_after_ms": 1000})
        self.assertEqual(stage.answers[-1].answer.status, 503)

    def test_a_refusal_without_a_name_is_for_the_one_that_it_can_be_for(self):
        stage = Stage()
        call = stage.post(10)
        stage.hear(11, {}, 200)
        self.assertEqual(stage.answers, [])
        stage.hear(11, {}, 400)
        self.assertEqual([told.call for told in stage.answers], [call])
        stage.post(12), stage.post(12)
        stage.hear(13, {}, 400)
        self.assertEqual(len(stage.answers), 1)

    def test_at_the_end_all_are_told_wherever_they_stand(self):
        stage = Stage()
        patient = stage.post(10, patient=True)
        stage.answer(11, patient, 429)
        for _ in range(_Mail.WINDOW + 5):
            stage.post(11)
        stage.mail.fail(millrace._closed)
        stage.take()
        self.assertEqual(len(stage.answers), _Mail.WINDOW + 6)
        stage.look(1000)
        self.assertEqual(len(stage.answers), _Mail.WINDOW + 6)
