"""The audit log: one JSON line an event, and no flood of them."""

import json

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.audit import AuditLog, repetition
from rserpool.security.audit import log as audit_log
from rserpool.security.audit.chain import Verifier
from rserpool.security.budgets import Rate
from rserpool.security.decisions import ALLOW, RESOLVE, Decision, Proof, Request, Subject

ALLOWED = Decision(True, "the rule 'asap' allows it", "rules", "asap", "roles.all")


class Writing(SynchronousTestCase):
    """What is written."""

    def setUp(self):
        self.lines, self.texts = [], []
        self.clock = Clock()
        self.log = AuditLog(self.clock.seconds, stamp=lambda: "2027-01-01T00:00:00.000+00:00")
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event):
        """Keep the audit lines, without what binds them."""
        if "audit" in event:
            self.texts.append(event["line"].encode())
            line = json.loads(event["line"])
            del line["time"], line["seq"], line["chain"]
            self.lines.append(line)

    def subject(self, name="web-1", identity="", address="192.0.2.1"):
        """Somebody."""
        return Subject(name, Proof.PSK, address, identity)

    def later(self, seconds):
        """Let time pass, as the service does."""
        self.clock.advance(seconds)
        self.log.sweep()

    def test_line(self):
        """Who, proven how, from where, did what to what, by whose rule."""
        who = self.subject(identity="web-1~2")
        self.log.write(
            "registration.refused", who, b"web", 0x2A, "no",
            action="asap.register.new", rule="rules: users.web-1",
        )  # fmt: skip
        self.assertEqual(self.lines, [{
            "what": "registration.refused", "principal": "web-1", "identity": "web-1~2",
            "proof": "psk", "address": "192.0.2.1", "action": "asap.register.new",
            "pool": "web", "pe-id": "0x0000002a", "rule": "rules: users.web-1",
            "outcome": "no",
        }])  # fmt: skip
        self.assertEqual(json.loads(self.texts[0])["time"], "2027-01-01T00:00:00.000+00:00")

    def test_driven(self):
        """What anybody can cause again and again is written once, and then counted."""
        for _ in range(3):
            self.log.connection("192.0.2.1", "too many")
            self.log.session("session.broken", self.subject(), "bad record mac")
        self.assertEqual(self.lines, [
            {"what": "connection.refused", "principal": "anonymous", "proof": "anonymous",
             "address": "192.0.2.1", "rule": "limits", "outcome": "too many"},
            {"what": "session.broken", "principal": "web-1", "proof": "psk",
             "address": "192.0.2.1", "outcome": "bad record mac"},
        ])  # fmt: skip
        self.later(1)
        self.assertEqual([line["repeated"] for line in self.lines[2:]], [2, 2])

    def test_over_a_limit(self):
        """Of too many refusals to be told apart, it is told which were for a limit."""
        for rule in ("rules", "limits"):
            for identifier in range(repetition.MAXIMUM_REFUSALS + 5):
                self.log.write(
                    "registration.refused", self.subject(), b"web", identifier,
                    action="asap.register.join", rule=rule,
                )  # fmt: skip
        *_, rules, limits = self.lines
        self.assertNotIn("rule", rules)
        self.assertEqual(limits, {**rules, "rule": "limits"})
        self.later(1)
        counts = [line["repeated"] for line in self.lines if "repeated" in line]
        self.assertEqual(counts, [4, repetition.MAXIMUM_REFUSALS + 4])

    def test_odd_handles(self):
        """A handle can't forge a line, nor break one, whatever its octets."""
        for handle in (
            b'x"}\n{"what": "element.new',
            b'", "seq": 9, "chain": "' + b"0" * 64 + b'"}',
            b"\x1b[2J",
            b"\xff\xfe",
            "ü\u2028".encode(),
        ):
            self.log.write("element.new", None, handle)
        self.assertEqual(len(self.lines), 5)
        self.assertEqual(self.lines[3]["pool-hex"], "fffe")
        self.assertEqual({line["what"] for line in self.lines}, {"element.new"})
        self.whole()

    def whole(self):
        """The chain of what was written holds."""
        verifier = Verifier()
        verifier.feed("log", self.texts)
        self.assertEqual(verifier.faults, [])

    def test_flood(self):
        """The same refusal again and again is counted, and the count written each second."""
        for _ in range(500):
            self.log.write("resolution.refused", self.subject(), b"web", None, "no")
        self.later(1.5)
        self.later(1.5)
        self.later(1.5)
        self.log.write("resolution.refused", self.subject(), b"web", None, "no")
        self.assertEqual([line.get("repeated") for line in self.lines], [None, 499, None])
        self.whole()

    def test_flood_in_other_words(self):
        """An attacker who chooses the words of the refusal gets so many lines, and a count."""
        for number in range(500):
            self.log.write(
                "registration.refused", self.subject(), b"%d" % number, 1, f"{number}",
                action="asap.register.new",
            )  # fmt: skip
        self.assertEqual(len(self.lines), repetition.MAXIMUM_REFUSALS + 1)
        self.later(1.5)
        self.assertEqual(sum(line.get("repeated", 1) for line in self.lines), 500)
        self.assertEqual(self.lines[-1], {
            "what": "registration.refused", "principal": "web-1", "proof": "psk",
            "action": "asap.register.new", "outcome": "too many different ones: only counted",
            "repeated": 500 - repetition.MAXIMUM_REFUSALS - 1,
        })  # fmt: skip

    def test_different_refusals(self):
        """Two refusals that aren't the same are two lines: a count is of its own line alone."""
        for pool, identifier, why in (
            (b"a", 1, "no"), (b"b", 1, "no"), (b"b", 2, "no"), (b"b", 2, "never"),
            (b"b", 2, "never"),
        ):  # fmt: skip
            self.log.write("registration.refused", self.subject(), pool, identifier, why)
        self.later(1.5)
        found = [
            (line["pool"], line["pe-id"][-1], line["outcome"], line.get("repeated"))
            for line in self.lines
        ]
        self.assertEqual(found, [
            ("a", "1", "no", None), ("b", "1", "no", None), ("b", "2", "no", None),
            ("b", "2", "never", None), ("b", "2", "never", 1),
        ])  # fmt: skip

    def test_other_address(self):
        """The same key from another address is another line: it may have been stolen."""
        for address in ("192.0.2.1", "192.0.2.1", "198.51.100.9"):
            who = self.subject(address=address)
            self.log.allowed(who, Request(RESOLVE, b"web"), ALLOWED)
            self.log.session("session.opened", who, "TLSv1.3")
        found = [(line["what"], line["address"]) for line in self.lines]
        self.assertEqual(found, [
            ("decision.allowed", "192.0.2.1"), ("session.opened", "192.0.2.1"),
            ("decision.allowed", "198.51.100.9"), ("session.opened", "198.51.100.9"),
        ])  # fmt: skip

    def test_operators_doings(self):
        """What an operator does is written each time, whatever others do."""
        for number in range(100):
            self.log.write("element.claimed", None, b"%d" % number)
        self.lines.clear()
        for _ in range(2):
            self.log.write("reload.refused", outcome="rules: r.toml:1: no")
        self.assertEqual([line["outcome"] for line in self.lines], ["rules: r.toml:1: no"] * 2)

    def test_whose_element(self):
        """An element without connection is its principal's all the same."""
        self.log.write("element.lost", None, b"web", 1, "gone", principal="web-1")
        self.log.write("element.left", self.subject(), b"web", 1, "gone", principal="web-9")
        self.assertEqual([line["principal"] for line in self.lines], ["web-1", "web-1"])

    def test_others_are_heard(self):
        """One's flood doesn't hide another's refusal, nor a change of state."""
        for _ in range(10):
            self.log.write("resolution.refused", self.subject(), b"web")
        self.log.write("resolution.refused", self.subject("web-2"), b"web")
        for _ in range(3):
            self.log.write("element.joined", self.subject(), b"web")
        self.assertEqual(len(self.lines), 5)

    def test_allowed(self):
        """What is allowed is written once for each party, action and pool, then counted."""
        for pool in (b"a", b"b", b"a", b"a"):
            self.log.allowed(self.subject(), Request(RESOLVE, pool), ALLOWED)
        self.later(61)
        found = [(line["pool"], line.get("repeated")) for line in self.lines]
        self.assertEqual(found, [("a", None), ("b", None), ("a", 2)])
        self.assertEqual(self.lines[0]["rule"], "rules: roles.all")
        self.assertEqual(self.lines[0]["action"], RESOLVE)
        self.assertEqual(self.lines[0]["outcome"], "the rule 'asap' allows it")

    def test_any_handle(self):
        """A party that thinks of ever new handles gets so many lines, and all is counted."""
        for number in range(1000):
            self.log.allowed(self.subject(), Request(RESOLVE, b"%d" % number), ALLOW)
        self.assertEqual(len(self.lines), repetition.MAXIMUM_OF_ONE + 1)
        # Only counted, and for that no line is made: this is on the hot path.
        self.patch(audit_log, "_line", None)
        self.log.allowed(self.subject(), Request(RESOLVE, b"1"), ALLOW)
        for number in range(1000, 2000):
            self.log.allowed(self.subject(), Request(RESOLVE, b"%d" % number), ALLOW)
        self.later(61)
        self.assertEqual(sum(line.get("repeated", 1) for line in self.lines), 2001)

    def test_many_parties(self):
        """However many they are, there are so many lines a second, and all is counted."""
        self.patch(audit_log, "LINES", Rate(10, 20))
        log = AuditLog(self.clock.seconds)
        for number in range(1000):
            log.write("resolution.refused", self.subject(f"n{number}"), b"web")
        self.assertIn(len(self.lines), (19, 20))
        self.clock.advance(1)
        log.sweep()
        self.assertEqual(sum(line.get("repeated", 1) for line in self.lines), 1000)

    def test_bounded(self):
        """Any number of names takes bounded memory, and none of it stays."""
        self.patch(repetition, "MAXIMUM_REMEMBERED", 20)
        for number in range(200):
            self.log.write("x.refused", self.subject(f"n{number}"))
        self.assertLessEqual(len(self.log._refused), 20)
        for _ in range(3):
            self.later(2)
        self.assertEqual((len(self.log._refused), self.log._refused._of_one), (0, {}))

    def test_end(self):
        """What was only counted is written at the end."""
        for _ in range(5):
            self.log.write("x.refused", self.subject())
        self.log.close()
        self.assertEqual([line.get("repeated") for line in self.lines], [None, 4])

    def test_end_of_a_flood(self):
        """At the end nothing is lost from the sum, either."""
        self.patch(audit_log, "LINES", Rate(10, 20))
        log = AuditLog(self.clock.seconds)
        for number in range(1000):
            log.write("resolution.refused", self.subject(f"n{number}"), b"web")
        log.close()
        self.assertEqual(sum(line.get("repeated", 1) for line in self.lines), 1000)

    def test_reported(self):
        """What would have been denied says so, with the rule."""
        denied = Decision(False, "no", "rules", "!asap", "roles.all")
        for _ in range(3):
            self.log.reported(self.subject(), Request(RESOLVE, b"web"), denied)
        [line] = self.lines
        self.assertEqual(
            (line["what"], line["rule"], line["outcome"]),
            ("decision.reported", "rules: roles.all", "no"),
        )

    def test_unproven(self):
        """Who was called and hasn't proven who it is: a line for each, at one address, too."""
        for _ in range(3):
            self.log.unproven("r2", "192.0.2.1", "another key")
            self.log.unproven("r3", "192.0.2.1", "a certificate")
        self.assertEqual(
            [(line["what"], line["principal"], line["proof"]) for line in self.lines],
            [("peer.unproven", name, "anonymous") for name in ("r2", "r3")],
        )
        self.later(1)
        self.assertEqual([line["repeated"] for line in self.lines[2:]], [2, 2])

    def test_last_line(self):
        """What comes after the last line is in no file, so it is nowhere."""
        self.log.close("registrar.stopped")
        self.log.session("session.closed", self.subject(), "TLSv1.3")
        self.assertEqual(self.lines[-1]["what"], "registrar.stopped")

    def test_log_alone(self):
        """What goes to the program's log is a chain by itself, from its first line on."""
        for _ in range(2):
            log = AuditLog(self.clock.seconds)
            log.journal.open()
            log.write("element.new", self.subject(), b"web")
        front = b"2027-01-01T00:00:00+0000 [rserpool.audit#info] "
        verifier = Verifier()
        verifier.feed("log", [front + text for text in self.texts])
        self.assertEqual((verifier.faults, verifier.lines), ([], 4))
