"""``--auth certificate:CA-FILE``: client certificates, and whom they let in."""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

import attrs
from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from rserpool.security.certificate import files
from rserpool.security.certificate.name import principal, valid_from, valid_until, when
from rserpool.security.certificate.revocation import Link, links
from rserpool.security.credentials import IProvenCertificate
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication


@attrs.frozen
class Standing:
    """What the trust in one session rests on."""

    anchors: frozenset[bytes]  # fingerprints of authorities in the file
    links: tuple[Link, ...]
    begin: float  # the time in which each certificate of its chain is valid
    end: float


@implementer(IAuthentication, ICredentialsChecker)
class Certificates:
    """
    Client certificates of the authorities in a PEM file, but for those that were revoked.

    The principal is ``dns:NAME`` or ``uri:URI``, from the subject alternative names.

    :param text: ``CA-FILE``, or ``CA-FILE;crl=FILE`` with revocation lists.
    :param clock: the time in seconds since the epoch.
    """

    credentialInterfaces = (IProvenCertificate,)  # noqa: N815 - twisted.cred's name
    keys = None

    def __init__(self, text: str, clock: Callable[[], float] = time.time) -> None:
        self.path, self.crls = files.split(text)
        self._clock = clock
        self.trust = self._read()
        # When an authority is taken out of the file, or a certificate is revoked, the sessions
        # that rest on it end.
        self._resting: WeakKeyDictionary[Subject, Standing] = WeakKeyDictionary()

    @property
    def checker(self) -> "Certificates":
        """Itself."""
        return self

    @property
    def authorities(self) -> bytes:
        """The PEM of the authorities in force."""
        return self.trust.authorities.pem

    @property
    def warnings(self) -> tuple[str, ...]:
        """What ought to be better now: what has ended, or will soon."""
        now = self._clock()
        return (
            *self.trust.authorities.warnings(now),
            *self.trust.revocations.warnings(now),
            *self.trust.uncovered(),
        )

    # twisted.cred's types know of user names only; an avatar id may be anything.
    def requestAvatarId(  # type: ignore[override]  # noqa: N802
        self, credentials: IProvenCertificate
    ) -> Subject:
        """
        Make a subject of a certificate that the handshake has verified.

        :raise UnauthorizedLogin: it names nobody, this isn't its time, it is of others'
            authorities, or it has been revoked.
        """
        certificate = credentials.certificate
        name = principal(certificate)
        if name is None:
            raise UnauthorizedLogin(
                "the certificate names nobody: no DNS name and no URI as alternative name"
            )
        standing = self._standing(certificate, tuple(credentials.chain), name)
        why = self._objection(standing)
        if why:
            raise UnauthorizedLogin(f"{name}: {why}")
        subject = Subject(
            name=name,
            proof=Proof.CERTIFICATE,
            address=credentials.address,
            identity=f"serial {certificate.serial_number:x}",
            valid_until=standing.end,
        )
        self._resting[subject] = standing
        return subject

    def reload(self) -> tuple[str, ...]:
        """
        Read the files again and return their warnings.

        :raise ValueError: (or OSError) they can't be used; the last good ones stay.
        """
        self.trust = self._read()
        return self.warnings

    def holds(self, subject: Subject) -> bool:
        """Whether what its trust rests on is valid, and ours, and not revoked still."""
        standing = self._resting.get(subject)
        return standing is not None and not self._objection(standing)

    def changes(self) -> tuple[float, ...]:
        """When `holds` may answer otherwise for many at once: lists begin and end."""
        return self.trust.revocations.changes()

    def _read(self) -> files.Trust:
        found = files.read(self.path, self.crls)
        faults = found.revocations.faults(self._clock())
        if faults:
            raise ValueError("\n".join(faults))
        return found

    def _standing(
        self, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], name: str
    ) -> Standing:
        authorities = self.trust.authorities
        # Not every backend can say how it has verified: then what lies between isn't known,
        # and only what an authority of ours has signed itself is believed.
        chain = chain or authorities.chain_of(certificate)
        anchors = authorities.beneath(chain)
        if chain[0] != certificate or not anchors:
            raise UnauthorizedLogin(f"{name}: no authority in {self.path} stands behind it")
        begin, end = max(map(valid_from, chain)), min(map(valid_until, chain))
        return Standing(anchors, links(chain), begin, end)

    def _objection(self, standing: Standing) -> str:
        now = self._clock()
        if not standing.anchors <= self.trust.authorities.fingerprints:
            return f"an authority behind it isn't in {self.path} any more"
        if not standing.begin <= now < standing.end:
            return (
                f"the certificate is valid from {when(standing.begin)} to "
                f"{when(standing.end)} only"
            )
        return self.trust.revocations.objection(standing.links, now)
