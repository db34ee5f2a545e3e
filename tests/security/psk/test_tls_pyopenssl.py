"""What pyOpenSSL must have."""

from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.tls_pyopenssl import probe
from rserpool.security.psk.unavailable import PSKUnavailable


class Copy:
    """A thing that lacks one of another's names."""

    def __init__(self, of: Any, lacks: str) -> None:
        self._of, self._lacks = of, lacks

    def __getattr__(self, name: str) -> Any:
        if name == self._lacks:
            raise AttributeError(name)
        return getattr(self._of, name)


class Probe(SynchronousTestCase):
    """Looking for the private names."""

    def lacking(self, ssl: Any) -> str:
        """Return what the error says."""
        return str(self.assertRaises(PSKUnavailable, probe, ssl))

    def test_all_there(self) -> None:
        """This pyOpenSSL has them."""
        self.assertEqual(probe(SSL), (SSL._lib, SSL._ffi))

    def test_no_bindings(self) -> None:
        """A pyOpenSSL without private bindings is refused, with both versions named."""
        text = self.lacking(Copy(Copy(SSL, "_lib"), "_ffi"))
        for part in ("cryptography ", "pyOpenSSL ", "SSL._lib", "SSL._ffi"):
            self.assertIn(part, text)

    def test_one_lacks(self) -> None:
        """The one function that lacks is named."""
        for name in ("SSL_session_reused", "SSL_CTX_set_psk_find_session_callback"):
            ssl = Copy(SSL, "")
            ssl._lib = Copy(SSL._lib, name)
            self.assertIn(name, self.lacking(ssl))

    def test_flag(self) -> None:
        """An OpenSSL that was built without keys in TLS 1.3 is refused."""
        ssl = Copy(SSL, "")
        ssl._lib = Copy(SSL._lib, "")
        ssl._lib.Cryptography_HAS_PSK_TLSv1_3 = 0
        self.assertIn("HAS_PSK_TLSv1_3", self.lacking(ssl))

    def test_wrapped_otherwise(self) -> None:
        """A Context or Connection that isn't a wrapper any more is refused."""
        ssl = Copy(SSL, "")
        ssl.Context = lambda method: SimpleNamespace()
        ssl.Context.set_tls13_ciphersuites = None
        ssl.Connection = lambda context: SimpleNamespace()
        text = self.lacking(ssl)
        self.assertIn("Context._context", text)
        self.assertIn("Connection._ssl", text)
