"""
Auditing and re-synchronization (RFC 5353 section 3.6).

A registrar's updates and its heartbeats come by one connection, in order: when its checksum
isn't ours of its elements, something is really missing, and its own list is asked for.  What
it doesn't list is taken out in the end ("mark" and "silently remove", section 3.6.3).

Note [Not again and again]

There may be differences that no download mends: elements that we refuse (another policy, no
room), or that wait for another home to yield.  After one that has left the same two checksums
as before, the next few heartbeats that show them again start no other.
"""

from collections.abc import Iterator

import attrs

from rserpool.handlespace.element import Element
from rserpool.registrar.adoption import Adoption
from rserpool.registrar.chores import Chores
from rserpool.registrar.download import Download, Downloads
from rserpool.registrar.effects import Audit
from rserpool.registrar.peers import Peer, Peers, shown
from rserpool.registrar.replication import Replication
from rserpool.registrar.share import Share

#: Heartbeats with the same difference that pass until it is looked at again.
PATIENCE = 3
#: Seconds between two downloads from one peer: each costs a look at all elements, and a rogue
#: registrar could send ever different checksums.
PAUSE = 0.5


@attrs.define(eq=False)
class Dispute:
    """A difference, and how often it was seen since the last download."""

    checksums: tuple[int, int]
    begun: float
    seen: int = 0


class Auditing:
    """Compares checksums, and mends what differs."""

    def __init__(
        self,
        share: Share,
        peers: Peers,
        downloads: Downloads,
        *,
        replication: Replication,
        adoption: Adoption,
        chores: Chores,
    ) -> None:
        self._share = share
        self._peers = peers
        self._downloads = downloads
        self._replication = replication
        self._adoption = adoption
        self._chores = chores
        self._marked: dict[int, set[Element]] = {}
        self._disputes: dict[int, Dispute] = {}

    def compare(self, peer: Peer, checksum: int, now: float) -> None:
        """A presence has come with the checksum of the sender's elements (3.6.1)."""
        peer.theirs = checksum
        channel = peer.channel
        if channel is None or self._adoption.moving(peer.identifier):
            return
        ours = self._share.handlespace.checksum(peer.identifier)
        peer.agreed = ours == checksum
        if ours == checksum and not peer.doubtful:
            self._disputes.pop(peer.identifier, None)
            return
        if self._downloads.of(channel) is not None:
            return
        dispute = self._disputes.get(peer.identifier)
        if dispute is not None and not self._worthwhile(dispute, (checksum, ours), peer, now):
            return
        self._disputes[peer.identifier] = Dispute((checksum, ours), now)
        self._share.counters.resyncs += 1
        elements = self._share.handlespace.of_home(peer.identifier)
        self._marked[peer.identifier] = set(elements)
        self._audit("resync.started", peer, f"checksum {checksum:#06x}, ours {ours:#06x}")
        self._downloads.start(channel, peer.identifier, own_only=True, now=now)

    def listed(self, peer: Peer, element: Element | None) -> None:
        """Its home has spoken of `element`: it isn't marked any more."""
        marked = self._marked.get(peer.identifier)
        if marked is not None and element is not None:
            marked.discard(element)

    def ended(self, peer: Peer, download: Download, why: str, now: float) -> None:
        """The list is complete, or it isn't and why."""
        marked = self._marked.pop(peer.identifier, set())
        if why:
            self._disputes.pop(peer.identifier, None)
            self._audit("resync.failed", peer, why)
            return
        peer.doubtful = False
        peer.agreed = True
        words = f"{download.elements} elements, {len(marked)} it has no more"
        self._audit("resync.done", peer, words)
        self._chores.add(self._sweep(peer.identifier, marked), now)

    def forget(self, identifier: int) -> None:
        """This registrar is no peer any more."""
        self._marked.pop(identifier, None)
        self._disputes.pop(identifier, None)

    def _worthwhile(
        self, dispute: Dispute, checksums: tuple[int, int], peer: Peer, now: float
    ) -> bool:
        """Whether another download may help, after the one of this dispute."""
        if now < dispute.begun + PAUSE:
            return False
        if dispute.checksums != checksums or peer.doubtful:
            return True
        dispute.seen += 1
        return dispute.seen >= PATIENCE

    def _sweep(self, home: int, marked: set[Element]) -> Iterator[None]:
        for element in marked:
            if element.home == home and element.pool.elements.get(
                element.identifier
            ) is element:  # fmt: skip
                self._replication.unlisted(element, self._chores.now)
            yield

    def _audit(self, what: str, peer: Peer, outcome: str) -> None:
        subject = None if peer.channel is None else peer.channel.subject
        self._share.emit(Audit(what, subject, outcome=f"{shown(peer)}: {outcome}"))
