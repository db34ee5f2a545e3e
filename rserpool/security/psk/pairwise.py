"""
Keys between registrars: one for each pair, or one for each registrar (RFC 9257 section 5.1).

``a@b:HEXKEY`` is the key with which registrar `a` calls registrar `b`; both have it in their
key files, and nobody else.  ``a:HEXKEY`` is the key with which `a` calls everybody: simpler,
but each that `a` calls could call others as `a`.

Note [Selfie]

A registrar calls and is called, so its own messages could be turned back on it by somebody
who knows no key at all (the Selfie attack, RFC 9257 section 4.1).  So an identity under which
a registrar calls never opens its own door.
"""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

import attrs
from zope.interface import implementer

from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IKeyStore, IPeerAuthentication, Key
from rserpool.security.psk.authentication import PreSharedKeys
from rserpool.security.psk.entry import check_identity
from rserpool.security.psk.identity import fingerprint
from rserpool.security.psk.keystore import KeyStore, in_force
from rserpool.security.psk.rotation import generation

BETWEEN = "@"


def check_name(name: str) -> str:
    """
    Refuse what can't be a registrar's name in identities.

    :raise ValueError: why.
    """
    check_identity(name)
    if BETWEEN in name or Key(name, b"").principal != name:
        raise ValueError(
            f"{name!r}: a registrar's name has no {BETWEEN!r}, and no ~N at its end"
        )
    return name


def pair(identity: str) -> tuple[str, str]:
    """Who calls, and who is called; the latter is empty where the key is for everybody."""
    caller, _, called = Key(identity, b"").principal.partition(BETWEEN)
    return caller, called


def objection(identity: str, own: str | None) -> str:
    """Why nobody may show this identity to the registrar `own`; empty: somebody may."""
    caller, called = pair(identity)
    if own is not None and caller == own:
        return (
            f"{identity!r} is this registrar's own: it calls itself, or somebody turns its "
            "messages back on it"
        )
    if called and called != own:
        this = repr(own) if own else "a registrar without identity"
        return f"{identity!r} is for calling {called!r}, and this is {this}"
    return ""


@attrs.frozen
class PeerKey(Key):
    """A key whose principal is the registrar that calls."""

    @property
    def principal(self) -> str:
        """Who calls."""
        return pair(self.identity)[0]


@implementer(IKeyStore)
class PeerKeyStore(KeyStore):
    """
    The keys of a key file between registrars.

    :param identity: under which this registrar calls others; None: it has no name.
    """

    def __init__(
        self, path: str, identity: str | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._identity = identity
        super().__init__(path, clock=clock)

    def introduce(self, name: str | None) -> None:
        """Take the name of this registrar: which keys are its own depends on it."""
        self._identity = name
        self._sort()

    def reload(self) -> tuple[str, ...]:
        """
        Read the file again and return its warnings.

        :raise ValueError: (or OSError) it can't be used; the keys stay what they were.
        """
        warnings = super().reload()
        self._sort()
        return warnings

    def _sort(self) -> None:
        self.own = frozenset(name for name in self._keys if pair(name)[0] == self._identity)

    def lookup(self, identity: str) -> Key | None:
        """Return the key by which a peer may come in, now, or None."""
        key = None if objection(identity, self._identity) else super().lookup(identity)
        if key is None:
            return None
        return PeerKey(**attrs.asdict(key, recurse=False))

    def outward(self, identity: str) -> Key | None:
        """Return one of our own keys, if it is in force now."""
        key = self._keys.get(identity) if identity in self.own else None
        return key if key is not None and in_force(key, self._clock()) else None

    def to_show(self, name: str | None) -> Key | None:
        """
        Return the key with which the registrar `name` is called, in its newest generation.

        That of the pair, or else the one for everybody; None: there is neither.
        """
        for called in [name, ""] if name else [""]:
            keys = [self.outward(one) for one in self.own if pair(one)[1] == called]
            found = [key for key in keys if key is not None]
            if found:
                return max(found, key=generation)
        return None


@implementer(IPeerAuthentication)
class PeerKeys(PreSharedKeys):
    """``--enrp-auth psk:FILE``: both ways, calling and being called."""

    keys: PeerKeyStore

    def __init__(
        self,
        path: str,
        identity: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path, clock=clock)
        self.keys = PeerKeyStore(path, identity, clock)
        self._outward: WeakKeyDictionary[Subject, bytes] = WeakKeyDictionary()

    def introduce(self, name: str | None) -> None:
        """Take the name of this registrar."""
        self.keys.introduce(name)

    def to_show(self, name: str | None) -> Key | None:
        """Return the key with which the registrar `name` is called."""
        return self.keys.to_show(name)

    def called(self, key: Key, name: str, address: str) -> Subject:
        """
        Make the subject of a registrar that we have called: it holds our key, too.

        :param name: who that is.
        """
        subject = Subject(
            name=pair(key.identity)[1] or name,
            proof=Proof.PSK,
            address=address,
            identity=key.identity,
            restrictions=key.restrictions,
            valid_until=key.not_after,
        )
        self._outward[subject] = fingerprint(key.secret)
        return subject

    def holds(self, subject: Subject) -> bool:
        """Whether the key by which this connection was made would make it again."""
        secret = self._outward.get(subject)
        if secret is None:
            return super().holds(subject)
        key = self.keys.outward(subject.identity)
        return (
            key is not None
            and secret == fingerprint(key.secret)
            and key.restrictions == subject.restrictions
            and key.not_after == subject.valid_until
        )
