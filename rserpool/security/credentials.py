"""What TLS proved about a peer, and the credentials that a checker makes a subject of."""

import attrs
from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, implementer

from rserpool.security.decisions import Proof, Subject


@attrs.frozen
class Evidence:
    """What a finished TLS handshake proved about the peer, and by which means."""

    proof: Proof
    identity: str = ""  # of the pre-shared key; the principal of a certificate
    certificate: x509.Certificate | None = None
    version: str = ""  # ``TLSv1.3``
    cipher: str = ""
    group: str | None = None  # of the key exchange; None: none, or this backend can't say
    address: str = ""  # the peer's IP address
    #: Tells which of an identity's secrets it was, without telling the secret: the key
    #: may have been replaced while the handshake was going on.
    fingerprint: bytes | None = attrs.field(default=None, repr=False)
    #: As the handshake has verified it: the certificate first, one that we trust last.
    chain: tuple[x509.Certificate, ...] = attrs.field(default=(), repr=False)


class IProvenKey(ICredentials):
    """The peer holds the pre-shared key of an identity: the handshake has shown it."""

    identity = Attribute("The identity (str), with its generation.")
    address = Attribute("The peer's IP address (str).")
    fingerprint = Attribute(
        "Which secret of the identity it was (bytes), as `rserpool.security.psk.identity."
        "fingerprint` makes it of the secret; None: not known."
    )


class IProvenCertificate(ICredentials):
    """The peer holds the private key of a certificate that an authority of ours issued."""

    certificate = Attribute("A `cryptography.x509.Certificate`.")
    chain = Attribute(
        "The verified chain, this certificate first, a trusted one last; empty: not known."
    )
    address = Attribute("The peer's IP address (str).")


class IAnonymousTLS(ICredentials):
    """The peer speaks TLS and has proven nothing."""

    address = Attribute("The peer's IP address (str).")


@implementer(IProvenKey)
@attrs.frozen
class ProvenKey:
    """See `IProvenKey`."""

    identity: str
    address: str
    fingerprint: bytes | None = attrs.field(default=None, repr=False)


@implementer(IProvenCertificate)
@attrs.frozen
class ProvenCertificate:
    """See `IProvenCertificate`."""

    certificate: x509.Certificate
    address: str
    chain: tuple[x509.Certificate, ...] = attrs.field(default=(), repr=False)


@implementer(IAnonymousTLS)
@attrs.frozen
class AnonymousTLS:
    """See `IAnonymousTLS`."""

    address: str


def credentials_of(
    evidence: Evidence, address: str = ""
) -> ProvenKey | ProvenCertificate | AnonymousTLS:
    """Return the credentials for the checkers; what proves nothing is anonymous."""
    address = address or evidence.address
    if evidence.proof is Proof.PSK:
        return ProvenKey(evidence.identity, address, evidence.fingerprint)
    if evidence.proof is Proof.CERTIFICATE and evidence.certificate is not None:
        return ProvenCertificate(evidence.certificate, address, evidence.chain)
    return AnonymousTLS(address)


@implementer(ICredentialsChecker)
@attrs.frozen
class AnonymousChecker:
    """Makes a subject of a TLS client that has proven nothing: it may at most resolve."""

    credentialInterfaces = (IAnonymousTLS,)  # noqa: N815 - twisted.cred's name

    # twisted.cred's types know of user names only; an avatar id may be anything.
    def requestAvatarId(  # type: ignore[override]  # noqa: N802
        self, credentials: IAnonymousTLS
    ) -> Subject:
        """Return the subject ``anonymous`` of this address."""
        return Subject("anonymous", Proof.ANONYMOUS, credentials.address)
