"""The client's side of certificates."""

import os
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.certificate import make
from rserpool.security.certificate.trust import (
    CertificateRefused,
    explain,
    host,
    verifying_client,
)
from rserpool.security.decisions import Proof
from rserpool.security.psk import tls
from tests.security.certificate.hierarchy import between, certificate, crl, root
from tests.security.psk.link import Link

CA = make.authority("Test CA")


class Trust(SynchronousTestCase):
    """Handshakes with a server that shows a certificate."""

    def setUp(self) -> None:
        """Write the authority's file."""
        self.ca = self.mktemp()
        with open(self.ca, "wb") as file:
            file.write(CA.certificate)

    def shake(
        self,
        wanted: str,
        *names: str,
        issued: make.Issued | None = None,
        **terms: Any,
    ) -> Link:
        """Let a client that wants one host talk to a server with a certificate for others."""
        own = issued or make.issue(CA, names)
        server = tls.ServerCreator(
            certificate=own.certificate, private_key=own.private_key, minimum="1.2"
        )
        return Link(verifying_client(wanted, self.ca, **terms), server).shake()

    def refused(self, link: Link) -> str:
        """Return why the client refused."""
        self.assertFalse(link.client.done)
        self.assertIsInstance(link.client.error, CertificateRefused)
        return explain(link.client.error)

    def test_interface(self) -> None:
        """Twisted takes it for what it is."""
        creator = verifying_client("registrar.example", self.ca)
        verifyObject(IOpenSSLClientConnectionCreator, creator)

    def test_names(self) -> None:
        """Names, wildcards, addresses, and internationalized names are recognized."""
        for wanted, shown in (
            ("registrar.example", "registrar.example"),
            ("REGISTRAR.example", "registrar.example"),
            ("registrar.example.", "registrar.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("bücher.example", "bücher.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "bücher.example"),
        ):
            link = self.shake(wanted, "first.example", shown)
            self.assertTrue(link.client.done, (wanted, link.client.error))
            self.assertEqual(
                tls.authentication(link.client.connection).proof, Proof.CERTIFICATE
            )

    def test_wrong_name(self) -> None:
        """A certificate for others is refused with both names."""
        for wanted, shown in (
            ("other.example", "registrar.example"),
            ("registrar.example.org", "registrar.example"),
            ("127.0.0.2", "127.0.0.1"),
            ("127.0.0.1", "registrar.example"),
            ("bücher.example", "bucher.example"),
        ):
            text = self.refused(self.shake(wanted, shown))
            self.assertEqual(text, f"the certificate is for {shown}, not {wanted}")

    def test_common_name(self) -> None:
        """A common name is no name."""
        text = self.refused(self.shake("registrar.example", "urn:registrar.example"))
        self.assertIn("for no host", text)

    def test_unknown_authority(self) -> None:
        """A certificate of others' authority is refused with the file that lacks it."""
        for issued in (
            make.issue(make.authority("Other CA"), ["registrar.example"]),
            make.issue(make.authority("Test CA"), ["registrar.example"]),
            make.authority("registrar.example"),
        ):
            text = self.refused(self.shake("registrar.example", issued=issued))
            self.assertEqual(
                text, f"the certificate was issued by an authority that isn't in {self.ca}"
            )

    def test_expired(self) -> None:
        """One whose time is over is refused with the day."""
        issued = make.issue(CA, ["registrar.example"], days=-3)
        self.assertRegex(
            self.refused(self.shake("registrar.example", issued=issued)),
            r"^the certificate expired: \d{4}-\d\d-\d\d \d\d:\d\d UTC$",
        )

    def test_purpose(self) -> None:
        """A client's certificate isn't a server's."""
        issued = make.issue(CA, ["registrar.example"], client=True)
        self.assertIn("purpose", self.refused(self.shake("registrar.example", issued=issued)))

    def test_server_learns(self) -> None:
        """The server gets an alert, and says that the peer refused."""
        link = self.shake("other.example", "registrar.example")
        self.assertEqual(link.server.failure[0], tls.Reason.REFUSED)
        self.assertEqual(link.client.failure[0], tls.Reason.UNTRUSTED)

    def test_name_is_sent(self) -> None:
        """The server is told the name (SNI) in ASCII, and never an address."""
        for wanted, told in (
            ("bücher.example", b"xn--bcher-kva.example"),
            ("127.0.0.1", None),
        ):
            link = self.shake(wanted, wanted)
            self.assertEqual(link.server.connection.get_servername(), told)

    def test_version(self) -> None:
        """TLS 1.2 must be asked for."""
        own = make.issue(CA, ["registrar.example"])
        server = tls.ServerCreator(
            certificate=own.certificate,
            private_key=own.private_key,
            minimum="1.2",
            maximum="1.2",
        )
        for minimum, done in (("1.3", False), ("1.2", True)):
            client = verifying_client("registrar.example", self.ca, minimum=minimum)
            self.assertEqual(Link(client, server).shake().client.done, done)

    def test_platform(self) -> None:
        """Without a file the authorities of this machine are trusted, and ours isn't one."""
        own = make.issue(CA, ["registrar.example"])
        server = tls.ServerCreator(certificate=own.certificate, private_key=own.private_key)
        link = Link(verifying_client("registrar.example"), server).shake()
        self.assertIn("this machine trusts; give the authority", self.refused(link))

    def test_no_key_wanted(self) -> None:
        """A server with keys alone is refused without blaming a certificate."""
        server = tls.ServerCreator({"a": bytes(32)}.get)
        link = Link(verifying_client("registrar.example", self.ca), server).shake()
        self.assertNotIsInstance(link.client.error, CertificateRefused)
        self.assertIn("refused", explain(link.client.error))

    def test_first_write(self) -> None:
        """A write that drives the handshake fails with the same sentence."""
        own = make.issue(CA, ["registrar.example"])
        server = tls.ServerCreator(certificate=own.certificate, private_key=own.private_key)
        link = Link(verifying_client("other.example", self.ca), server)
        self.assertRaises(SSL.WantReadError, link.client.connection.send, b"early")
        link.server.connection.bio_write(link.client.out())
        link.server.step()
        link.client.connection.bio_write(link.server.out())
        error = self.assertRaises(CertificateRefused, link.client.connection.send, b"early")
        self.assertIn("not other.example", str(error))

    def test_bad_arguments(self) -> None:
        """What can't work is refused before anybody is called."""
        empty = self.mktemp()
        with open(empty, "wb"):
            pass
        own = make.issue(CA, ["a.example"], client=True)
        for arguments in (
            {"hostname": ""},
            {"hostname": "a b"},
            {"hostname": "a", "ca_file": empty},
            {"hostname": "a", "minimum": "1.1"},
            {"hostname": "a", "client": make.Issued(own.certificate, CA.private_key)},
        ):
            self.assertRaises(ValueError, verifying_client, **arguments)
        self.assertRaises(OSError, verifying_client, "a", os.path.join(empty, "none"))


class Hosts(SynchronousTestCase):
    """Reading what people write."""

    def test_kinds(self) -> None:
        """Addresses are told from names; a zone is no part of an address."""
        for name, text, address in (
            ("fe80::1%eth0", "fe80::1", True),
            ("0:0::1", "::1", True),
            ("1.2.3", "1.2.3", False),
            ("Faß.example.", "xn--fa-hia.example", False),
        ):
            found = host(name)
            self.assertEqual((found.ascii, found.address), (text, address))


class Revoked(SynchronousTestCase):
    """A pool user who knows what was revoked."""

    def setUp(self) -> None:
        """A registrar's certificate from an authority between."""
        self.top = root()
        self.middle = between(self.top, "Middle")
        own = make.issue(self.middle, ["registrar.example"])
        self.own = make.Issued(own.certificate + self.middle.certificate, own.private_key)
        self.ca, self.crl = self.mktemp(), self.mktemp()

    def shake(self, *pem: bytes) -> str:
        """Call with these lists; why the registrar wasn't believed, or nothing."""
        for path, parts in (
            (self.ca, (self.top.certificate, self.middle.certificate)), (self.crl, pem),
        ):  # fmt: skip
            with open(path, "wb") as file:
                file.write(b"".join(parts))
        server = tls.ServerCreator(
            certificate=self.own.certificate, private_key=self.own.private_key
        )
        caller = verifying_client("registrar.example", self.ca, crl=self.crl)
        link = Link(caller, server).shake()
        return "" if link.client.done else explain(link.client.error)

    def test_good(self) -> None:
        """Who isn't named in any list is believed."""
        self.assertEqual(self.shake(crl(self.top), crl(self.middle)), "")

    def test_revoked(self) -> None:
        """A certificate that was revoked isn't, nor is one by an authority that was."""
        lists = crl(self.top), crl(self.middle, certificate(self.own).serial_number)
        self.assertEqual(self.shake(*lists), "the certificate has been revoked")
        lists = crl(self.top, certificate(self.middle).serial_number), crl(self.middle)
        self.assertIn("(CN=Middle) has been revoked", self.shake(*lists))

    def test_undetermined(self) -> None:
        """Without a list of its authority that is in force nobody is believed."""
        self.assertIn("there is no revocation list", self.shake(crl(self.top)))
        lists = crl(self.top), crl(self.middle, end=-5)
        self.assertIn("revocation list of its authority is over", self.shake(*lists))
        lists = crl(self.top), crl(self.middle, begin=1000)
        self.assertIn("hasn't begun yet", self.shake(*lists))

    def test_among_the_authorities(self) -> None:
        """Lists in the file of authorities count as well."""
        lists = crl(self.top) + crl(self.middle, certificate(self.own).serial_number)
        with open(self.ca, "wb") as file:
            file.write(self.top.certificate + self.middle.certificate + lists)
        server = tls.ServerCreator(
            certificate=self.own.certificate, private_key=self.own.private_key
        )
        link = Link(verifying_client("registrar.example", self.ca), server).shake()
        self.assertIn("has been revoked", explain(link.client.error))

    def test_faults(self) -> None:
        """A list that can't be believed, or stands alone, is refused at once."""
        self.assertRaisesRegex(ValueError, "add the certificate", self.shake, crl(CA))
        self.assertRaisesRegex(
            ValueError, "give ca", verifying_client, "a.example", crl=self.crl
        )
