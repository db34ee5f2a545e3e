"""``--auth certificate:CA-FILE``: client certificates, and whom they let in."""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from rserpool.security.certificate import authorities
from rserpool.security.certificate.name import principal, valid_from, valid_until, when
from rserpool.security.credentials import IProvenCertificate
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication


@implementer(IAuthentication, ICredentialsChecker)
class Certificates:
    """
    Client certificates of the authorities in a PEM file.

    The principal is ``dns:NAME`` or ``uri:URI``, from the subject alternative names.

    :param clock: the time in seconds since the epoch.
    """

    credentialInterfaces = (IProvenCertificate,)  # noqa: N815 - twisted.cred's name
    keys = None

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.warnings: tuple[str, ...] = ()
        self._clock = clock
        self._trusted = authorities.read(path)
        # On which authorities each subject rests: when one is taken out of the file, the
        # sessions that rest on it end.
        self._resting: WeakKeyDictionary[Subject, frozenset[bytes]] = WeakKeyDictionary()
        self.warnings = self._trusted.warnings(clock())

    @property
    def checker(self) -> "Certificates":
        """Itself."""
        return self

    @property
    def authorities(self) -> bytes:
        """The PEM of the authorities in force."""
        return self._trusted.pem

    # twisted.cred's types know of user names only; an avatar id may be anything.
    def requestAvatarId(  # type: ignore[override]  # noqa: N802
        self, credentials: IProvenCertificate
    ) -> Subject:
        """
        Make a subject of a certificate that the handshake has verified.

        :raise UnauthorizedLogin: it names nobody, or this isn't its time.
        """
        certificate = credentials.certificate
        name = principal(certificate)
        if name is None:
            raise UnauthorizedLogin(
                "the certificate names nobody: no DNS name and no URI as alternative name"
            )
        begin, end = valid_from(certificate), valid_until(certificate)
        if not begin <= self._clock() < end:
            raise UnauthorizedLogin(
                f"the certificate of {name} is valid from {when(begin)} to {when(end)} only"
            )
        subject = Subject(
            name=name,
            proof=Proof.CERTIFICATE,
            address=credentials.address,
            identity=f"serial {certificate.serial_number:x}",
            valid_until=end,
        )
        self._resting[subject] = self._trusted.issuers_of(certificate)
        return subject

    def reload(self) -> tuple[str, ...]:
        """
        Read the file again and return its warnings.

        :raise ValueError: (or OSError) it can't be used; the last good one stays.
        """
        self._trusted = authorities.read(self.path)
        self.warnings = self._trusted.warnings(self._clock())
        return self.warnings

    def holds(self, subject: Subject) -> bool:
        """Whether its certificate is valid still, and its authority still ours."""
        resting = self._resting.get(subject)
        return (
            resting is not None
            and resting <= self._trusted.fingerprints
            and subject.valid_until is not None
            and self._clock() < subject.valid_until
        )
