"""``--auth sqlite:FILE``: whoever holds a key of the database is its principal."""

import os
import time
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from rserpool.security.credentials import IProvenKey, ProvenKey
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication, IKeyStore, Key
from rserpool.security.psk.identity import fingerprint
from rserpool_auth_sqlite.database import read_keys


@implementer(IAuthentication, IKeyStore, ICredentialsChecker)
class SQLiteKeys:
    """The keys of a database: store, checker and authentication in one."""

    credentialInterfaces = (IProvenKey,)  # noqa: N815 - twisted.cred's name
    authorities = None

    def __init__(self, path: str) -> None:
        # twistd may go to another directory before the file is read again.
        self._path = os.path.abspath(path)
        self._keys = read_keys(self._path)
        # By which key each came in: another one under the same name ends its session.
        self._came_by: WeakKeyDictionary[Subject, bytes] = WeakKeyDictionary()

    @property
    def keys(self) -> "SQLiteKeys":
        """Itself."""
        return self

    @property
    def checker(self) -> "SQLiteKeys":
        """Itself."""
        return self

    def lookup(self, identity: str) -> Key | None:
        """The key in force now: called inside the handshake, so from memory."""
        key, now = self._keys.get(identity), time.time()
        if key is None or (key.not_before or 0) > now:
            return None
        return None if key.not_after is not None and key.not_after <= now else key

    def requestAvatarId(self, credentials: ProvenKey) -> Subject:  # noqa: N802
        """TLS has proven that the peer holds this key: say who that is."""
        key = self.lookup(credentials.identity)
        if key is None:
            raise UnauthorizedLogin(f"no key of {credentials.identity!r} is in force")
        mark = fingerprint(key.secret)
        # The handshake took its time: the key may have been replaced meanwhile.
        if credentials.fingerprint not in (None, mark):
            raise UnauthorizedLogin(f"the key of {credentials.identity!r} has been replaced")
        subject = Subject(
            name=key.principal,
            proof=Proof.PSK,
            address=credentials.address,
            identity=key.identity,
            restrictions=key.restrictions,
            valid_until=key.not_after,
        )
        self._came_by[subject] = mark
        return subject

    def reload(self) -> Iterable[str]:
        """Read the database again; an exception leaves what was read last."""
        self._keys = read_keys(self._path)
        return ()

    def holds(self, subject: Subject) -> bool:
        """Whether the key by which this subject came in would still let it in."""
        key = self.lookup(subject.identity)
        return (
            key is not None
            and self._came_by.get(subject) == fingerprint(key.secret)
            and key.restrictions == subject.restrictions
            and key.not_after == subject.valid_until
        )
