"""On which terms TLS is spoken."""

from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make
from rserpool.security.psk.terms import client_terms, server_terms

CA = make.authority("CA")
OWN = make.issue(CA, ["registrar.example"])


class Server(SynchronousTestCase):
    """Those of a listener."""

    def terms(self, **changes: Any) -> Any:
        """Make terms that are good but for these changes."""
        given = {
            "lookup": {}.get,
            "certificate": OWN.certificate,
            "private_key": OWN.private_key,
            "chain": b"",
            "authorities": CA.certificate,
            "minimum": "1.3",
            "maximum": "1.3",
            "hide_unknown": True,
            "legacy_suites": False,
        }
        return server_terms(**{**given, **changes})

    def test_good(self) -> None:
        """Keys, a certificate, or both make a listener."""
        self.terms()
        self.terms(certificate=None, private_key=None, authorities=None)
        self.terms(lookup=None)

    def test_chain(self) -> None:
        """Authorities between are shown behind the certificate."""
        self.assertEqual(len(self.terms(chain=CA.certificate).shown.chain), 2)

    def test_refused(self) -> None:
        """What could never let anybody in, or can't be read, is refused before the start."""
        other = make.issue(CA, ["other.example"])
        for words, changes in (
            ("neither", {"lookup": None, "certificate": None, "private_key": None}),
            ("both", {"private_key": None}),
            ("both", {"certificate": None}),
            ("certificate of the server's own", {"certificate": None, "private_key": None}),
            ("isn't that of the certificate", {"private_key": other.private_key}),
            ("isn't PEM", {"certificate": b"x"}),
            ("isn't PEM", {"private_key": b"x"}),
            ("no certificate", {"authorities": b"x"}),
            ("no authority", {"authorities": OWN.certificate}),
            ("versions", {"minimum": "1.1"}),
            ("versions", {"maximum": "1.2"}),
        ):
            error = self.assertRaises(ValueError, self.terms, **changes)
            self.assertIn(words, str(error))

    def test_key_stays_secret(self) -> None:
        """Neither messages nor reprs have the private key in them."""
        line = OWN.private_key.splitlines()[1].decode()
        self.assertNotIn(line, repr(self.terms()))
        error = self.assertRaises(ValueError, self.terms, private_key=OWN.private_key[:-40])
        self.assertNotIn(line, str(error))

    def test_legacy_warns(self) -> None:
        """The legacy suites are warned of."""
        seen: list[Any] = []
        globalLogPublisher.addObserver(seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, seen.append)
        self.terms(legacy_suites=True)
        self.assertIn("legacy", seen[0]["log_format"])
        self.assertEqual(seen[0]["log_level"].name, "warn")


class Client(SynchronousTestCase):
    """Those of a client with a key."""

    def test_identity(self) -> None:
        """An identity may be text or octets; nothing is normalized."""
        for identity in ("é", "é".encode()):
            terms = client_terms(
                identity, bytes(32), minimum="1.3", maximum="1.3", legacy_suites=False
            )
            self.assertEqual(terms.identity, "é".encode())

    def test_secret(self) -> None:
        """The key isn't shown."""
        terms = client_terms("a", b"S" * 32, minimum="1.3", maximum="1.3", legacy_suites=False)
        self.assertNotIn("SSSS", repr(terms))
