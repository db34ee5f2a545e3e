"""RFC 5355 section 2.9: at a failover, what protected the user isn't there any more."""

import json
import subprocess
import sys
from pathlib import Path

from rserpool.security.certificate import make
from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap
from tests.site import ROOT, until
from tests.threats.answering import Answering
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked
from tests.threats.scope import described

#: What the application says to whom it trusts.
SECRET = asap.Cookie(cookie=b"for whom we trust")


class Failing(Attacked):
    """Elements that serve, one of which dies; an application that goes to another."""

    def served(self, issuer="", name="web.example"):
        """Start a server with a certificate of the site's authority, or of somebody's."""
        if issuer:
            issued = make.issue(make.authority(issuer), [name])
            files = issued.certificate, issued.private_key
        else:
            out = self.site.files / f"served-{name}"
            if not Path(f"{out}.pem").exists():
                self.site.command("certificate", "issue", str(self.site.files),
                                  "--name", name, "--out", str(out))  # fmt: skip
            files = (Path(f"{out}.{kind}").read_bytes() for kind in ("pem", "key"))
        certificate, private_key = files
        return Impostor(self, ServerCreator(certificate=certificate, private_key=private_key))

    def registered(self, identifier, server, key="web-1"):
        """Register a server, by a key that is good."""
        element = described(identifier, 0, server.port)
        line = self.line(self.key(key))
        answering = Answering(line, asap.Registration(handle=b"web", element=element))
        self.addCleanup(line.close)
        return answering

    def application(self, *plain):
        """Start it; `plain`: where it takes an element without TLS."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.threats.failing_over"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        spec = {"registrar": self.site.endpoint, "ca": str(self.site.files / "ca.pem"),
                "plain": plain}  # fmt: skip
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()
        return lambda: json.loads(process.stdout.readline())

    def test_rightful(self):
        """The application is told of both elements and how each is secured, and goes on."""
        servers = [self.served(), self.served()]
        for identifier, server in enumerate(servers, 1):
            self.registered(identifier, server)
        say = self.application()
        port = say()["connected"]
        [first] = [one for one in servers if one.port == port]
        [second] = [one for one in servers if one.port != port]
        until(lambda: first.heard)
        first.stop()
        told = say()
        self.assertEqual((told["old"], told["new"]), (first.port, second.port))
        for standing in (told["before"], told["now"]):
            self.assertEqual(standing, "TLSv1.3, dns:web.example by certificate")
        until(lambda: second.heard)
        second.stop()
        self.assertIn("element 0x0000000", say()["over"])
        self.assertEqual([first.heard, second.heard], [[SECRET], [SECRET]])
        # The registrar has been told who failed, by nobody in particular, and removes nobody.
        self.audited(what="decision.allowed", action="asap.unreachable", principal="anonymous")
        self.assertEqual(self.digest()["elements"], 2)
        self.no_errors()

    def test_insiders(self):
        """Elements of an insider, without TLS or with another's, hear nothing."""
        rightful = self.served()
        self.registered(1, rightful)
        say = self.application()
        plain, foreign, other = (
            Impostor(self),
            self.served(issuer="somebody"),
            self.served(name="other.example"),
        )
        self.application_of(plain, foreign, other)
        self.assertEqual(say()["connected"], rightful.port)
        rightful.stop()
        over = say()["over"]
        for words in ("no TLS on it", "by an authority that isn't in", "is for other.example"):
            self.assertIn(words, over)
        self.assertEqual([one.heard for one in (plain, foreign, other)], [[], [], []])
        self.no_errors()

    def application_of(self, *servers):
        """An insider registers these."""
        for identifier, server in enumerate(servers, 2):
            self.registered(identifier, server, key="web-2")

    def test_downgrade(self):
        """An application that would take an element without TLS doesn't after one with it."""
        rightful, plain = self.served(), Impostor(self)
        self.registered(1, rightful)
        say = self.application(plain.port)
        self.assertEqual(say()["connected"], rightful.port)
        until(lambda: rightful.heard)
        self.registered(2, plain, key="web-2")
        rightful.stop()
        self.assertIn("may not take that away", say()["over"])
        self.assertEqual((rightful.heard, plain.heard), ([SECRET], []))
        # It would have, had it come there first.
        say = self.application(plain.port)
        self.assertEqual(say()["connected"], plain.port)
        self.no_errors()
