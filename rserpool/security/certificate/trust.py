"""
The client's side of certificates: whom a pool user believes to be a registrar.

"PUs MUST authenticate ENRP servers using certificates" (RFC 5352 section 9.2), by the name
they wanted to reach: a DNS name, converted to ASCII, or an IP address.
"""

from pathlib import Path

from cryptography import x509
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from rserpool.security.certificate.make import Issued
from rserpool.security.certificate.name import names

_VERSIONS = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}


def verifying_client(
    hostname: str,
    ca_file: str | None = None,
    *,
    client: Issued | None = None,
    minimum: str = "1.3",
) -> IOpenSSLClientConnectionCreator:
    """
    Make the client side of connections that check the registrar's certificate.

    :param hostname: the name or address that the certificate must be for.
    :param ca_file: PEM of the authorities to trust; None: those of this machine.
    :param client: a certificate of one's own to show.
    :raise ValueError: (or OSError) the file can't be used.
    """
    return optionsForClientTLS(
        hostname,
        trustRoot=platformTrust() if ca_file is None else _roots(ca_file),
        clientCertificate=None if client is None else _own(client),
        extraCertificateOptions={"raiseMinimumTo": _VERSIONS[minimum]},
    )


def _roots(path: str) -> IOpenSSLTrustRoot:
    try:
        authorities = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except ValueError:
        raise ValueError(f"{path}: there is no certificate (PEM) in it") from None
    from cryptography.hazmat.primitives.serialization import Encoding

    roots: IOpenSSLTrustRoot = trustRootFromCertificates(
        [Certificate.loadPEM(ca.public_bytes(Encoding.PEM)) for ca in authorities]
    )
    return roots


def _own(client: Issued) -> PrivateCertificate:
    own: PrivateCertificate = PrivateCertificate.loadPEM(
        client.certificate + b"\n" + client.private_key
    )
    return own


def explain(error: BaseException, wanted: str, shown: x509.Certificate | None) -> str:
    """
    Say why a registrar's certificate was refused, for people.

    :param wanted: the name that it should have been for.
    :param shown: the certificate, if one came that far.
    """
    if isinstance(error, VerificationError):
        found = ", ".join(names(shown)) if shown is not None else ""
        return f"the certificate is for {found or 'another name'}, not {wanted}"
    text = str(error)
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        text = "; ".join(str(entry[-1]) for entry in error.args[0])
    if "verify failed" in text:
        return (
            "the certificate isn't valid here: it has expired, or its authority isn't "
            "among those that are trusted (--ca)"
        )
    return text
