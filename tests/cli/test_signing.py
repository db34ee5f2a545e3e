"""Keys by which elements sign what they register, and whom a user believes."""

import os
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import index
from rserpool.security.certificate.name import for_clients
from rserpool.security.signing.signature import Signature
from rserpool.security.signing.signer import Signer
from rserpool.security.signing.signers import signers
from tests.cli.command import run, values


class Issue(SynchronousTestCase):
    """``rserpool certificate issue --pool``."""

    def setUp(self):
        """A site."""
        self.dir = os.path.abspath(self.mktemp())
        values("init", self.dir)
        self.base = f"{self.dir}/web-1"

    def issue(self, *pools):
        """A key and its certificate."""
        words = [word for pool in pools for word in ("--pool", pool)]
        return values("certificate", "issue", self.dir, "--name", "web-1.example",
                      "--out", self.base, *words)  # fmt: skip

    def found(self):
        """What is shown of it."""
        [certificate] = values("certificate", "show", f"{self.base}.pem")["certificates"]
        return certificate

    def test_element(self):
        """It makes a key of an element, which is believed for its pools by both ways."""
        self.assertEqual(self.issue("web", "pay ments")["for"], "element")
        self.assertEqual(os.stat(f"{self.base}.key").st_mode & 0o777, 0o600)
        self.assertTrue(for_clients(Path(f"{self.base}.pem").read_bytes()))
        self.assertEqual(index.recorded(self.dir)[-1].kind, "element")
        signer = Signer.from_files(f"{self.base}.key", f"{self.base}.pem")
        keys = Path(self.dir, "signers.keys")
        keys.write_text(self.found()["signs-for"] + "\n")
        value = Signature.decode(signer.sign(b"", 300))
        for text, name in (
            (f"certificate:{self.dir}/ca.pem", "dns:web-1.example"),
            (f"keys:{keys}", "web-1.example"),
        ):
            found = signers(text).find(value, value.times[0])
            self.assertEqual((found.name, found.public), (name, signer.public))
            self.assertEqual(found.entitled.pools, {b"web", b"pay ments"})

    def test_no_line(self):
        """A pool that can't stand in a list is in the certificate only."""
        self.issue("hex:ff3b")
        self.assertIsNone(self.found()["signs-for"])
        signer = Signer.from_files(f"{self.base}.key", f"{self.base}.pem")
        self.assertEqual(signer.pools, {b"\xff;"})

    def test_others(self):
        """Without a pool it is as it was."""
        self.assertEqual(self.issue()["for"], "registrar")
        self.assertIsNone(self.found()["signs-for"])
        key = x509.load_pem_x509_certificate(Path(f"{self.base}.pem").read_bytes()).public_key()
        self.assertEqual(key.key_size, 256)


class Ask(SynchronousTestCase):
    """``--signers``."""

    def test_faults(self):
        """What can't be read is told before anybody is asked."""
        empty = self.mktemp()
        Path(empty).touch()
        for text, words in (
            ("ca.pem", "keys:FILE"),
            ("certificate:/nonexistent", "can't be read"),
            (f"certificate:{empty}", "no certificate"),
            (f"keys:{empty}", "no key in it"),
        ):
            done = run("resolve", "web", "--registrar", "tcp:127.0.0.1:1", "--signers", text)
            self.assertEqual(done.status, 2, text)
            self.assertIn(words, done.err)
            self.assertNotIn("Traceback", done.err)
