"""The plugin asks, waits, and takes nothing but a yes for a yes."""

from pathlib import Path

from rserpool_auth_command import authentication
from rserpool_auth_command.authentication import make
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from rserpool.security.credentials import ProvenKey
from rserpool.security.decisions import Restrictions
from rserpool.security.interfaces import IAuthentication
from rserpool.security.psk import keyfile
from rserpool.security.testing import by_key

CREDENTIALS = ProvenKey("web-1~2", "192.0.2.7")


class Asking(TestCase):
    """With real commands."""

    timeout = 30

    def made(self, script, restrictions=""):
        """Around a key file, asking a shell script."""
        path = self.mktemp()
        keyfile.add(path, "web-1~2", bytes(range(32)), restrictions)
        self.command = Path(self.mktemp()).absolute()
        self.command.write_text(f"#!/bin/sh\n{script}\n")
        self.command.chmod(0o755)
        return make(f"{self.command}:psk:{path}")

    @inlineCallbacks
    def test_yes(self):
        """Exit status 0 lets in, as whom the key says; it was asked about that one."""
        made = self.made(f"cat > {self.mktemp()}.asked; true")
        verifyObject(IAuthentication, made)
        subject = yield made.checker.requestAvatarId(CREDENTIALS)
        self.assertEqual((subject.name, subject.address), ("web-1", "192.0.2.7"))
        self.assertTrue(made.holds(subject))
        self.assertFalse(made.holds(by_key("web-1")))

    @inlineCallbacks
    def test_narrowed(self):
        """What it prints narrows what the key allows, and never widens it."""
        made = self.made('echo \'{"pools": ["a", "b"], "pe-ids": [7]}\'', ";pool=b;pool=c")
        subject = yield made.checker.requestAvatarId(CREDENTIALS)
        expected = Restrictions(pools=frozenset({b"b"}), pe_ids=frozenset({7}))
        self.assertEqual(subject.restrictions, expected)
        self.assertTrue(made.holds(subject))

    @inlineCallbacks
    def refused(self, script, restrictions=""):
        """Nobody is let in."""
        made = self.made(script, restrictions)
        yield self.assertFailure(made.checker.requestAvatarId(CREDENTIALS), UnauthorizedLogin)

    @inlineCallbacks
    def test_no(self):
        """Another status, a signal, nonsense, too many words, pools that the key hasn't."""
        yield self.refused("exit 1")
        yield self.refused("kill -9 $$")
        yield self.refused("echo nonsense")
        yield self.refused("echo '[1]'")
        yield self.refused("yes | head -c 100000")
        yield self.refused('echo \'{"pools": ["a"]}\'', ";pool=c")

    @inlineCallbacks
    def test_too_slow(self):
        """One that takes too long is killed, and has refused."""
        self.patch(authentication, "TIMEOUT", 0.2)
        yield self.refused("exec sleep 60")

    @inlineCallbacks
    def test_unknown(self):
        """Who has no key isn't asked about."""
        made = self.made(f"touch {Path(self.mktemp()).absolute()}")
        asked = made.checker.requestAvatarId(ProvenKey("nobody", "192.0.2.7"))
        yield self.assertFailure(asked, UnauthorizedLogin)

    def test_wrongly(self):
        """A command that isn't there is a clear fault at the start."""
        for args in ("may-enter:psk:x", "/nonexistent:psk:x", ":psk:x", ""):
            self.assertIn("whole path", str(self.assertRaises(ValueError, make, args)))
