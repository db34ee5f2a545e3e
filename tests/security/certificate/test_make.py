"""Making certificates."""

import os
import stat
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make
from rserpool.security.certificate.name import names


def parsed(issued: make.Issued) -> x509.Certificate:
    """Return the certificate."""
    return x509.load_pem_x509_certificate(issued.certificate)


class Make(SynchronousTestCase):
    """Authorities and what they issue."""

    CA = make.authority("rserpool test authority")

    def test_authority(self) -> None:
        """An authority may sign certificates, and no authorities below it."""
        extensions = parsed(self.CA).extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.value.ca, constraints.value.path_length), (True, 0))
        self.assertTrue(constraints.critical)
        self.assertTrue(extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign)

    def test_verifies(self) -> None:
        """What is issued passes a strict verifier, for its names and purpose alone."""
        store = Store([parsed(self.CA)])
        server = parsed(make.issue(self.CA, ["registrar.example", "127.0.0.1"]))
        client = parsed(make.issue(self.CA, ["pu.example"], client=True))
        check = PolicyBuilder().store(store)
        check.build_server_verifier(x509.DNSName("registrar.example")).verify(server, [])
        check.build_client_verifier().verify(client, [])
        for shown, name in ((server, "other.example"), (client, "pu.example")):
            verifier = check.build_server_verifier(x509.DNSName(name))
            self.assertRaises(x509.verification.VerificationError, verifier.verify, shown, [])

    def test_names(self) -> None:
        """Names are addresses, URIs, or DNS names, internationalized ones in ASCII."""
        given = ["Bücher.example", "192.0.2.1", "2001:db8::1", "spiffe://example/x", "urn:a:b"]
        shown = parsed(make.issue(self.CA, given))
        self.assertEqual(
            names(shown),
            ["xn--bcher-kva.example", "192.0.2.1", "2001:db8::1", given[3], given[4]],
        )

    def test_wildcard(self) -> None:
        """A wildcard may be the first label of a DNS name, and nothing else."""
        shown = parsed(make.issue(self.CA, ["*.bücher.example"]))
        self.assertEqual(names(shown), ["*.xn--bcher-kva.example"])
        self.assertRaises(ValueError, make.issue, self.CA, ["a.*.example"])

    def test_bad_names(self) -> None:
        """What is no name is refused."""
        for bad in ([], [""], ["a b"], ["a..b"], ["x" * 64 + ".example"]):
            self.assertRaises(ValueError, make.issue, self.CA, bad)

    def test_long_name(self) -> None:
        """A name too long to be a common name is a name all the same."""
        name = ".".join(["x" * 40] * 3)
        self.assertEqual(names(parsed(make.issue(self.CA, [name]))), [name])

    def test_time(self) -> None:
        """A certificate is valid now, and never longer than its authority."""
        brief = make.authority("brief", days=10)
        shown = parsed(make.issue(brief, ["a.example"], days=800))
        self.assertEqual(shown.not_valid_after_utc, parsed(brief).not_valid_after_utc)
        self.assertLess(shown.not_valid_before_utc, datetime.now(UTC) - timedelta(minutes=30))

    def test_purpose(self) -> None:
        """A client's is for clients; a registrar's for both: it calls other registrars."""
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        for client, purposes in ((False, both), (True, both[1:])):
            shown = parsed(make.issue(self.CA, ["a.example"], client=client))
            usage = shown.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
            self.assertEqual(list(usage.value), purposes)

    def test_key(self) -> None:
        """Keys are of P-256, a new one each time, and stay out of reprs."""
        first, second = (make.issue(self.CA, ["a.example"]) for _ in range(2))
        key = parsed(first).public_key()
        self.assertIsInstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual(key.curve.name, "secp256r1")
        self.assertNotEqual(first.private_key, second.private_key)
        self.assertNotIn(first.private_key.splitlines()[1].decode(), repr(first))


class Files(SynchronousTestCase):
    """Writing and reading them."""

    def test_round_trip(self) -> None:
        """The key is for its owner alone, the certificate for everybody."""
        directory = self.mktemp()
        os.mkdir(directory)
        paths = [os.path.join(directory, name) for name in ("a.pem", "a.key")]
        issued = make.authority("a")
        old = os.umask(0o077)
        self.addCleanup(os.umask, old)
        make.write(issued, *paths)
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in paths]
        self.assertEqual(modes, [0o644, 0o600])
        self.assertEqual(make.load(*paths), issued)

    def test_not_a_pair(self) -> None:
        """A key of another certificate is refused, with both files named."""
        directory = self.mktemp()
        os.mkdir(directory)
        paths = [os.path.join(directory, name) for name in ("a.pem", "a.key")]
        one, other = make.authority("a"), make.authority("b")
        make.write(make.Issued(one.certificate, other.private_key), *paths)
        error = self.assertRaises(ValueError, make.load, *paths)
        for path in paths:
            self.assertIn(path, str(error))
