"""``--auth psk:FILE``: a key file, and who its keys let in."""

import time
from collections.abc import Callable, Iterable

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from rserpool.security.credentials import IProvenKey
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication, IKeyStore, Key
from rserpool.security.psk.keyfile import KeyFile, read


@implementer(IKeyStore, ICredentialsChecker, IAuthentication)
class PreSharedKeys:
    """
    The keys of a file that are in force now.

    :param own: identities that are this registrar's own: nobody else may show them, or a
        registrar could be made to talk to itself (RFC 9257 section 4.1).
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
        self._own = frozenset(own)
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self.warnings = tuple(self.reload())

    @property
    def keys(self) -> "PreSharedKeys":
        """Itself: the store that the handshake asks."""
        return self

    @property
    def checker(self) -> "PreSharedKeys":
        """Itself: the checker that makes a subject of a proven key."""
        return self

    def lookup(self, identity: str) -> Key | None:
        """The key in force now, or None."""
        if identity in self._own:
            return None
        key = self._keys.get(identity)
        return key if key is not None and _in_force(key, self._clock()) else None

    # twisted.cred\'s types know of user names only; an avatar id may be anything.
    def requestAvatarId(  # type: ignore[override]  # noqa: N802
        self, credentials: IProvenKey
    ) -> Subject:
        """
        Make a subject of a key that the handshake has proven.

        :raise UnauthorizedLogin: the key has gone since.
        """
        key = self.lookup(credentials.identity)
        if key is None:
            raise UnauthorizedLogin(f"the key of {credentials.identity!r} isn't in force")
        return Subject(
            name=key.principal,
            proof=Proof.PSK,
            address=credentials.address,
            identity=key.identity,
            restrictions=key.restrictions,
            valid_until=key.not_after,
        )

    def reload(self) -> tuple[str, ...]:
        """
        Read the file again and return its warnings.

        :raise ValueError: (or OSError) it can't be used; the last good keys stay.
        """
        file: KeyFile = read(self.path)
        self._keys = {key.identity: key for key in file.keys}
        return file.warnings

    def holds(self, subject: Subject) -> bool:
        """Whether the key by which this subject came in would let it in as it is."""
        key = self.lookup(subject.identity)
        return key is not None and key.restrictions == subject.restrictions


def _in_force(key: Key, now: float) -> bool:
    return (key.not_before is None or key.not_before <= now) and (
        key.not_after is None or now < key.not_after
    )
