"""The pre-shared keys that are in force: those of a key file, at this time."""

import time
from collections.abc import Callable, Iterable, Mapping

from zope.interface import implementer

from rserpool.security.certificate.name import SOON, when
from rserpool.security.interfaces import IKeyStore, Key
from rserpool.security.psk.keyfile import read


@implementer(IKeyStore)
class KeyStore:
    """
    The keys of a key file.

    :ivar own: identities that this server itself shows to others.  Nobody may show them to
        it: a registrar is client and server, and its own messages could be turned back on
        it (the Selfie attack, RFC 9257 section 4.1).
    :ivar warnings: what ought to be better in the file that is in force.
    """

    def __init__(
        self,
        path: str,
        own: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.own = frozenset(own)
        self.warnings: tuple[str, ...] = ()
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._lines: Mapping[str, int] = {}
        self.reload()

    def __len__(self) -> int:
        return len(self._keys)

    def reload(self) -> tuple[str, ...]:
        """
        Read the file again and return its warnings.

        :raise ValueError: (or OSError) it can't be used; the keys stay what they were.
        """
        file = read(self.path)
        self._keys = {key.identity: key for key in file.keys}
        self._lines = file.lines
        self.warnings = file.warnings
        return file.warnings

    def ending(self) -> tuple[str, ...]:
        """Say which keys are over, or will be soon."""
        now = self._clock()
        found = []
        for key in self._keys.values():
            if key.not_after is None or key.not_after >= now + SOON:
                continue
            where = f"{self.path}:{self._lines[key.identity]}: the key of {key.identity!r}"
            end = when(key.not_after)
            found.append(
                f"{where} is over since {end}: take it out (rserpool psk remove)"
                if key.not_after <= now
                else f"{where} is good until {end}: give its holder the next one in time "
                "(rserpool psk rotate)"
            )
        return tuple(found)

    def lookup(self, identity: str) -> Key | None:
        """Return the key in force now, or None."""
        key = self._keys.get(identity)
        if key is None or identity in self.own or not in_force(key, self._clock()):
            return None
        return key


def in_force(key: Key, now: float) -> bool:
    """Whether `now` (seconds since the epoch) is within the key's time."""
    begun = key.not_before is None or key.not_before <= now
    return begun and (key.not_after is None or now < key.not_after)


def secrets_of(*stores: IKeyStore) -> Callable[[str], bytes | None]:
    """Return what TLS asks: the secret of an identity, from the first store that has it."""

    def secret(identity: str) -> bytes | None:
        for store in stores:
            key = store.lookup(identity)
            if key is not None:
                return key.secret
        return None

    return secret
