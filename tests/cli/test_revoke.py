"""``rserpool certificate revoke``, and what issue and show have to do with it."""

import json
import os
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import index, lists
from tests.cli.command import run, values


class Revoking(SynchronousTestCase):
    """What ``rserpool init`` has made, and certificates of its authority."""

    def setUp(self):
        """Make it."""
        self.dir = os.path.abspath(self.mktemp())
        values("init", self.dir, "--name", "registrar.example")
        self.base = f"{self.dir}/pe"
        values(
            "certificate", "issue", self.dir, "--client", "--name", "pe.example",
            "--out", self.base,
        )  # fmt: skip
        self.serial = values("certificate", "show", f"{self.base}.pem")["certificates"][0][
            "serial"
        ]

    def listed(self):
        """The serial numbers in the list, as a registrar reads it."""
        ca = x509.load_pem_x509_certificates(Path(self.dir, "ca.pem").read_bytes())
        [found] = lists.read(f"{self.dir}/crl.pem", ca)
        return found

    def test_by_file(self):
        """A certificate's file tells its serial number."""
        done = run("certificate", "revoke", self.dir, f"{self.base}.pem",
                   "--reason", "key-compromise")  # fmt: skip
        self.assertEqual((done.status, done.err), (0, ""))
        for words in (f"revoked serial {self.serial}", "SIGHUP", "1 entry"):
            self.assertIn(words, done.out)
        self.assertEqual(self.listed().serials, frozenset({int(self.serial, 16)}))
        self.assertEqual(os.stat(f"{self.dir}/crl.pem").st_mode & 0o777, 0o644)
        self.assertEqual(run("certificate", "show", f"{self.dir}/ca.pem").status, 0)

    def test_by_serial_and_name(self):
        """So do a serial number and a name, for what was issued here."""
        first = values("certificate", "revoke", self.dir, "--serial", self.serial)
        self.assertEqual((first["revoked"], first["number"]), ([self.serial], 1))
        other = values("certificate", "revoke", self.dir, "--name", "registrar.example")
        self.assertEqual((other["entries"], other["number"]), (2, 2))
        again = values("certificate", "revoke", self.dir, "--name", "pe.example")
        self.assertEqual((again["revoked"], again["already"]), ([], [self.serial]))
        self.assertEqual(len(self.listed().serials), 2)

    def test_anew(self):
        """Without any certificate the list is made anew, as it was, with a new end."""
        values("certificate", "revoke", self.dir, f"{self.base}.pem", "--days", "2")
        before = self.listed()
        values("certificate", "revoke", self.dir, "--days", "40")
        after = self.listed()
        self.assertEqual(before.serials, after.serials)
        self.assertGreater(after.end - before.end, 30 * 86400)
        self.assertEqual((before.number, after.number), (1, 2))

    def test_unknown_serial(self):
        """A serial that nobody has written down is asked for again: it may be a slip."""
        done = run("certificate", "revoke", self.dir, "--serial", "abcd")
        self.assertEqual(done.status, 2)
        self.assertIn("--force", done.err)
        self.assertFalse(os.path.exists(f"{self.dir}/crl.pem"))
        values("certificate", "revoke", self.dir, "--serial", "abcd", "--force")
        self.assertEqual(self.listed().serials, frozenset({0xABCD}))

    def test_wrong_use(self):
        """What can't be revoked is said, and no list is made."""
        other = os.path.abspath(self.mktemp())
        values("init", other)
        for words, expected in (
            ((self.dir, f"{other}/registrar.pem"), "wasn't issued by"),
            ((self.dir, f"{self.dir}/ca.pem"), "the authority itself"),
            ((self.dir, f"{self.dir}/ca.key"), "no certificate"),
            ((self.dir, "/nonexistent"), "can't be read"),
            (("/nonexistent",), "rserpool init DIR"),
            ((self.dir, "--serial", "xyz"), "isn't a serial number"),
            ((self.dir, "--name", "nobody.example"), "no certificate for 'nobody.example'"),
            ((self.dir, "--days", "0"), "more than 0"),
            ((self.dir, "--days", "nan"), "more than 0"),
            ((self.dir, "--reason", "whim"), "invalid choice"),
        ):
            done = run("certificate", "revoke", *words)
            self.assertEqual(done.status, 2, words)
            self.assertIn(expected, done.err)
            self.assertNotIn("Traceback", done.err)
            self.assertFalse(os.path.exists(f"{self.dir}/crl.pem"))
        os.chmod(f"{self.dir}/ca.key", 0o640)
        done = run("certificate", "revoke", self.dir, f"{self.base}.pem")
        self.assertEqual(done.status, 2)
        self.assertIn("chmod 600", done.err)

    def test_not_ours(self):
        """A list that another has made isn't written over."""
        other = os.path.abspath(self.mktemp())
        values("init", other)
        values("certificate", "revoke", other)
        foreign = Path(other, "crl.pem").read_bytes()
        Path(self.dir, "crl.pem").write_bytes(foreign)
        done = run("certificate", "revoke", self.dir, f"{self.base}.pem")
        self.assertEqual(done.status, 2)
        self.assertIn("isn't signed by it", done.err)
        self.assertEqual(Path(self.dir, "crl.pem").read_bytes(), foreign)

    def test_index(self):
        """What is issued is written down, by init too; a line that can't be read is told."""
        found = index.recorded(self.dir)
        self.assertEqual([entry.kind for entry in found], ["registrar", "client"])
        self.assertEqual(found[1].names, ("pe.example",))
        self.assertEqual(f"{found[1].serial:x}", self.serial)
        path = Path(self.dir, index.NAME)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        path.write_text(path.read_text() + "{}\n")
        done = run("certificate", "revoke", self.dir, "--serial", self.serial)
        self.assertEqual(done.status, 2)
        self.assertIn(f"{index.NAME}:3:", done.err)

    def test_show(self):
        """Lists are shown: whose, until when, and what is revoked since when and why."""
        values("certificate", "revoke", self.dir, f"{self.base}.pem", "--reason", "superseded")
        done = run("certificate", "show", f"{self.dir}/crl.pem")
        for words in ("revocation list of CN=rserpool authority, number 1", self.serial,
                      "superseded", "revoked  1"):  # fmt: skip
            self.assertIn(words, done.out)
        done = run("certificate", "show", f"{self.dir}/crl.pem", "--json")
        value = json.loads(done.out)
        self.assertEqual(value["certificates"], [])
        self.assertEqual(value["lists"][0]["revoked"][0]["reason"], "superseded")
        both = Path(self.mktemp())
        both.write_bytes(
            Path(self.dir, "ca.pem").read_bytes() + Path(self.dir, "crl.pem").read_bytes()
        )
        value = values("certificate", "show", both)
        self.assertEqual((len(value["certificates"]), len(value["lists"])), (1, 1))
