"""Conformance of keys between registrars, which work both ways: calling and being called."""

from typing import Any, ClassVar

from zope.interface.verify import verifyObject

from rserpool.security.decisions import Subject
from rserpool.security.interfaces import IPeerAuthentication
from rserpool.security.testing.conformance import AuthenticationConformance
from rserpool.security.testing.subjects import ADDRESS

#: Octets of a key (RFC 9257 section 6).
SHORTEST = 16


class PeerAuthenticationConformance(AuthenticationConformance):
    """
    Of an `IPeerAuthentication`.

    :cvar own: the name of a registrar that has a key for calling `other`.
    :cvar other: the name of that one.
    """

    own: ClassVar[str] = "r1"
    other: ClassVar[str] = "r2"

    def introduced(self) -> Any:
        """Make one that knows whose it is."""
        made = self.make()
        made.introduce(self.own)
        return made

    def test_both_ways(self) -> None:
        """It has what the interface has."""
        verifyObject(IPeerAuthentication, self.make())

    def test_nameless(self) -> None:
        """A registrar without a name has no key under which it could call."""
        made = self.make()
        made.introduce(None)
        self._holds(made.to_show(self.other) is None, "a nameless registrar calls by key")

    def test_shown(self) -> None:
        """The key that is shown is long enough, and opens no door of our own."""
        made = self.introduced()
        key = made.to_show(self.other)
        self._holds(key is not None, f"{self.own!r} has no key for {self.other!r}")
        self._holds(len(key.secret) >= SHORTEST, f"a key of {len(key.secret)} octets")
        self._holds(made.keys.lookup(key.identity) is None, f"{key.identity!r} opens our door")

    def test_called(self) -> None:
        """Who was called becomes a subject that is held, until its key is another one's."""
        made = self.introduced()
        key = made.to_show(self.other)
        subject = made.called(key, self.other, ADDRESS)
        self._holds(isinstance(subject, Subject) and subject.proven, f"{subject!r}")
        self._holds(subject.name == self.other, f"it is called {subject.name!r}")
        self._holds(subject.address == ADDRESS, f"its address is {subject.address!r}")
        self._holds(made.holds(subject) is True, "holds() denies who was just called")
        stranger = self.introduced()
        self._holds(not stranger.holds(subject), "a subject that it hasn't made is held")

    def test_nothing_in_common(self) -> None:
        """Who isn't known isn't called by a key that is good for somebody else alone."""
        made = self.introduced()
        key, other = made.to_show("nobody"), made.to_show(self.other)
        self._holds(
            key is None or "@" not in key.identity or key.identity != other.identity,
            "'nobody' is called with another's key",
        )
