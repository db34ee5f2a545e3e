"""
Faults planted into the core, to see that the simulation finds them.

Each is a mistake that somebody could make: a step of a procedure left out or turned round.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from rserpool.handlespace.handlespace import Handlespace
from rserpool.registrar import replica
from rserpool.registrar.adoption import Adoption
from rserpool.registrar.audit import Auditing
from rserpool.registrar.joining import Joining
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.ownership import Ownership
from rserpool.registrar.peers import Peers
from rserpool.registrar.replication import Replication
from rserpool.registrar.takeover import Takeover
from rserpool.registrar.targets import Targets

Planted = contextlib.AbstractContextManager[Any]


def _instead(owner: type, name: str, make: Callable[[Any], Callable[..., Any]]) -> Planted:
    """Put what `make` makes of a method in its place."""
    return mock.patch.object(owner, name, make(getattr(owner, name)))


def _never(owner: type, name: str, answer: Any = None) -> Planted:
    """Do nothing."""
    return mock.patch.object(owner, name, lambda *arguments, **others: answer)


def _one_side_yields() -> Planted:
    """Registrars with an odd server ID turn the arbitration of takeovers round."""

    def make(initiated: Any) -> Any:
        def turned(self: Any, sender: Any, target: int, now: float) -> Any:
            mine = self._share.server_id
            if target in self._attempts and mine % 2:
                if mine < sender.identifier:
                    return ""
                del self._attempts[target]
            return initiated(self, sender, target, now)

        return turned

    return _instead(Takeover, "initiated", make)


def _takes_without_asking() -> Planted:
    """Nobody's agreement to a takeover is waited for."""

    def make(begin: Any) -> Any:
        def hasty(self: Any, peer: Any, now: float) -> None:
            begin(self, peer, now)
            if peer.identifier in self._attempts:
                self._won(peer.identifier, now)

        return hasty

    return _instead(Takeover, "_begin", make)


def _agrees_to_everything() -> Planted:
    """Whoever is asked agrees to a takeover, though it hears the target."""

    def make(initiated: Any) -> Any:
        def agreeable(self: Any, sender: Any, target: int, now: float) -> Any:
            if target != self._share.server_id and target not in self._attempts:
                self._agree(sender.identifier, target)
                return ""
            return initiated(self, sender, target, now)

        return agreeable

    return _instead(Takeover, "initiated", make)


def _tells_no_deletion() -> Planted:
    """What is taken out isn't announced."""

    def make(announce: Any) -> Any:
        def quiet(self: Any, element: Any, action: int) -> None:
            if action != replica.DEL_PE:
                announce(self, element, action)

        return quiet

    return _instead(Membership, "_announce", make)


def _tells_no_addition() -> Planted:
    """What has come isn't announced."""

    def make(announce: Any) -> Any:
        def quiet(self: Any, element: Any, action: int) -> None:
            if action != replica.ADD_PE:
                announce(self, element, action)

        return quiet

    return _instead(Membership, "_announce", make)


def _stale_checksum() -> Planted:
    """The checksum of a presence is calculated once, at the beginning."""

    def make(present: Any) -> Any:
        def stale(self: Any, channel: Any, *, ask: bool = False) -> None:
            first = self.__dict__.setdefault(
                "first", self._share.handlespace.checksum(self._share.server_id)
            )
            with mock.patch.object(Handlespace, "checksum", lambda _, home: first):
                present(self, channel, ask=ask)

        return stale

    return _instead(Peers, "present", make)


def _takes_anybodys_word() -> Planted:
    """A deletion is heeded whoever says it."""

    def make(deleted: Any) -> Any:
        def gullible(self: Any, peer: Any, message: Any, now: float) -> Any:
            element = self._handlespace.find(message.handle, message.element.identifier)
            if element is not None and element.home != peer.identifier:
                self.unlisted(element, now)
                return ""
            return deleted(self, peer, message, now)

        return gullible

    return _instead(Replication, "_deleted", make)


def _yields_always() -> Planted:
    """A home gives its element to whoever claims it, without asking the element."""

    def make(granted: Any) -> Any:
        return lambda self, peer, element, entry: True

    return _instead(Ownership, "granted", make)


def _forgets_late_adoptions() -> Planted:
    """An element that doesn't come to its new home stays."""

    def make(expect: Any) -> Any:
        def endless(self: Any, element: Any, now: float) -> None:
            self._calls[element] = None

        return endless

    return _instead(Adoption, "expect", make)


def _expects_nobody() -> Planted:
    """What was taken over is taken out at once."""

    def make(expect: Any) -> Any:
        def hasty(self: Any, element: Any, now: float) -> None:
            self._membership.remove(element, "planted", "", now)

        return hasty

    return _instead(Adoption, "expect", make)


def _moves_nothing() -> Planted:
    """Who hears of a takeover leaves the elements with the dead registrar."""
    return _never(Adoption, "take")


def _sweeps_nothing() -> Planted:
    """What its home lists no more is kept."""
    return mock.patch.object(Auditing, "_sweep", lambda *arguments: iter(()))


def _audits_nothing() -> Planted:
    """Checksums aren't compared."""
    return _never(Auditing, "compare")


def _trusts_after_a_loss() -> Planted:
    """A list isn't read again after a connection was lost."""

    def make(lost: Any) -> Any:
        def trusting(self: Any, channel: Any, now: float) -> Any:
            peer = lost(self, channel, now)
            if peer is not None:
                peer.doubtful = False
            return peer

        return trusting

    return _instead(Peers, "lost", make)


def _calls_nobody_again() -> Planted:
    """A registrar whose connection was lost isn't called again."""
    return _never(Targets, "lost")


def _never_silent() -> Planted:
    """Nobody is ever thought dead."""
    return _never(Peers, "_watch")


def _serves_too_soon() -> Planted:
    """A registrar serves before it has anybody's handlespace."""

    def make(start: Any) -> Any:
        def hasty(self: Any, now: float) -> None:
            self._serve("planted", "planted")

        return hasty

    return _instead(Joining, "start", make)


def _expects_no_return() -> Planted:
    """Elements whose connection was lost are never taken out."""
    return _never(KeepAlive, "expect")


ALL: dict[str, Callable[[], Planted]] = {
    "agrees-to-everything": _agrees_to_everything,
    "audits-nothing": _audits_nothing,
    "calls-nobody-again": _calls_nobody_again,
    "expects-no-return": _expects_no_return,
    "expects-nobody": _expects_nobody,
    "forgets-late-adoptions": _forgets_late_adoptions,
    "moves-nothing": _moves_nothing,
    "never-silent": _never_silent,
    "one-side-yields": _one_side_yields,
    "serves-too-soon": _serves_too_soon,
    "stale-checksum": _stale_checksum,
    "sweeps-nothing": _sweeps_nothing,
    "takes-anybodys-word": _takes_anybodys_word,
    "takes-without-asking": _takes_without_asking,
    "tells-no-addition": _tells_no_addition,
    "tells-no-deletion": _tells_no_deletion,
    "trusts-after-a-loss": _trusts_after_a_loss,
    "yields-always": _yields_always,
}


@contextlib.contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant one, or none."""
    with ALL[name]() if name else contextlib.nullcontext():
        yield
