"""``--auth psk:FILE``."""

import os

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.credentials import ProvenKey
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication
from rserpool.security.psk.authentication import PreSharedKeys
from rserpool.security.psk.identity import fingerprint

A, B = "aa" * 32, "bb" * 32


class Authentication(SynchronousTestCase):
    """A key file with one restricted key in two generations."""

    LINES = (
        f"web-1:{A};pool=web;pe-id=7;not-after=1970-01-01T01:00:00\n",
        f"web-1~2:{B}\n",
    )

    def setUp(self) -> None:
        """Read the file at second 1000."""
        self.now = 1000.0
        self.path = self.mktemp()
        self.write("".join(self.LINES))
        self.keys = PreSharedKeys(self.path, clock=lambda: self.now)

    def write(self, text: str) -> None:
        """Write the file."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path, 0o600)

    def subject(self, identity: str = "web-1", secret: str = A) -> Subject:
        """Let somebody in."""
        proven = ProvenKey(identity, "192.0.2.1", fingerprint(bytes.fromhex(secret)))
        return self.keys.checker.requestAvatarId(proven)

    def test_interfaces(self) -> None:
        """It is an authentication and its own checker."""
        verifyObject(IAuthentication, self.keys)
        verifyObject(ICredentialsChecker, self.keys.checker)
        self.assertIsNone(self.keys.authorities)

    def test_subject(self) -> None:
        """A proven key becomes a subject with the key's restrictions."""
        subject = self.subject()
        self.assertEqual((subject.name, subject.identity), ("web-1", "web-1"))
        self.assertEqual((subject.proof, subject.address), (Proof.PSK, "192.0.2.1"))
        self.assertEqual(subject.restrictions.pools, {b"web"})
        self.assertEqual(subject.restrictions.pe_ids, {7})
        self.assertEqual(subject.valid_until, 3600)

    def test_generation(self) -> None:
        """Another generation is the same principal."""
        subject = self.subject("web-1~2", B)
        self.assertEqual((subject.name, subject.identity), ("web-1", "web-1~2"))

    def test_unknown(self) -> None:
        """A key that went while the handshake was going on lets nobody in."""
        self.assertRaises(UnauthorizedLogin, self.subject, "web-2")

    def test_replaced_meanwhile(self) -> None:
        """A handshake that began with an old secret isn't taken for one with the new."""
        self.assertRaises(UnauthorizedLogin, self.subject, "web-1", B)

    def test_without_fingerprint(self) -> None:
        """Where it isn't known which secret it was, the identity decides."""
        subject = self.keys.requestAvatarId(ProvenKey("web-1", "192.0.2.1"))
        self.assertTrue(self.keys.holds(subject))

    def test_holds(self) -> None:
        """A session outlives a reload as long as its line is what it was."""
        subject = self.subject()
        self.write(f"# another comment\n{self.LINES[0]}")
        self.keys.reload()
        self.assertTrue(self.keys.holds(subject))

    def test_holds_no_more(self) -> None:
        """Removed, replaced, expired, or restricted in another way: the session ends."""
        subject = self.subject()
        for text in (
            self.LINES[1],
            self.LINES[0].replace(A, B),
            self.LINES[0].replace(";pool=web", ""),
            self.LINES[0].replace("01:00:00", "02:00:00"),
        ):
            self.write(text)
            self.keys.reload()
            self.assertFalse(self.keys.holds(subject), text)
        self.write("".join(self.LINES))
        self.keys.reload()
        self.assertTrue(self.keys.holds(subject))
        self.now = 3600.0
        self.assertFalse(self.keys.holds(subject))

    def test_holds_only_its_own(self) -> None:
        """A subject that came in some other way isn't held by a key of the same name."""
        stranger = Subject("web-1", Proof.CERTIFICATE, "192.0.2.1", "web-1")
        self.assertFalse(self.keys.holds(stranger))

    def test_bad_file(self) -> None:
        """A bad file stops the start; at a reload the last good one stays."""
        subject = self.subject()
        self.write("web-1:\n")
        self.assertRaises(ValueError, PreSharedKeys, self.path)
        self.assertRaises(ValueError, self.keys.reload)
        self.assertTrue(self.keys.holds(subject))

    def test_warnings(self) -> None:
        """What ought to be better is told."""
        self.write(f"a:{'ab' * 16}\n")
        self.assertEqual(len(self.keys.reload()), 1)
        self.assertEqual(len(self.keys.warnings), 1)
