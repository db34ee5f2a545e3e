"""The search for keys in logs finds them."""

import base64
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make
from rserpool.security.psk import keyfile
from tests import secrets


class Searching(SynchronousTestCase):
    """In whatever form a key stands there."""

    def setUp(self):
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.secret = bytes(range(7, 39))
        keyfile.add(str(self.directory / "a.psk"), "web-1", self.secret, ";pool=web")
        issued = make.authority("x")
        (self.directory / "ca.key").write_bytes(issued.private_key)
        self.issued = issued
        self.keys = secrets.of(self.directory)

    def test_forms(self):
        """As octets, hexadecimal, base64 and as Python shows it."""
        for form in (
            self.secret, self.secret.hex().encode(), self.secret.hex().upper().encode(),
            base64.b64encode(self.secret), repr(self.secret).encode(),
        ):  # fmt: skip
            found = secrets.leaked(self.keys, b"line\nx" + form + b"y\n")
            self.assertEqual(found, "web-1 of a.psk", form)

    def test_private_key(self):
        """A private key in PEM, on one line or as it is."""
        body = b"".join(self.issued.private_key.splitlines()[1:-1])
        octets = base64.b64decode(body)
        self.assertEqual(secrets.leaked(self.keys, b"x" + octets), "ca.key")

    def test_nothing(self):
        """What isn't a key isn't found."""
        self.assertEqual(secrets.leaked(self.keys, b"web-1: wrong key, 000102030405"), "")
