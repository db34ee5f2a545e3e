"""Whose signatures are believed (RFC 5355 section 2.17)."""

import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate import make
from rserpool.security.certificate.name import pool_uri, pools
from rserpool.security.psk.keyfile import KeyFileError
from rserpool.security.signing import authorized
from rserpool.security.signing.listed import Listed
from rserpool.security.signing.signature import Doubt, Signature, Untrusted
from rserpool.security.signing.signer import Signer
from rserpool.security.signing.signers import signers
from tests.security.certificate.hierarchy import crl
from tests.security.signing.signing import NOW, certified, key, signer

PUBLIC = key().public_key().public_bytes_raw().hex()


class Case(SynchronousTestCase):
    """Who is believed."""

    def doubt(self, found, signature, now=NOW):
        """Why somebody isn't."""
        with self.assertRaises(Untrusted) as caught:
            found.find(Signature.decode(signature), now)
        return caught.exception.doubt


class InList(Case):
    """A list of keys."""

    def listed(self, *lines, mode=0o644):
        """Write a list and read it."""
        self.path = self.mktemp()
        Path(self.path).write_text("".join(f"{line}\n" for line in lines))
        os.chmod(self.path, mode)
        return signers(f"keys:{self.path}")

    def test_found(self):
        """By its key's name, with what the list says that it is good for."""
        found = self.listed(
            "# elements of web", f"web-1~2:{PUBLIC};pool=web;pe-id=0x2a;addr=192.0.2.0/24"
        ).find(Signature.decode(signer().sign(b"", 300)), NOW)
        self.assertEqual((found.name, found.public.hex()), ("web-1", PUBLIC))
        self.assertEqual(found.entitled.pools, {b"web"})
        self.assertEqual(found.entitled.pe_ids, {0x2A})
        self.assertEqual([str(one) for one in found.entitled.networks], ["192.0.2.0/24"])

    def test_stranger(self):
        """Who isn't in it is a stranger, and who isn't any more, or not yet."""
        value = signer(2).sign(b"", 300)
        self.assertIs(self.doubt(self.listed(f"web-1:{PUBLIC}"), value), Doubt.STRANGER)
        value = signer().sign(b"", 300)
        for limit in ("not-after=2027-01-01T00:00:00Z", "not-before=2027-02-01T00:00:00Z"):
            found = self.listed(f"web-1:{PUBLIC};{limit}")
            self.assertIs(self.doubt(found, value), Doubt.STRANGER, limit)

    def test_faults(self):
        """A list that isn't a good one is refused as a whole."""
        for lines, mode, words in (
            ((f"web-1:{PUBLIC}",), 0o664, "can change it"),
            ((), 0o644, "no key in it"),
            ((f"a:{PUBLIC}", f"b:{PUBLIC}"), 0o644, "stands there twice"),
            (("web-1:" + "00" * 31,), 0o644, "has 32 octets"),
            (("web-1",), 0o644, "isn't identity:hexkey"),
        ):
            with self.assertRaisesRegex(KeyFileError, words):
                self.listed(*lines, mode=mode)
            with self.assertRaisesRegex(KeyFileError, self.path):
                Listed(self.path)

    def test_kinds(self):
        """It must be said which kind of file it is."""
        for text in ("web.keys", "keys:", "psk:web.keys", ""):
            with self.assertRaisesRegex(ValueError, "keys:FILE"):
                signers(text)


class ByAuthority(Case):
    """Certificates."""

    def setUp(self):
        """An authority, and who believes it."""
        self.authority = make.authority("an authority of tests")
        self.path = self.mktemp()
        Path(self.path).write_bytes(self.authority.certificate)
        self.signers = signers(f"certificate:{self.path}")
        self.now = time.time()

    def found(self, signer, now=None):
        """Whose signature it is."""
        value = Signature.decode(signer.sign(b"", 300))
        return self.signers.find(value, now or self.now)

    def why(self, signer, now=None):
        """Why a signature isn't believed."""
        return self.doubt(self.signers, signer.sign(b"", 300), now or self.now)

    def test_found(self):
        """By the certificate's name, for the pools that it names and no other."""
        handles = (b"web", b"pay/ments \xff")
        signer = certified(self.authority, handles)
        found = self.found(signer)
        self.assertEqual(found.name, "dns:web-1.example")
        self.assertEqual(found.public, signer.public)
        self.assertEqual(found.entitled.pools, set(handles))

    def test_strangers(self):
        """Of another authority, of one that calls itself the same, or without certificate."""
        for name in ("somebody", "an authority of tests"):
            self.assertIs(self.why(certified(make.authority(name))), Doubt.STRANGER)
        self.assertIs(self.why(signer()), Doubt.STRANGER)

    def test_time(self):
        """Before and after its time a certificate counts for nothing."""
        good = certified(self.authority, days=10)
        self.found(good)
        for now in (self.now - 7200, self.now + 11 * 86400):
            self.assertIs(self.why(good, now), Doubt.STRANGER)

    def test_no_pool(self):
        """A registrar's certificate is of the same authority, and signs nothing."""
        issued = make.issue(self.authority, ["registrar.example"])
        own = x509.load_pem_x509_certificate(issued.certificate)
        stolen = Signer(key(), own.public_bytes(Encoding.DER))
        self.assertIs(self.why(stolen), Doubt.MALFORMED)  # it is for another kind of key
        parent, parent_key = make.signer(self.authority)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(own.subject).issuer_name(parent.subject)
            .public_key(key().public_key()).serial_number(1)
            .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("r1.example")]), False)
        )  # fmt: skip
        named = builder.sign(parent_key, hashes.SHA256()).public_bytes(Encoding.DER)
        self.assertIs(self.why(Signer(key(), named)), Doubt.UNENTITLED)

    def test_usage(self):
        """Nor does one that may not make signatures, though it names the pool."""
        self.patch(make, "_usage", lambda signs: x509.KeyUsage(
            digital_signature=False, key_cert_sign=False, crl_sign=False,
            content_commitment=False, key_encipherment=True, data_encipherment=False,
            key_agreement=False, encipher_only=False, decipher_only=False,
        ))  # fmt: skip
        self.assertIs(self.why(certified(self.authority)), Doubt.UNENTITLED)

    def test_critical(self):
        """Nor is one believed with an extension that must be understood, and isn't."""
        parent, parent_key = make.signer(self.authority)
        now = datetime.now(UTC)
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
        uri = x509.UniformResourceIdentifier(pool_uri(b"web"))
        names = [x509.DNSName("web-1.example"), uri]
        for critical in (False, True):
            builder = (
                x509.CertificateBuilder()
                .subject_name(parent.subject).issuer_name(parent.subject)
                .public_key(key().public_key()).serial_number(1)
                .not_valid_before(now - timedelta(hours=1))
                .not_valid_after(now + timedelta(days=1))
                .add_extension(x509.SubjectAlternativeName(names), False)
                .add_extension(x509.UnrecognizedExtension(oid, b"\5\0"), critical)
            )  # fmt: skip
            made = builder.sign(parent_key, hashes.SHA256()).public_bytes(Encoding.DER)
            signer = Signer(key(), made)
            if critical:
                self.assertIs(self.why(signer), Doubt.STRANGER)
            else:
                self.assertEqual(self.found(signer).entitled.pools, {b"web"})

    def test_authority_usage(self):
        """Nor by an authority whose key is for other signatures."""
        usage = make._usage
        self.patch(make, "_usage", lambda signs: usage(signs=False))
        self.authority = make.authority("an authority of tests")
        Path(self.path).write_bytes(self.authority.certificate)
        self.signers = signers(f"certificate:{self.path}")
        self.assertIs(self.why(certified(self.authority)), Doubt.STRANGER)

    def test_element_signs_no_certificates(self):
        """An element's key can't make certificates for others."""
        issued = make.issue(self.authority, ["web-1.example"], pools=[b"web"])
        parent = x509.load_pem_x509_certificate(issued.certificate)
        parent_key = load_pem_private_key(issued.private_key, None)
        uri = x509.UniformResourceIdentifier(pool_uri(b"payments"))
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(parent.subject).issuer_name(parent.subject)
            .public_key(key().public_key()).serial_number(1)
            .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([uri]), False)
        )  # fmt: skip
        made = builder.sign(parent_key, None).public_bytes(Encoding.DER)
        self.assertIs(self.why(Signer(key(), made)), Doubt.STRANGER)

    def test_revoked(self):
        """What the authority has revoked isn't believed any more; nor anything without list."""
        good, bad = certified(self.authority), certified(self.authority)
        serial = x509.load_der_x509_certificate(bad.certificate).serial_number
        lists = self.mktemp()
        Path(lists).write_bytes(crl(self.authority, serial))
        self.found(bad)
        self.signers = signers(f"certificate:{self.path};crl={lists}")
        self.found(good)
        self.assertIs(self.why(bad), Doubt.STRANGER)
        self.assertIs(self.why(good, self.now + 6 * 86400), Doubt.STRANGER)  # the list is old

    def test_remembered(self):
        """What a certificate says is remembered, within a bound; its time counts still."""
        self.patch(authorized, "REMEMBERED", 3)
        many = [certified(self.authority, days=10) for _ in range(8)]
        for one in 2 * many:
            self.assertEqual(self.found(one).public, one.public)
            self.assertLessEqual(len(self.signers._paths), 3)
        self.assertIs(self.why(many[-1], self.now + 11 * 86400), Doubt.STRANGER)

    def test_nonsense(self):
        """What is no certificate is told from one that isn't believed."""
        for der in (b"\x30", bytes(100), certified(self.authority).certificate[:-1]):
            self.assertIs(self.why(Signer(key(), der)), Doubt.MALFORMED)

    def test_mutations(self):
        """Whatever is changed in a certificate, it is refused in words, and nothing breaks."""
        good = certified(self.authority).certificate
        chance = random.Random(1)
        seen = set()
        for _ in range(2000):
            der = bytearray(good)
            for _ in range(chance.choice((1, 1, 2, 5))):
                der[chance.randrange(len(der))] = chance.randrange(256)
            if bytes(der) != good:
                seen.add(self.why(Signer(key(), bytes(der))))
        self.assertEqual(seen, {Doubt.MALFORMED, Doubt.STRANGER})

    def test_other_key(self):
        """A certificate that belongs to another key doesn't lend its name."""
        thief = Signer(key(), certified(self.authority).certificate)
        value = Signature.decode(thief.sign(b"", 300))
        found = self.signers.find(value, self.now)
        with self.assertRaises(Untrusted) as caught:
            value.check(found.public, b"")
        self.assertIs(caught.exception.doubt, Doubt.FORGED)


class Pools(SynchronousTestCase):
    """The pools in a certificate."""

    def test_handles(self):
        """Handles are octets of any kind, and come back as they were."""
        authority = make.authority("x")
        handles = [b"web", b"a/b c%2f", bytes(range(256)), b"\xc3\xa4"]
        issued = make.issue(authority, ["web-1.example"], pools=handles)
        found = x509.load_pem_x509_certificate(issued.certificate)
        self.assertEqual(pools(found), set(handles))
        self.assertEqual(pool_uri(b"a b/c"), "rserpool:///a%20b%2Fc")
