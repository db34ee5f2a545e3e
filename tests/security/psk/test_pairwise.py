"""Keys between registrars: which opens which door, and which is shown to whom."""

import os

from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import Proof
from rserpool.security.psk import keyfile
from rserpool.security.psk.pairwise import PeerKeys, check_name, objection

KEY = bytes(range(32))


class Pairs(SynchronousTestCase):
    """A key file of registrar r1."""

    def setUp(self):
        self.path = self.mktemp()
        for identity in ("r1@r2", "r2@r1", "r3@r1", "r1@r3", "r1@r2~2", "r2@r3", "r4", "r1"):
            keyfile.add(self.path, identity, os.urandom(32))
        self.keys = PeerKeys(self.path, "r1")

    def test_doors(self):
        """Only keys for calling this registrar open its door, and none of its own does."""
        opening = [
            identity
            for identity in ("r1@r2", "r2@r1", "r3@r1", "r1@r3", "r1@r2~2", "r2@r3", "r4", "r1")
            if self.keys.keys.lookup(identity)
        ]
        self.assertEqual(opening, ["r2@r1", "r3@r1", "r4"])

    def test_why_not(self):
        """What is refused is said in words."""
        self.assertIn("own", objection("r1@r2", "r1"))
        self.assertIn("for calling 'r3'", objection("r2@r3", "r1"))
        self.assertEqual(objection("r2@r1", "r1"), "")

    def test_principal(self):
        """Who comes in by a key of a pair is the registrar that calls."""

        class Credentials:
            identity, address, fingerprint = "r2@r1", "192.0.2.2", None

        subject = self.keys.requestAvatarId(Credentials())
        self.assertEqual((subject.name, subject.proof), ("r2", Proof.PSK))
        self.assertTrue(self.keys.holds(subject))
        Credentials.identity = "r1@r2"
        self.assertRaises(UnauthorizedLogin, self.keys.requestAvatarId, Credentials())

    def test_shown(self):
        """A registrar is called with the newest key of the pair, others with our own name's."""
        store = self.keys.keys
        self.assertEqual(store.to_show("r2").identity, "r1@r2~2")
        self.assertEqual(store.to_show("r3").identity, "r1@r3")
        self.assertEqual(store.to_show("r9").identity, "r1")
        self.assertEqual(store.to_show(None).identity, "r1")
        nameless = PeerKeys(self.path, None)
        self.assertIsNone(nameless.keys.to_show("r2"))

    def test_called(self):
        """Who was called is the registrar that the key is for, until the key is gone."""
        key = self.keys.keys.to_show("r3")
        subject = self.keys.called(key, "whatever", "192.0.2.3")
        self.assertEqual(subject.name, "r3")
        self.assertTrue(self.keys.holds(subject))
        keyfile.remove(self.path, "r1@r3")
        self.keys.reload()
        self.assertFalse(self.keys.holds(subject))

    def test_names(self):
        """A registrar's name is no pair and no generation."""
        self.assertEqual(check_name("r1"), "r1")
        for name in ("r1@r2", "r1~2", "", "a:b"):
            self.assertRaises(ValueError, check_name, name)
