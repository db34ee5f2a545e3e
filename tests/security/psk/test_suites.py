"""Which suites are offered."""

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.suites import SUITES_13, client_suites, server_suites


class Suites(SynchronousTestCase):
    """Names, and their order."""

    def test_keys_first(self) -> None:
        """Suites with a key go before those with certificates, forward secrecy first."""
        suites = server_suites(keys=True, certificate=True, legacy=True).split(":")
        self.assertTrue(suites[0].startswith("ECDHE-PSK-"))
        last_secret = max(i for i, name in enumerate(suites) if "DHE" in name)
        first_plain = min(i for i, name in enumerate(suites) if "DHE" not in name)
        self.assertLess(last_secret, first_plain)

    def test_forward_secrecy(self) -> None:
        """A client offers nothing else, unless it is told to."""
        self.assertTrue(all("DHE" in name for name in client_suites(False).split(":")))
        self.assertIn("PSK-AES128-CBC-SHA", client_suites(True).split(":"))

    def test_legacy(self) -> None:
        """What RFC 5352 section 9.2 makes mandatory is there on demand only."""
        for name, keys, certificate in (
            ("AES128-SHA", False, True),
            ("PSK-AES128-CBC-SHA", True, False),
        ):
            self.assertIn(name, server_suites(keys, certificate, True).split(":"))
            self.assertNotIn(name, server_suites(keys, certificate, False).split(":"))

    def test_nothing_weak(self) -> None:
        """No suite is without encryption, and none without an authentication of ours."""
        for legacy in (False, True):
            context = SSL.Context(SSL.TLS_METHOD)
            context.set_cipher_list(server_suites(True, True, legacy).encode())
            names = SSL.Connection(context, None).get_cipher_list()
            for bad in ("NULL", "RSA-PSK", "ADH", "AECDH", "RC4", "DES"):
                self.assertFalse([name for name in names if bad in name], bad)

    def test_hash(self) -> None:
        """TLS 1.3 has suites of SHA-256 only, the hash of our keys."""
        self.assertTrue(all(name.endswith("SHA256") for name in SUITES_13))
