"""The conformance tests: our own plugins pass them, and broken ones fail them."""

import os
import unittest
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rserpool.security.budgets import Budgets, Rate, Rates
from rserpool.security.certificate import make
from rserpool.security.certificate.authentication import Certificates
from rserpool.security.decisions import ALLOW, Request, deny
from rserpool.security.failing import RaiseAlways, RefuseAll, Slow
from rserpool.security.gate import Gate
from rserpool.security.interfaces import IAuthorizer, IKeyStore, IRateLimit, Key
from rserpool.security.plugin import SecurityPlugin
from rserpool.security.proven import AllowProven
from rserpool.security.psk import keyfile
from rserpool.security.psk.authentication import PreSharedKeys
from rserpool.security.psk.keystore import KeyStore
from rserpool.security.psk.pairwise import PeerKeys
from rserpool.security.rules.authorizer import Rules
from rserpool.security.testing import (
    AuthenticationConformance,
    AuthorizerConformance,
    GateConformance,
    KeyStoreConformance,
    PeerAuthenticationConformance,
    RateLimitConformance,
    SecurityPluginConformance,
    anonymous,
    by_key,
)

SECRET = bytes(range(32))


class ProvenConforms(AuthorizerConformance, SynchronousTestCase):
    """allow-proven."""

    allowed = ((by_key(), Request("asap.register.new", b"web")),)
    denied = ((anonymous(), Request("asap.register.new", b"web")),)

    def make(self):
        """Make it."""
        return AllowProven()


class RefuseConforms(AuthorizerConformance, SynchronousTestCase):
    """refuse-all: an authorizer like any other."""

    def make(self):
        """Make it."""
        return RefuseAll()


class RulesConform(AuthorizerConformance, SynchronousTestCase):
    """The rules file."""

    allowed = ((by_key(), Request("asap.resolve", b"web")),)
    denied = ((by_key("web-2"), Request("asap.register.new", b"web")),)

    def make(self):
        """Make it."""
        path = Path(self.mktemp())
        path.write_text('[roles.all]\nrules = ["asap.resolve"]\n[users.web-1]\nadmin = true\n')
        return Rules(str(path))


class BudgetsConform(RateLimitConformance, SynchronousTestCase):
    """The budgets."""

    burst = 100

    def make(self):
        """Make it."""
        return Budgets(Rates())


class KeyStoreConforms(KeyStoreConformance, SynchronousTestCase):
    """The key file as a store."""

    known = "web-1"

    def make(self):
        """Make it."""
        path = self.mktemp()
        keyfile.add(path, "web-1", SECRET)
        return KeyStore(path)


class KeysConform(AuthenticationConformance, SynchronousTestCase):
    """The key file as an authentication."""

    known = "web-1"

    def make(self):
        """Make it."""
        self.path = self.mktemp()
        keyfile.add(self.path, "web-1", SECRET)
        return PreSharedKeys(self.path)

    def spoil(self, made):
        """Garbage."""
        Path(self.path).write_text("garbage\n")

    def revoke(self, made):
        """Take the key out."""
        keyfile.remove(self.path, "web-1")


class CertificatesConform(AuthenticationConformance, SynchronousTestCase):
    """Client certificates."""

    def make(self):
        """Make it."""
        path = self.mktemp()
        Path(path).write_bytes(make.authority("x").certificate)
        return Certificates(path)


class PeerKeysConform(PeerAuthenticationConformance, SynchronousTestCase):
    """The key file between registrars."""

    known = "r2@r1"

    def make(self):
        """Make it."""
        self.path = self.mktemp()
        for identity in ("r2@r1", "r1@r2", "r1@r3"):
            keyfile.add(self.path, identity, os.urandom(32))
        made = PeerKeys(self.path)
        made.introduce("r1")
        return made

    def spoil(self, made):
        """Garbage."""
        Path(self.path).write_text("garbage\n")

    def revoke(self, made):
        """Take the key out."""
        keyfile.remove(self.path, "r2@r1")


class GateConforms(GateConformance, SynchronousTestCase):
    """The gate, with plugins that work and that don't."""

    def make(self):
        """Make it."""
        return Gate(AllowProven(), Budgets(Rates()), required=True)


class BrokenGateConforms(GateConformance, SynchronousTestCase):
    """One whose authorizer always fails gives decisions all the same."""

    def make(self):
        """Make it."""
        self.addCleanup(self.flushLoggedErrors, RuntimeError)
        return Gate(RaiseAlways(), Budgets(Rates()), required=True)


class SlowConforms(AuthenticationConformance, SynchronousTestCase):
    """One whose checker needs time, which it is given by a clock."""

    known = "web-1"

    def make(self):
        """Make it."""
        self.path = self.mktemp()
        keyfile.add(self.path, "web-1", SECRET)
        self.clock = Clock()
        return Slow(PreSharedKeys(self.path), 1.0, self.clock)

    def wait(self, made):
        """Let it pass."""
        self.clock.advance(1.0)

    def revoke(self, made):
        """Take the key out."""
        keyfile.remove(self.path, "web-1")


class PluginConforms(SecurityPluginConformance, SynchronousTestCase):
    """One of our drop-ins."""

    arguments = ""
    bad_arguments = ()

    def make(self):
        """Make it."""
        maker = "rserpool.security.failing.refuse_all"
        return SecurityPlugin("refuse-all", IAuthorizer, maker, "denies everything")


def failures(mixin, made, **more):
    """The tests of a mix-in that `made` fails."""
    case = type("Case", (mixin, unittest.TestCase), {"make": lambda self: made(), **more})
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return {test._testMethodName for test, _ in [*result.failures, *result.errors]}


@implementer(IAuthorizer, IRateLimit)
class Broken:
    """Answers as it is told, once after the other."""

    def __init__(self, *answers):
        self._answers = answers
        self._count = 0

    def decide(self, subject, request):
        """The next answer."""
        self._count += 1
        answer = self._answers[self._count % len(self._answers)]
        return answer() if callable(answer) else answer

    def spend(self, subject, request, now):
        """The next answer."""
        return self.decide(subject, request)


def raises():
    """Raise."""
    raise RuntimeError("no")


@implementer(IKeyStore)
class BrokenKeys:
    """A store that is broken in one way."""

    def __init__(self, known=Key("web-1", SECRET), unknown=None, fold=False):  # noqa: B008
        self._known, self._unknown, self._fold = known, unknown, fold

    def lookup(self, identity):
        """Find it, or not."""
        if self._fold:
            identity = identity.strip().lower()
        if identity == "web-1":
            return self._known
        return self._unknown() if callable(self._unknown) else self._unknown


class Talkative(BrokenKeys):
    """Shows its keys to who prints it."""

    def __repr__(self):
        return f"<{SECRET.hex()}>"


class BrokenOnes(SynchronousTestCase):
    """Each mix-in finds what it is there for."""

    def test_authorizer(self):
        """No decision, an exception, two answers, registration by anybody, wrong samples."""
        for made, expected in (
            (object, "test_interface"),
            (lambda: Broken(None), "test_any_question"),
            (lambda: Broken(True), "test_any_question"),
            (lambda: Broken(raises), "test_any_question"),
            (lambda: Broken(deny("")), "test_any_question"),
            (lambda: Broken(ALLOW, deny("no")), "test_same_answer"),
            (lambda: Broken(ALLOW), "test_plain_is_nobody"),
        ):
            self.assertIn(expected, failures(AuthorizerConformance, made), expected)
        samples = ((by_key(), Request("asap.resolve")),)
        self.assertIn(
            "test_samples",
            failures(AuthorizerConformance, RefuseAll, allowed=samples),
        )
        self.assertIn(
            "test_samples",
            failures(AuthorizerConformance, AllowProven, denied=samples),
        )

    def test_limits(self):
        """No limit where there should be one; for ever; by connection."""
        for made, expected in (
            (lambda: Broken(ALLOW), "test_reconnecting"),
            (lambda: Broken(deny("no")), "test_comes_back"),
            (lambda: Broken(None), "test_any_question"),
            (lambda: Budgets(Rates(unreachables=Rate(0, 0))), "test_reconnecting"),
        ):
            self.assertIn(expected, failures(RateLimitConformance, made, burst=50), expected)

    def test_keys(self):
        """Raises, knows anybody, a short key, another's key, folds case, shows secrets."""
        for made, expected in (
            (lambda: BrokenKeys(unknown=raises), "test_unknown"),
            (lambda: BrokenKeys(unknown=Key("x", SECRET)), "test_unknown"),
            (lambda: BrokenKeys(Key("web-1", b"short")), "test_known"),
            (lambda: BrokenKeys(Key("web-2", SECRET)), "test_known"),
            (lambda: BrokenKeys(None), "test_known"),
            (lambda: BrokenKeys(fold=True), "test_exact"),
            (Talkative, "test_no_secret_shown"),
        ):
            self.assertIn(expected, failures(KeyStoreConformance, made, known="web-1"))

    def authentication(self, **broken):
        """One that is broken in one way."""
        path = self.mktemp()
        keyfile.add(path, "web-1", SECRET)
        return lambda: type("Odd", (PreSharedKeys,), broken)(path)

    def test_authentication(self):
        """Lets anybody in, holds strangers, loses its keys, holds what was revoked."""

        def lose(self):
            self.keys._keys = {}
            raise ValueError("no")

        def revoke(case, made):
            os.truncate(made.path, 0)

        for broken, expected in (
            ({"requestAvatarId": lambda self, credentials: by_key()}, "test_nobody"),
            ({"requestAvatarId": lambda self, credentials: "web-1"}, "test_known"),
            ({"holds": lambda self, subject: True}, "test_stranger_holds_nothing"),
            ({"holds": lambda self, subject: True}, "test_revoked"),
            ({"holds": lambda self, subject: False}, "test_known"),
            ({"reload": lose}, "test_reload"),
            ({"__repr__": lambda self: SECRET.hex()}, "test_no_secret_shown"),
        ):
            made = self.authentication(**broken)
            found = failures(AuthenticationConformance, made, known="web-1", revoke=revoke)
            self.assertIn(expected, found)

    def test_peers(self):
        """Shows no key, opens its door to its own, forgets or misnames who was called."""
        path = self.mktemp()
        for identity in ("r2@r1", "r1@r2"):
            keyfile.add(path, identity, os.urandom(32))

        def nobody(self, key, name, address):
            return by_key("nobody")

        class Open(PeerKeys):
            def introduce(self, name):
                self.keys.introduce(name)
                self.keys.lookup = lambda identity: Key(identity, SECRET)

        for kind, expected in (
            (type("Odd", (PeerKeys,), {"to_show": lambda self, name: None}), "test_shown"),
            (type("Odd", (PeerKeys,), {"introduce": lambda self, name: None}), "test_shown"),
            (type("Odd", (PeerKeys,), {"called": nobody}), "test_called"),
            (type("Odd", (PeerKeys,), {"holds": lambda self, who: False}), "test_called"),
            (type("Odd", (PeerKeys,), {"holds": lambda self, who: True}), "test_called"),
            (Open, "test_shown"),
            (PreSharedKeys, "test_both_ways"),
        ):
            found = failures(PeerAuthenticationConformance, lambda k=kind: k(path))
            self.assertIn(expected, found, kind)
        found = failures(PeerAuthenticationConformance, lambda: PeerKeys(path))
        self.assertEqual(found, set())

    def test_gate(self):
        """A gate that raises, or says what is no decision."""
        for made in (lambda: Broken(None), object):
            self.assertIn("test_any_question", failures(GateConformance, made))

    def test_slow_needs_a_clock(self):
        """A checker that needs time says so, instead of being taken for one that refuses."""
        path = self.mktemp()
        keyfile.add(path, "web-1", SECRET)

        def made():
            return Slow(PreSharedKeys(path), 1.0, Clock())

        found = failures(AuthenticationConformance, made, known="web-1")
        self.assertIn("test_known", found)
        self.assertIsInstance(made().requestAvatarId(None), Deferred)

    def test_plugin(self):
        """A name of two words, no help, another product, bad arguments taken."""
        ours = "rserpool.security.failing.refuse_all"
        for arguments, expected in (
            (("a:b", IAuthorizer, ours, "help"), "test_interface"),
            (("a", IAuthorizer, ours, ""), "test_interface"),
            (("a", IKeyStore, ours, "help"), "test_makes"),
            (("a", IAuthorizer, ours, "help"), "test_bad_arguments"),
        ):
            found = failures(
                SecurityPluginConformance, lambda a=arguments: SecurityPlugin(*a),
                arguments="", bad_arguments=("x",),
            )  # fmt: skip
            self.assertIn(expected, found)
