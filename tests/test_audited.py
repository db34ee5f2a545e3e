"""The audit log of a registrar that runs: what happens is in it, and stays as it was."""

import json
import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.site import Site, until

RULES = """
[roles.all]
rules = ["asap.resolve", "asap.unreachable"]
[users.web-1]
rules = ["asap.register", "asap.deregister"]
[users.web-2]
rules = ["asap.register"]
"""
#: What belongs to one who did it.
WHO = {"principal", "proof", "address"}


class Audited(SynchronousTestCase):
    """A day in the life of a registrar, and what somebody does to its log."""

    timeout = 240

    def setUp(self):
        self.site = Site(self)
        self.path = self.site.files / "audit.log"
        self.rules = self.site.files / "rules.toml"
        self.rules.write_text(RULES)

    def start(self):
        """Start the registrar, and give elements that are lost little time."""
        return self.site.registrar(
            "--set", "timers.keep-alive-interval=1.5", "--set", "timers.keep-alive-timeout=1",
        )  # fmt: skip

    def lines(self):
        """All that was written, by name and by who it is of."""
        found = {}
        for path in (self.site.files / "old.log", self.path):
            if path.exists():
                for text in path.read_text().splitlines():
                    line = json.loads(text)
                    found.setdefault((line["what"], line.get("principal", "")), line)
        return found

    def told(self, what, principal=""):
        """Wait for such a line, and give it."""
        return until(lambda: self.lines().get((what, principal)))

    def end(self, process):
        """End a process as an operator does."""
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    def verify(self, *words):
        """Ask whether it is whole; exit status and what is said."""
        done = self.site.command("audit", "verify", *(str(word) for word in words))
        return done.returncode, done.stdout + done.stderr

    def a_day(self):
        """Elements come, leave, die and are refused; users ask; rules are changed."""
        registrar = self.start()
        self.site.element("web-1", 9, "--check", "none")
        self.told("element.new", "web-1")
        dying = self.site.element("web-2", 9, "--check", "none")
        self.told("element.joined", "web-2")
        self.site.element("web-3", 9, "--check", "none")
        self.told("registration.refused", "web-3")
        self.site.ask("resolve", "web")
        dying.kill()
        self.told("element.lost", "web-2")
        self.rules.write_text("[roles.x]\nrules = ['nothing']\n")
        registrar.send_signal(signal.SIGHUP)
        self.told("reload.refused")
        self.path.rename(self.site.files / "old.log")
        self.rules.write_text(f"{RULES}[users.anonymous]\nlocked = true\n")
        registrar.send_signal(signal.SIGHUP)
        self.told("reloaded")
        self.assertEqual(self.site.ask("resolve", "web").returncode, 1)
        self.told("resolution.refused", "anonymous")
        self.end(self.site.processes["web-1"])
        self.told("element.deregistered", "web-1")
        self.told("session.closed", "web-1")
        return registrar

    def test_a_day(self):
        """Each decision and each change of state has its line, with all that belongs to it."""
        registrar = self.a_day()
        kept = self.site.status()["audit"]["head"]
        self.end(registrar)
        self.end(self.start())
        found = self.lines()
        for what, principal, more in (
            ("registrar.started", "", {"outcome"}),
            ("session.opened", "web-1", {*WHO, "outcome"}),
            ("decision.allowed", "web-1", {*WHO, "pool", "action", "rule", "outcome"}),
            ("element.new", "web-1", {*WHO, "pool", "pe-id", "action", "rule"}),
            ("element.joined", "web-2", {*WHO, "pool", "pe-id", "action", "rule"}),
            ("registration.refused", "web-3", {*WHO, "pool", "pe-id", "action", "rule"}),
            ("decision.allowed", "anonymous", {*WHO, "pool", "action", "rule"}),
            ("session.closed", "anonymous", WHO),
            ("element.lost", "web-2", {"pool", "pe-id", "outcome"}),
            ("reload.refused", "", {"outcome"}),
            ("reloaded", "", set()),
            ("resolution.refused", "anonymous", {*WHO, "pool", "action", "rule", "outcome"}),
            ("element.deregistered", "web-1", {*WHO, "pool", "pe-id", "action", "rule"}),
            ("registrar.stopped", "", set()),
            ("audit.resumed", "", set()),
        ):
            line = found.get((what, principal))
            self.assertIsNotNone(line, (what, principal, found))
            self.assertLessEqual({"time", "seq", "chain", *more}, {*line}, what)
        self.assertIn("'nothing' isn't a permission", found["reload.refused", ""]["outcome"])
        self.whole(kept)
        self.broken(kept)

    def whole(self, kept):
        """It is, across the file that was moved away, and across a start."""
        old = self.site.files / "old.log"
        status, said = self.verify(old, self.path, "--head", kept)
        self.assertEqual(status, 0, said)

    def broken(self, kept):
        """Whatever is done to it is found."""
        lines = self.path.read_bytes().splitlines(keepends=True)
        at = len(lines) // 2
        for what, changed in (
            ("edited", [*lines[:at], lines[at].replace(b"web", b"wob").replace(b"a", b"b", 1),
                        *lines[at + 1 :]]),
            ("taken out", [*lines[:at], *lines[at + 1 :]]),
            ("exchanged", [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]),
            ("twice", [*lines[:at], lines[at], *lines[at:]]),
            ("cut short", [*lines[:-1], lines[-1][:-9]]),
            ("beginning", lines[1:]),
        ):  # fmt: skip
            self.path.write_bytes(b"".join(changed))
            status, said = self.verify(self.path)
            self.assertEqual(status, 1, f"{what}: {said}")
            self.assertIn("BROKEN", said)
        self.path.write_bytes(b"".join(lines[:1]))
        self.assertEqual(self.verify(self.path)[0], 0, "a chain alone can't tell its end")
        self.assertEqual(self.verify(self.path, "--head", kept)[0], 1)
