"""``--auth certificate:CA-FILE``: client certificates, and whom they let in."""

import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from rserpool.security.certificate.name import principal, valid_until
from rserpool.security.credentials import IProvenCertificate
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication


@implementer(ICredentialsChecker, IAuthentication)
class Certificates:
    """
    Client certificates of the authorities in a PEM file.

    :param clock: the time in seconds since the epoch.
    """

    credentialInterfaces = (IProvenCertificate,)  # noqa: N815 - twisted.cred's name
    keys = None

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self.authorities = b""
        self.warnings: tuple[str, ...] = self.reload()

    @property
    def checker(self) -> "Certificates":
        """Itself: the checker that makes a subject of a proven certificate."""
        return self

    # twisted.cred\'s types know of user names only; an avatar id may be anything.
    def requestAvatarId(  # type: ignore[override]  # noqa: N802
        self, credentials: IProvenCertificate
    ) -> Subject:
        """
        Make a subject of a certificate that the handshake has proven.

        :raise UnauthorizedLogin: it names nobody, or isn't valid any more.
        """
        certificate = credentials.certificate
        name = principal(certificate)
        if name is None:
            raise UnauthorizedLogin("the certificate has neither a DNS name nor a URI")
        until = valid_until(certificate)
        if until <= self._clock():
            raise UnauthorizedLogin(f"the certificate of {name} has expired")
        return Subject(
            name=name,
            proof=Proof.CERTIFICATE,
            address=credentials.address,
            # The issuer tells whether the authority is still among ours after a reload.
            identity=certificate.issuer.rfc4514_string(),
            valid_until=until,
        )

    def reload(self) -> tuple[str, ...]:
        """
        Read the file again.

        :raise ValueError: (or OSError) it can't be used; the last good one stays.
        """
        data = Path(self.path).read_bytes()
        try:
            authorities = x509.load_pem_x509_certificates(data)
        except ValueError:
            raise ValueError(f"{self.path}: there is no certificate (PEM) in it") from None
        self.authorities = data
        self._issuers = {ca.subject.rfc4514_string() for ca in authorities}
        now = self._clock()
        return tuple(
            f"{self.path}: the authority {ca.subject.rfc4514_string()!r} has expired"
            for ca in authorities
            if valid_until(ca) <= now
        )

    def holds(self, subject: Subject) -> bool:
        """Whether the authority of this subject is still ours and its time not over."""
        valid = subject.valid_until is None or subject.valid_until > self._clock()
        return valid and subject.identity in self._issuers
