"""Reading revocation lists, and refusing those that would say less than they seem to."""

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import lists, make
from tests.security.certificate.hierarchy import between, certificate, crl

ONE, TWO = make.authority("One"), make.authority("Two")
BOTH = [certificate(ONE), certificate(TWO)]


class Reading(SynchronousTestCase):
    """RFC 5280 section 5."""

    def test_good(self) -> None:
        """A list has an issuer, a time, a number, and the serials that were revoked."""
        pem = crl(ONE, 5, 7, number=3, end=1000)
        [found] = lists.parse(ONE.certificate + pem + b"and more\n", "crl.pem", BOTH)
        self.assertEqual((found.serials, found.number), (frozenset({5, 7}), 3))
        self.assertEqual(found.issuer, lists.authority_id(BOTH[0]))
        self.assertEqual(found.end - found.begin, 4600)

    def test_many(self) -> None:
        """A file may hold several, of one authority or of many; none at all is a fault."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(crl(ONE, 1) + crl(TWO, 2) + crl(ONE, 1, 3, number=2))
        self.assertEqual(len(lists.read(path, BOTH)), 3)
        with open(path, "wb") as file:
            file.write(ONE.certificate)
        self.assertRaisesRegex(ValueError, "no revocation list", lists.read, path, BOTH)

    def refused(self, words: str, pem: bytes, authorities=BOTH) -> None:
        """It is a fault that says why, and where."""
        error = self.assertRaises(ValueError, lists.parse, pem, "crl.pem", authorities)
        self.assertIn("crl.pem", str(error))
        self.assertIn(words, str(error))

    def test_unknown_issuer(self) -> None:
        """A list of somebody who is no authority of ours is a fault, and what to do is said."""
        self.refused("add the certificate", crl(TWO, 1), [certificate(ONE)])

    def test_signature(self) -> None:
        """A list that another has signed in an authority's name is a fault."""
        self.refused("isn't signed by it", crl(TWO, 1, name=certificate(ONE).subject))
        twin = make.authority("One")
        self.refused("isn't signed by it", crl(twin, 1))
        [found] = lists.parse(crl(twin, 1), "crl.pem", [*BOTH, certificate(twin)])
        self.assertEqual(found.issuer, lists.authority_id(certificate(twin)))

    def test_may_sign_lists(self) -> None:
        """An authority whose certificate doesn't let it sign lists has signed none."""
        usage = x509.KeyUsage(
            digital_signature=False, key_cert_sign=True, crl_sign=False,
            content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        middle = between(ONE, "Middle", usage)
        self.refused("doesn't let it sign", crl(middle, 1), [certificate(middle)])

    def test_parts(self) -> None:
        """Delta lists, indirect lists and those for a part are refused, each by its name."""
        self.refused("delta", crl(ONE, extensions=((x509.DeltaCRLIndicator(1), True),)))
        for words, indirect, users in (
            ("indirect", True, False),
            ("one of several", False, True),
        ):
            point = x509.IssuingDistributionPoint(
                full_name=[x509.UniformResourceIdentifier("http://crl.example/1")],
                relative_name=None, only_contains_user_certs=users,
                only_contains_ca_certs=False, only_some_reasons=None, indirect_crl=indirect,
                only_contains_attribute_certs=False,
            )  # fmt: skip
            self.refused(words, crl(ONE, extensions=((point, True),)))

    def test_critical(self) -> None:
        """What is critical and isn't understood makes a list useless, in an entry as well."""
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
        self.refused("1.2.3.4", crl(ONE, extensions=((odd, True),)))
        self.refused("1.2.3.4", crl(ONE, 5, of_entries=((odd, True),)))
        issuer = x509.CertificateIssuer([x509.DirectoryName(certificate(TWO).subject)])
        self.refused("2.5.29.29", crl(ONE, 5, of_entries=((issuer, True),)))
        reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
        pem = crl(ONE, 5, extensions=((odd, False),), of_entries=((reason, True),))
        self.assertEqual(len(lists.parse(pem, "crl.pem", BOTH)), 1)
        self.assertEqual(ExtensionOID.DELTA_CRL_INDICATOR.dotted_string, "2.5.29.27")

    def test_garbage(self) -> None:
        """What can't be read is a fault."""
        pem = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
        self.refused("can't be read", pem)
        whole = crl(ONE, 5)
        self.refused("can't be read", whole[:90] + whole[100:])

    def test_all_faults(self) -> None:
        """All lists of a file that are no good are told of."""
        pem = crl(make.authority("Three")) + crl(make.authority("Four"))
        error = self.assertRaises(ValueError, lists.parse, pem, "crl.pem", BOTH)
        self.assertEqual(len(str(error).splitlines()), 2)
