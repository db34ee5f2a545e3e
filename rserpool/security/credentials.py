"""What TLS proved about a peer, and the credentials that checkers make a subject of."""

import attrs
from cryptography import x509
from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, implementer

from rserpool.security.decisions import Proof


@attrs.frozen
class Evidence:
    """What a finished TLS handshake proved, and by which means."""

    proof: Proof
    identity: str = ""  # of the pre-shared key
    certificate: x509.Certificate | None = None
    version: str = ""  # ``TLSv1.3``
    cipher: str = ""
    group: str | None = None  # of the key exchange; None: no forward secrecy


class IProvenKey(ICredentials):
    """The peer holds the pre-shared key of an identity: the handshake has shown it."""

    identity = Attribute("The identity (str), with its generation.")
    address = Attribute("The peer's IP address (str).")


class IProvenCertificate(ICredentials):
    """The peer holds the private key of a certificate that an authority of ours issued."""

    certificate = Attribute("A `cryptography.x509.Certificate`.")
    address = Attribute("The peer's IP address (str).")


@implementer(IProvenKey)
@attrs.frozen
class ProvenKey:
    """See `IProvenKey`."""

    identity: str
    address: str


@implementer(IProvenCertificate)
@attrs.frozen
class ProvenCertificate:
    """See `IProvenCertificate`."""

    certificate: x509.Certificate
    address: str
