"""What the standard library must have."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.unavailable import PSKUnavailable
from tests.security.psk.link import backend


class Probe(SynchronousTestCase):
    """Looking for it."""

    def test_version(self) -> None:
        """Where it can't be had, the error says which Python has it."""
        module, why = backend("tls_stdlib")
        if module is None:
            self.assertIn("needs Python 3.13", why)

    def test_lacking(self) -> None:
        """A Python without, or one with an OpenSSL without keys, is refused."""
        module, _ = backend("tls_stdlib")
        assert module is not None
        context = type("C", (), dict.fromkeys(dir(module.ssl.SSLContext)))
        for ssl in (
            SimpleNamespace(SSLContext=object, HAS_PSK=True),
            SimpleNamespace(SSLContext=context, HAS_PSK=False),
        ):
            self.assertRaises(PSKUnavailable, module.probe, ssl)

    test_lacking.skip = backend("tls_stdlib")[1] or None
