"""``--auth psk:FILE``: whoever holds the key of an identity is its principal."""

import time
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from rserpool.security.credentials import IProvenKey
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication
from rserpool.security.psk.identity import fingerprint
from rserpool.security.psk.keystore import KeyStore


@implementer(IAuthentication, ICredentialsChecker)
class PreSharedKeys:
    """
    The keys of a file, and the subjects that have come in by them.

    :param own: see :class:`KeyStore`; may be set later, as ``keys.own``.
    :param clock: the time in seconds since the epoch.
    """

    credentialInterfaces = (IProvenKey,)  # noqa: N815 - twisted.cred's name
    authorities = None

    def __init__(
        self,
        path: str,
        own: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.keys = KeyStore(path, own, clock)
        # By which secret each came in: replacing it under the same name ends the session.
        self._secrets: WeakKeyDictionary[Subject, bytes] = WeakKeyDictionary()

    @property
    def checker(self) -> "PreSharedKeys":
        """Itself."""
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """What ought to be better in the key file, and which keys end soon."""
        return (*self.keys.warnings, *self.keys.ending())

    # twisted.cred's types know of user names only; an avatar id may be anything.
    def requestAvatarId(  # type: ignore[override]  # noqa: N802
        self, credentials: IProvenKey
    ) -> Subject:
        """
        Make a subject of a key that the handshake has proven.

        :raise UnauthorizedLogin: the key is not (or no more) one of ours.
        """
        key = self.keys.lookup(credentials.identity)
        if key is None:
            raise UnauthorizedLogin(f"no key of {credentials.identity!r} is in force")
        secret = fingerprint(key.secret)
        # The handshake takes as long as the peer likes; the file may have changed meanwhile.
        if credentials.fingerprint not in (None, secret):
            raise UnauthorizedLogin(f"the key of {credentials.identity!r} has been replaced")
        subject = Subject(
            name=key.principal,
            proof=Proof.PSK,
            address=credentials.address,
            identity=key.identity,
            restrictions=key.restrictions,
            valid_until=key.not_after,
        )
        self._secrets[subject] = secret
        return subject

    def reload(self) -> tuple[str, ...]:
        """
        Read the key file again and return its warnings.

        :raise ValueError: (or OSError) it can't be used; the last good keys stay.
        """
        self.keys.reload()
        return self.warnings

    def holds(self, subject: Subject) -> bool:
        """
        Whether the key by which this subject came in would let it in again, unchanged.

        Other restrictions, or another end, are another credential: the session ends, and
        the peer comes back under the new ones.
        """
        key = self.keys.lookup(subject.identity)
        return (
            subject.proof is Proof.PSK
            and key is not None
            and self._secrets.get(subject) == fingerprint(key.secret)
            and key.restrictions == subject.restrictions
            and key.not_after == subject.valid_until
        )
