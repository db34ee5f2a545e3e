"""
The client's side of certificates: whom a pool user believes to be a registrar.

"PUs MUST authenticate ENRP servers using certificates" (RFC 5352 section 9.2), by the name
they wanted to reach (RFC 9525): a DNS name, internationalized ones converted to ASCII, or an
IP address.
"""

import ipaddress
from typing import Any

import attrs
from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from rserpool.security.certificate import files
from rserpool.security.certificate.make import Issued
from rserpool.security.certificate.name import ascii_host, uris
from rserpool.security.certificate.refusal import (
    CertificateRefused,
    chain_refused,
    explain,
    name_refused,
)
from rserpool.security.certificate.shown import shown

__all__ = ["CertificateRefused", "explain", "verifying_client"]

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
#: What is believed where nothing is configured.
_PUBLIC = "the authorities this machine trusts; give the authority of the registrars (ca)"
_SUITES_12 = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!PSK"


@attrs.frozen
class Host:
    """What the certificate must be for."""

    name: str  # as it was asked for
    ascii: str  # an A-label, or an address
    address: bool  # no DNS name, which could be told before the certificate is shown

    def check(self, certificate: x509.Certificate) -> None:
        """
        Compare, by service_identity.

        :raise VerificationError: it is for somebody else.
        :raise CertificateError: its names can't be read.
        """
        if self.address:
            verify_certificate_ip_address(certificate, self.ascii)
        else:
            verify_certificate_hostname(certificate, self.ascii)


@attrs.frozen
class Named(Host):
    """A registrar by its URI: compared as it is (RFC 9525 section 6.5)."""

    def check(self, certificate: x509.Certificate) -> None:
        """
        Compare.

        :raise VerificationError: it is for somebody else.
        """
        if self.ascii not in uris(certificate):
            raise VerificationError([])


def host(name: str) -> Host:
    """
    Read a host name, an IP address, or a principal (``dns:NAME``, ``uri:URI``).

    :raise ValueError: it is none of them.
    """
    if name.startswith("uri:"):
        return Named(name, name.removeprefix("uri:"), address=True)
    name = name.removeprefix("dns:")
    bare = name.strip().removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return Host(name, ascii_host(bare), address=False)
    return Host(name, str(address), address=True)


class VerifyingConnection(SSL.Connection):
    """
    A client's connection that checks the server's certificate.

    :ivar refused: why it doesn't believe it, once it has looked.
    """

    def __init__(self, context: SSL.Context, wanted: Host, trusted: str) -> None:
        super().__init__(context, None)
        self.wanted = wanted
        self.trusted = trusted
        self.refused = ""

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        try:
            super().do_handshake()
        except SSL.Error as error:
            raise self._known(error) from None

    def send(self, buf: Any, flags: int = 0) -> int:
        """Send; a first write can be what drives the handshake."""
        try:
            return super().send(buf, flags)
        except SSL.Error as error:
            raise self._known(error) from None

    def _known(self, error: SSL.Error) -> SSL.Error:
        # WantReadError and its like are SSL.Error, too, and mean no harm.
        if type(error) is SSL.Error and self.refused:
            return CertificateRefused(error.args[0] if error.args else [], self.refused)
        return error


def _verify(connection: SSL.Connection, shown: X509, error: int, depth: int, ok: int) -> bool:
    """OpenSSL asks about each certificate of the chain, from the root down."""
    if not isinstance(connection, VerifyingConnection):
        return False
    try:
        certificate = shown.to_cryptography()
        if not ok:
            connection.refused = connection.refused or chain_refused(
                error, certificate, depth, connection.trusted
            )
        elif depth == 0:
            connection.wanted.check(certificate)
    except VerificationError:
        connection.refused = name_refused(certificate, connection.wanted.name)
        return False
    except (CertificateError, ValueError) as fault:
        connection.refused = f"the certificate can't be read: {fault}"
        return False
    return bool(ok)


@implementer(IOpenSSLClientConnectionCreator)
class VerifyingClient:
    """Makes the client's side of connections to one host; made by `verifying_client`."""

    def __init__(self, context: SSL.Context, wanted: Host, trusted: str) -> None:
        self._context = context
        self._wanted = wanted
        self._trusted = trusted

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802,N803
        """Make one connection."""
        connection = VerifyingConnection(self._context, self._wanted, self._trusted)
        if not self._wanted.address:
            # RFC 6066 section 3: addresses are not permitted there
            connection.set_tlsext_host_name(self._wanted.ascii.encode("ascii"))
        return connection


def verifying_client(
    hostname: str,
    ca_file: str | None = None,
    *,
    client: Issued | None = None,
    minimum: str = "1.3",
    trusted: bytes | None = None,
    crl: str | None = None,
) -> VerifyingClient:
    """
    Make what makes the client's side of connections that check the server's certificate.

    :param hostname: the name or address that the certificate must be for.
    :param ca_file: PEM of the authorities to trust; None: those of this machine.
    :param client: a certificate of one's own to show.
    :param minimum: the oldest version of TLS, "1.3" or "1.2".
    :param trusted: the PEM itself, instead of `ca_file`.
    :param crl: file of revocation lists; those among the authorities count as well.
    :raise ValueError: (or OSError) the name or a file can't be used.
    """
    wanted = host(hostname)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if minimum not in _VERSIONS:
        raise ValueError(f"minimum version of TLS: 1.3 or 1.2, not {minimum!r}")
    context.set_min_proto_version(_VERSIONS[minimum])
    context.set_cipher_list(_SUITES_12)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
    crls = () if crl is None else (crl,)
    if trusted is not None:
        _believe(context, files.parse(trusted, "authorities", crls))
    elif ca_file is not None:
        _believe(context, files.read(ca_file, crls))
    elif crl is not None:
        raise ValueError(f"{crl}: a revocation list needs its authorities beside it: give ca")
    else:
        context.set_default_verify_paths()
    if client is not None:
        shown(client.certificate, client.private_key).into(context)
    whose = "the authorities that are configured" if trusted is not None else ca_file
    return VerifyingClient(context, wanted, whose or _PUBLIC)


def _believe(context: SSL.Context, found: files.Trust) -> None:
    store = context.get_cert_store()
    assert store is not None
    for each in found.authorities.certificates:
        store.add_cert(X509.from_cryptography(each))
    for listed in found.revocations.lists:
        store.add_crl(listed.crl)
    if found.revocations.lists:
        # Of every certificate, those of the authorities between as well.
        store.set_flags(X509StoreFlags.CRL_CHECK | X509StoreFlags.CRL_CHECK_ALL)
