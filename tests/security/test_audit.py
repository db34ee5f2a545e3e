"""The audit log: one JSON line an event, and no flood of them."""

import json

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.audit import AuditLog
from rserpool.security.decisions import Proof, Subject


class Writing(SynchronousTestCase):
    """What is written."""

    def setUp(self):
        self.lines = []
        self.clock = Clock()
        self.log = AuditLog(self.clock.seconds)
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event):
        """Keep the audit lines."""
        if "audit" in event:
            self.lines.append(json.loads(event["line"]))

    def subject(self, name="web-1"):
        """Somebody."""
        return Subject(name, Proof.PSK, "192.0.2.1")

    def test_line(self):
        """Who, proven how, from where, did what to what."""
        self.log.write("element.new", self.subject(), b"web", 0x2A, "life 300")
        self.assertEqual(self.lines, [{
            "what": "element.new", "principal": "web-1", "proof": "psk",
            "address": "192.0.2.1", "pool": "web", "pe-id": "0x0000002a",
            "outcome": "life 300",
        }])  # fmt: skip

    def test_odd_handles(self):
        """A handle can't forge a line, nor break one, whatever its octets."""
        for handle in (
            b'x"}\n{"what": "element.new',
            b"\x1b[2J",
            b"\xff\xfe",
            "ü\u2028".encode(),
        ):
            self.log.write("element.new", None, handle)
        self.assertEqual(len(self.lines), 4)
        self.assertEqual(self.lines[2]["pool-hex"], "fffe")
        self.assertEqual({line["what"] for line in self.lines}, {"element.new"})

    def test_flood(self):
        """The same refusal again and again is counted, and written once a second."""
        for _ in range(500):
            self.log.write("resolution.refused", self.subject(), b"web", None, "no")
        self.clock.advance(1.5)
        self.log.write("resolution.refused", self.subject(), b"web", None, "no")
        self.assertEqual([line.get("repeated") for line in self.lines], [None, 499])

    def test_flood_in_other_words(self):
        """An attacker who chooses the words of the refusal doesn't get more lines."""
        for number in range(500):
            self.log.write(
                "registration.refused", self.subject(), b"%d" % number, 1, f"{number}"
            )
        self.assertEqual(len(self.lines), 1)

    def test_others_are_heard(self):
        """One's flood doesn't hide another's refusal, nor a change of state."""
        for _ in range(10):
            self.log.write("resolution.refused", self.subject(), b"web")
        self.log.write("resolution.refused", self.subject("web-2"), b"web")
        for _ in range(3):
            self.log.write("element.joined", self.subject(), b"web")
        self.assertEqual(len(self.lines), 5)

    def test_bounded(self):
        """Any number of names takes bounded memory."""
        from rserpool.security import audit

        self.patch(audit, "MAXIMUM_REMEMBERED", 20)
        for number in range(200):
            self.log.write("x.refused", self.subject(f"n{number}"))
        self.assertLessEqual(len(self.log._written), 20)
