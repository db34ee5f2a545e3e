"""RFC 5355 section 2.2: a flood of (de-)registrations by whom they aren't allowed to."""

import json
import signal
import time
from ipaddress import ip_address

from OpenSSL import SSL

from rserpool.client.security import Certified
from rserpool.security.certificate import make
from rserpool.wire import asap
from rserpool.wire.causes import NonUniquePEIdentifier
from rserpool.wire.parameters import TCPTransport
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.scene import Attacked, Line

RESOLUTION = asap.HandleResolution(handle=b"web")
#: What a principal may at once, and each second, of registrations.
BURST, RATE = 50, 10
#: Keys that aren't good for what their holders try, and what is behind them in the key file.
KEYS = {
    "past": ";not-after=2001-01-01",
    "future": ";not-before=2999-01-01",
    "elsewhere": ";pool=other",
    "numbered": ";pe-id=7",
    "behind": ";addr=192.0.2.0/24",
}
#: web-2 may anywhere but in the pool web.
RULES = """
[roles.all]
rules = ["asap.resolve"]
[roles.psk]
rules = ["asap.register", "asap.deregister"]
[gates."pool:web".users.web-2]
rules = ["!asap.register", "!asap.deregister"]
"""


def leaving(identifier, handle=b"web"):
    """A de-registration."""
    return asap.Deregistration(handle=handle, identifier=identifier)


class Unauthorized(Attacked):
    """A registrar with one element that exists and answers."""

    settings = (
        "--set", "timers.keep-alive-interval=3600", "--set", "timers.keep-alive-timeout=1",
        "--set", f"limits.registrations-burst={BURST}",
        "--set", f"limits.registrations-per-second={RATE}",
    )  # fmt: skip

    def setUp(self):
        super().setUp()
        self.element = Answering(self.line(self.key()), registration(1))

    def shut_out(self, creator):
        """Whether TLS doesn't come about, or who comes isn't let in."""
        try:
            with Line(self.site.port, creator) as line:
                return line.tell(registration(66)) == [] and line.closed()
        except (SSL.Error, OSError):
            return True

    def found(self):
        """The identifiers that a user is told."""
        [answer] = self.line(self.anonymous()).tell(RESOLUTION)
        return [element.identifier for element in answer.elements]

    def reload(self):
        """Let the registrar read its files again."""
        before = self.site.log("registrar").count("sessions closed")
        self.registrar.send_signal(signal.SIGHUP)
        until(lambda: self.site.log("registrar").count("sessions closed") > before)

    def ended(self, line):
        """The registrar says goodbye, after what it has answered before."""
        end = time.monotonic() + 10
        while line.read():
            self.assertLess(time.monotonic(), end)
        # Its own goodbye is withheld: that shall gain nothing.


class Keys(Unauthorized):
    """Keys that are over, not yet good, restricted, or taken back."""

    def prepare(self):
        """Write more keys."""
        self.file = self.site.files / "elements.psk"
        self.given = {name: bytes([n]) * 32 for n, name in enumerate(KEYS, 65)}
        with self.file.open("a") as file:
            for name, secret in self.given.items():
                file.write(f"{name}:{secret.hex()}{KEYS[name]}\n")

    def test_not_in_force(self):
        """A key before or after its time opens nothing, however often it is tried."""
        with self.unchanged():
            for name in ("past", "future"):
                for _ in range(5):
                    self.assertTrue(self.shut_out(self.key(name, self.given[name])))
        [line] = self.audited(what="handshake.refused", principal="past")[:1]
        self.assertEqual((line["proof"], line["outcome"]), ("anonymous", "unknown identity"))
        self.assertFalse(self.shut_out(self.key("numbered")), "a key that is good is let in")
        self.no_errors()

    def test_restricted(self):
        """A key for other pools, identifiers or addresses is good for those, and no others."""
        elsewhere = TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),))
        for name, wrong, right, why in (
            ("elsewhere", registration(2), registration(2, b"other"),
             "the credential is for other pools"),
            ("numbered", registration(2), registration(7),
             "the key is for other element identifiers"),
            ("web-3", registration(2, transport=elsewhere), registration(2),
             "192.0.2.7 is not an address of the connection"),
        ):  # fmt: skip
            line = self.line(self.key(name))
            with self.unchanged():
                answers = line.tell(*[wrong] * 20, want=20)
                self.assertEqual(len(answers), 20, name)
                for answer in answers:
                    self.assertTrue(answer.rejected)
                    self.refused(answer)
            [told] = self.audited(what="registration.refused", principal=name)[:1]
            self.assertEqual((told["outcome"], told["proof"], told["pe-id"]),
                             (why, "psk", "0x00000002"))  # fmt: skip
            [answer] = line.tell(right)
            self.assertFalse(answer.rejected, name)
            leave = leaving(right.element.identifier, right.handle)
            self.assertIsNone(line.tell(leave)[0].error)
        # With a key that says so, an element may be somewhere else.
        [answer] = self.line(self.key("behind")).tell(registration(2, transport=elsewhere))
        self.assertFalse(answer.rejected)
        self.no_errors()

    def test_removed(self):
        """A key that is taken back ends the session that floods by it, and what it has made."""
        secret = self.secret("web-2")
        rogue = self.line(self.key("web-2"))
        [answer] = rogue.tell(registration(2))
        self.assertEqual((answer.rejected, self.found()), (False, [1, 2]))
        kept = [
            line
            for line in self.file.read_text().splitlines(keepends=True)
            if not line.startswith("web-2:")
        ]
        self.file.write_text("".join(kept))
        rogue.write(b"".join(asap.encode(registration(i)) for i in range(3, 300)))
        self.reload()
        self.ended(rogue)
        [line] = self.audited(what="session.revoked", principal="web-2")
        self.assertEqual(line["outcome"], "its credential isn't in force any more")
        self.assertTrue(self.shut_out(self.key("web-2", secret)))
        self.audited(what="handshake.refused", principal="web-2", outcome="unknown identity")
        # What it was let make before is dead, and goes; the other one goes on, and may.
        until(lambda: self.found() == [1], 10)
        self.audited(what="element.lost", pool="web", pe_id="0x00000002")
        [answer] = self.line(self.key()).tell(registration(9))
        self.assertFalse(answer.rejected)
        self.no_errors()


class Certificates(Unauthorized):
    """The same by certificates: of somebody's authority, without a rule, or revoked."""

    def prepare(self):
        """Elements may come by certificate; two have one, one of them may register."""
        files = self.site.files
        for name in ("pe.example", "pu.example"):
            self.site.command("certificate", "issue", str(files), "--client", "--name", name,
                              "--out", str(files / name))  # fmt: skip
        self.site.command("certificate", "revoke", str(files))
        self.settings = (
            *self.settings, "--auth", f"psk:{files}/elements.psk",
            "--auth", f"certificate:{files}/ca.pem;crl={files}/crl.pem",
        )  # fmt: skip
        rules = files / "rules.toml"
        mine = '\n[users."dns:pe.example"]\nrules = ["asap.register", "asap.deregister"]\n'
        rules.write_text(rules.read_text() + mine)

    def certified(self, name, issued=None):
        """TLS with a certificate of one's own."""
        base = str(self.site.files / name)
        own = issued or make.load(f"{base}.pem", f"{base}.key")
        return Certified(str(self.site.files / "ca.pem"), client=own).creator("127.0.0.1")

    def test_each(self):
        """Whom nobody has let register does not, nor who isn't let any more."""
        foreign = make.issue(make.authority("somebody"), ["pe.example"], client=True)
        with self.unchanged():
            self.assertTrue(self.shut_out(self.certified("pe.example", foreign)))
            line = self.line(self.certified("pu.example"))
            answers = line.tell(*[registration(2), leaving(1)] * 20, want=40)
            self.assertEqual(len(answers), 40)
            for answer in answers:
                self.refused(answer)
        self.audited(what="handshake.refused", outcome="untrusted certificate")
        [line, *_] = self.audited(what="registration.refused", principal="dns:pu.example")
        self.assertEqual((line["proof"], line["rule"]), ("certificate", "rules"))
        rightful = self.line(self.certified("pe.example"))
        [answer] = rightful.tell(registration(2))
        self.assertEqual((answer.rejected, self.found()), (False, [1, 2]))
        self.site.command("certificate", "revoke", str(self.site.files),
                          str(self.site.files / "pe.example.pem"))  # fmt: skip
        self.reload()
        self.ended(rightful)
        self.audited(what="session.revoked", principal="dns:pe.example", proof="certificate")
        self.assertTrue(self.shut_out(self.certified("pe.example")))
        until(lambda: self.found() == [1], 10)
        self.no_errors()


class Insider(Unauthorized):
    """web-2 may register, but not here, and nothing that is another's."""

    def prepare(self):
        """Write the rules."""
        (self.site.files / "rules.toml").write_text(RULES)

    def test_flood(self):
        """A user is never told of it, and who may register is served meanwhile."""
        rogues = [self.line(self.key("web-2")) for _ in range(10)]
        flood = b"".join(
            asap.encode(message)
            for i in range(100, 300)
            for message in (registration(i), leaving(1))
        )
        before = self.digest()
        for rogue in rogues:
            rogue.write(flood)
        waits, entering = [], self.line(self.key("web-3"))
        for _ in range(12):
            began = time.monotonic()
            self.assertEqual(self.found(), [1])
            [answer] = entering.tell(registration(3))
            self.assertFalse(answer.rejected)
            self.assertEqual(self.found(), [1, 3])
            self.assertIsNone(entering.tell(leaving(3))[0].error)
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
        self.assertEqual(self.digest(), before)
        self.assertLess(sorted(waits)[len(waits) // 2], 1)
        for rogue in rogues:
            self.refused(rogue.tell()[0])
            rogue.close()
        counted = lambda name: self.site.status()["counters"][name]  # noqa: E731
        self.assertGreater(counted("registrations_refused"), BURST)
        for kind in ("registration", "deregistration"):
            until(lambda kind=kind: self.sum(kind) == counted(f"{kind}s_refused"), 10)
            [line, *_] = self.audited(what=f"{kind}.refused", principal="web-2")
            self.assertEqual(line["rule"], "rules: gates.'pool:web'.users.web-2")
        self.audited(what="registration.refused", principal="web-2", rule="limits")
        # Where it may, it may, when its budget has filled again.
        outside = self.line(self.key("web-2"))
        until(lambda: not outside.tell(registration(2, b"other"))[0].rejected, 10)
        self.no_errors()

    def sum(self, kind):
        """How many refusals the lines of the audit log stand for."""
        lines = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
        return sum(
            line.get("repeated", 1) for line in lines if line["what"] == f"{kind}.refused"
        )

    def test_anothers(self):
        """It can't take out what is another's, nor put its own address in the place of it."""
        owner, rogue = self.line(self.key("web-3")), self.line(self.key("web-2"))
        self.assertFalse(owner.tell(registration(4, b"other"))[0].rejected)
        mine = TCPTransport(port=6666, addresses=(ip_address("127.0.0.1"),))
        with self.unchanged():
            answers = rogue.tell(*[leaving(4, b"other")] * 20, want=20)
            self.assertEqual(len(answers), 20)
            for answer in answers:
                self.refused(answer)
            [answer] = rogue.tell(registration(4, b"other", transport=mine))
            self.assertTrue(answer.rejected)
            self.assertEqual(answer.error.causes, (NonUniquePEIdentifier(),))
        for what in ("registration.refused", "deregistration.refused"):
            [line] = self.audited(what=what, principal="web-2", pool="other")[:1]
            why = "the element belongs to another principal"
            self.assertEqual((line["pe-id"], line["outcome"]), ("0x00000004", why))
        self.assertIsNone(owner.tell(leaving(4, b"other"))[0].error)
        self.no_errors()
