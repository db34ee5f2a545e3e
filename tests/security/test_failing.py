"""Plugins that fail on purpose, and what the registrar makes of those that take their time."""

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.credentials import ProvenKey
from rserpool.security.failing import Slow, raising, refusing, slow
from rserpool.security.interfaces import IAuthentication
from rserpool.security.plugin import make_authentication
from rserpool.security.psk import keyfile
from rserpool.service.kinds import provider

CREDENTIALS = ProvenKey("web-1", "192.0.2.1")


class Failing(SynchronousTestCase):
    """Around a key file."""

    def setUp(self):
        self.path = self.mktemp()
        keyfile.add(self.path, "web-1", bytes(range(32)))
        self.text = f"psk:{self.path}"

    def test_named(self):
        """Each has its name, and what TLS needs is the inner one's."""
        for text in (
            f"slow:0:{self.text}", f"refuse-all:{self.text}", f"raise-always:{self.text}",
        ):  # fmt: skip
            made = make_authentication(text)
            verifyObject(IAuthentication, made)
            self.assertEqual(made.keys.lookup("web-1").identity, "web-1")
            self.assertEqual(list(made.reload()), [])
            self.assertEqual((list(made.warnings), list(made.changes())), ([], []))
            made.inner.keys.warnings = ("weak",)
            self.assertEqual(list(made.warnings), ["weak"])
            self.assertEqual(provider(text)[-len(self.path) :], self.path)

    def test_refusing(self):
        """Nobody is let in."""
        asked = maybeDeferred(refusing(self.text).requestAvatarId, CREDENTIALS)
        self.failureResultOf(asked, UnauthorizedLogin)

    def test_raising(self):
        """Its checker raises."""
        asked = maybeDeferred(raising(self.text).requestAvatarId, CREDENTIALS)
        self.failureResultOf(asked, RuntimeError)

    def test_slow(self):
        """The answer is the inner one's, only later."""
        clock = Clock()
        made = Slow(make_authentication(self.text), 3.0, clock)
        asked = made.requestAvatarId(CREDENTIALS)
        clock.advance(2.9)
        self.assertNoResult(asked)
        clock.advance(0.2)
        self.assertEqual(self.successResultOf(asked).name, "web-1")

    def test_wrongly(self):
        """What can't be a time is refused."""
        for text in ("x:psk:f", "-1:psk:f", "nan:psk:f", "1e9:psk:f", ""):
            self.assertIn("slow:SECONDS", str(self.assertRaises(ValueError, slow, text)))
