"""RFC 5355 section 2.15: a database that is secure in part."""

import itertools
import subprocess

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.tls import PSKClientCreator
from rserpool.service.config import load
from rserpool.service.settings import ConfigError, Override
from rserpool.wire import asap, enrp
from tests.registrar.scene import registration
from tests.site import BIN, Site, free_port, until
from tests.threats.scene import Attacked, Line
from tests.threats.scope import Scoped, said_by_peers

#: Everybody may everything, as far as rules go.
LAVISH = """
[roles.all]
rules = ["asap", "enrp", "admin"]
[roles.anonymous]
rules = ["asap", "enrp", "admin"]
[users.anonymous]
admin = true
[users.plain]
admin = true
[users.web-1]
admin = true
[users.web-2]
admin = true
"""
#: What mixes with security none: each alone, and the words of the refusal.
MIXED = {
    "asap-tls": "tcp:0", "enrp-tls": "tcp:0", "auth": "psk:{files}/elements.psk",
    "enrp-auth": "psk:{files}/elements.psk", "certificate": "{files}/registrar.pem",
    "private-key": "{files}/registrar.key", "rules": "{files}/rules.toml", "identity": "r1",
}  # fmt: skip
MIXES = "the database is all insecure, and this would mix"


def said(handle=b"web"):
    """All that an element or user may say of itself, and what answers it gets."""
    return (
        registration(1, handle),
        asap.Deregistration(handle=handle, identifier=1),
        asap.HandleResolution(handle=handle),
    )


class Start(SynchronousTestCase):
    """Configurations that would mix."""

    timeout = 120

    def setUp(self):
        self.site = Site(self)

    def refused(self, *cases):
        """Start each, all at once: none runs, and each says why."""
        started, outputs = [], []
        for templates, why in cases:
            words = [word.format(files=self.site.files) for word in templates]
            started.append((words, why, subprocess.Popen(
                [str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-enrp", *words],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                cwd=self.site.scratch, env=self.site.environment,
            )))  # fmt: skip
        for words, why, process in started:
            try:
                output, _ = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                output = f"it runs: {process.communicate()[0]}"
            self.assertNotIn(process.returncode, (0, None), words)
            self.assertIn(why, " ".join(output.split()), words)
            self.assertNotIn("Traceback", output)
            outputs.append(" ".join(output.split()))
        return outputs

    def test_insecure(self):
        """Security none with anything of security; all that mixes is named at once."""
        plain = ("--security", "none", "--asap", "tcp:0:interface=127.0.0.1")
        everything = [word for key, value in MIXED.items() for word in (f"--{key}", value)]
        outputs = self.refused(
            ((*plain, *everything), MIXES),
            ((*plain, "--rules", MIXED["rules"]), MIXES),
            ((*plain, "--asap-tls", "tcp:0"), MIXES),
            ((*plain, "--set", "registrar.authorizer=refuse-all:"), MIXES),
            (("--config", "{files}/registrar.toml", "--security", "none"), MIXES),
        )
        self.assertEqual([text.count(MIXES) for text in outputs], [len(MIXED), 1, 1, 1, 5])

    def test_secure(self):
        """Security required without what makes it secure."""
        files, tls = "{files}", ("--asap-tls", "tcp:0:interface=127.0.0.1")
        config = ("--config", f"{files}/registrar.toml")
        self.refused(
            (("--asap", "tcp:0"), "without a TLS listener nobody could do anything"),
            (tls, "TLS needs auth"),
            ((*config, "--peer", "r2=tcp:127.0.0.1:9902"), "give enrp-auth"),
            ((*config, "--enrp-tls", "tcp:0", "--identity", "r1", "--enrp-auth",
              f"psk:{files}/elements.psk"), "each pool element could speak as a registrar"),
            ((*config, "--certificate", f"{files}/pe.toml"), "certificate"),
        )  # fmt: skip

    def test_each_combination(self):
        """No combination of keys of security gets by together with security none."""
        files = self.site.files
        count = 0
        for size in range(1, len(MIXED) + 1):
            for keys in itertools.combinations(MIXED, size):
                values = {key: MIXED[key].format(files=files) for key in keys}
                values |= {"security": "none", "asap": "tcp:0"}
                overrides = [Override("registrar", *item) for item in values.items()]
                faults = str(self.assertRaises(ConfigError, load, None, overrides))
                self.assertIn(MIXES, faults)
                count += 1
        self.assertEqual(count, 2 ** len(MIXED) - 1)


class Plain(Attacked):
    """Connections without TLS to a secure registrar, with rules that allow all to everybody."""

    settings = ("--set", "registrar.authorization=report")

    def prepare(self):
        """There are plain doors, and lavish rules."""
        (self.site.files / "rules.toml").write_text(LAVISH)
        self.plain = free_port()
        self.settings = (*self.settings, "--asap", f"tcp:{self.plain}:interface=127.0.0.1")

    def test_refused(self):
        """What would change state, or tell of it, gets cause 0x0a; no rule can lift that."""
        with self.line(self.key("web-2")) as line:
            [answer] = line.tell(registration(1))
            self.assertFalse(answer.rejected)
            with self.unchanged():
                answers = self.line(port=self.plain).tell(*said(), *said(b"new"), want=6)
                self.assertEqual(len(answers), 6)
                for answer in answers:
                    self.refused(answer)
                self.assertEqual([a.rejected for a in answers[::3]], [True, True])
                # A report has no answer; nor does it do anything.
                kept = self.site.status()["counters"]["keep_alives_sent"]
                report = asap.EndpointUnreachable(handle=b"web", identifier=1)
                self.line(port=self.plain).tell(*20 * [report], said()[2])
                counters = self.site.status()["counters"]
                self.assertEqual(counters["keep_alives_sent"], kept)
                self.assertEqual(counters["reports_refused"], 20)
            for what in ("registration", "deregistration", "resolution", "report"):
                [told, *_] = self.audited(what=f"{what}.refused", proof="plain")
                self.assertEqual(told["rule"], "gate", told)
        self.no_errors()

    def test_anonymous(self):
        """TLS alone proves nobody: an element has to be somebody, whatever rules say."""
        with self.unchanged():
            registered, left, _ = self.line(self.anonymous()).tell(*said(), want=3)
            self.assertTrue(registered.rejected)
            self.refused(registered)
            self.refused(left)
        self.audited(what="registration.refused", proof="anonymous")

    def test_plain_at_tls(self):
        """Where TLS is wanted, what comes without isn't even looked at."""
        with self.unchanged():
            plain = self.line()
            self.assertEqual(plain.tell(*said(), want=3), [])
        self.assertIn("TLS handshake failed", self.site.log("registrar"))
        self.assertEqual(self.site.status()["counters"]["registrations_refused"], 0)


class PlainResolution(Attacked):
    """The one thing that may be allowed without TLS: `plain-resolution`."""

    def prepare(self):
        """Allow it."""
        self.plain = free_port()
        self.settings = (
            "--asap", f"tcp:{self.plain}:interface=127.0.0.1",
            "--set", "registrar.plain-resolution=true",
        )  # fmt: skip

    def test_resolution_only(self):
        """Who asks is answered; nothing else is done."""
        self.line(self.key("web-2")).tell(registration(1))
        with self.unchanged():
            registered, left, resolved = self.line(port=self.plain).tell(*said(), want=3)
        self.refused(registered)
        self.refused(left)
        self.assertEqual([e.identifier for e in resolved.elements], [1])


class Peers(Scoped):
    """Registrars without TLS, or without proof, at a secure one with lavish rules."""

    running = ("r1",)

    def prepare(self):
        """There is a plain door for registrars, and everybody may everything."""
        (self.site.scope / "r1" / "rules.toml").write_text(LAVISH)
        self.plain = free_port()
        self.settings = (
            "--enrp", f"tcp:{self.plain}:interface=127.0.0.1",
            "--set", "registrar.authorization=report",
        )  # fmt: skip

    def test_plain(self):
        """Every message of ENRP gets cause 0x0a, makes no peer and changes nothing."""
        with self.unchanged():
            with self.peer(port=self.plain, creator=None) as line:
                self.assertIsNone(line.tls)
                answers = line.tell(*said_by_peers(), want=len(said_by_peers()))
            self.assertEqual(len(answers), len(said_by_peers()))
            for answer in answers:
                self.assertIsInstance(answer, enrp.Error)
                self.refused(answer)
        self.assertEqual(self.site.status()["peers"], [])
        for what in ("presence", "list", "table", "update", "takeover"):
            self.audited(what=f"{what}.refused", proof="plain")
        self.no_errors()

    def test_unproven(self):
        """TLS without a registrar's key isn't enough: an element's, somebody's, nobody's."""
        port = self.site.enrp_port_of("r1")
        element = PSKClientCreator("web-1", self.secret())
        guessed = PSKClientCreator("r3@r1", b"k" * 32)
        with self.unchanged():
            for creator in (element, guessed, self.anonymous()):
                try:
                    with Line(port, creator, decode=enrp) as line:
                        answers = line.tell(*said_by_peers())
                except (SSL.Error, OSError):
                    answers = []
                self.assertEqual(answers, [])
        self.assertEqual(self.site.status()["peers"], [])
        # The other way round: a registrar's key is no element's.
        with self.assertRaises(SSL.Error):
            self.line(self.peer_key())
        # The same deed by who is a registrar.
        with self.peer() as line:
            line.tell(said_by_peers()[0], said_by_peers()[5])
        until(lambda: self.digest()["elements"] == 1)


class Insecure(Attacked):
    """The other way round: a registrar of an insecure scope."""

    def setUp(self):
        self.site = Site(self, secure=False)
        self.registrar = self.site.registrar()

    def secret(self, name="web-1"):
        """The key of an identity, of the files that weren't used."""
        return b"k" * 32

    def test_no_tls(self):
        """It speaks no TLS, by key or by certificate: nobody is led to think it was secure."""
        for creator in (self.key(), self.anonymous()):
            with self.unchanged():
                with self.assertRaises((SSL.Error, OSError)):
                    line = Line(self.site.port, None)
                    self.addCleanup(line.close)
                    line.socket.settimeout(2)
                    line.tls = creator.clientConnectionForTLS(None)
                    line.tls.set_connect_state()
                    line._drive(line.tls.do_handshake)
        registered, left, _ = self.line().tell(*said(), want=3)
        self.assertFalse(registered.rejected)
        self.assertIsNone(left.error)
        self.assertIn("SECURITY IS NONE", self.site.log("registrar"))
        self.assertEqual({each["tls"] for each in self.site.status()["listeners"]}, {False})
