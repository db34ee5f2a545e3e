"""
The peer list (RFC 5353 section 3.4): who is there, who is silent, who is dead.

Note [Whose ID]

A registrar's server ID is bound to the principal that is connected under it, and a principal
is one registrar: when it comes under another ID, the registrar of the old one has ended, and
what it owned is taken over without waiting for its silence.  The other way round, an ID is its
principal's until it is taken over, connected or not: else whoever has a key could wait until
another registrar is cut off, and speak for its elements (RFC 5355 section 2.5).

Note [One connection]

Two registrars that call each other have two connections, and keep the one that the smaller
server ID has made.  Of two that the same side has made, or of which one is much older, the
newer is kept: nobody calls who knows of a connection, so that the older is dead, or will be.
"""

import enum
from collections.abc import Callable, Iterator

import attrs

from rserpool.registrar.effects import Audit, Close
from rserpool.registrar.events import Channel
from rserpool.registrar.share import Share
from rserpool.registrar.targets import Targets
from rserpool.wire import enrp
from rserpool.wire.parameters import ServerInformation

ALARM = "peers"
#: Registrars known at a time: a rogue one could tell of any number.
MAXIMUM_PEERS = 256
#: Seconds between two connections that were made because both sides have called at once: a
#: call takes no longer.
CROSSED = 10.0
#: IDs that one principal may have had and that aren't taken over yet: a rogue registrar could
#: fill the list by coming under ever different ones.
MAXIMUM_FORMER = 4


class State(enum.Enum):
    """What is known of a peer's life."""

    ACTIVE = "active"
    SILENT = "silent"  # was asked for a sign of life
    INACTIVE = "inactive"  # somebody is taking it over: not watched (section 3.5.1)


@attrs.define(eq=False)
class Peer:
    """
    One other registrar.

    :ivar named: whether it has proven that name, and isn't just called by where it is.
    :ivar since: when its connection came about.
    :ivar heard: peer_last_heard (section 4.1).
    :ivar asked: until when it must show a sign of life.
    :ivar theirs: the PE checksum that it sent last.
    :ivar agreed: whether it was ours of its elements then, or its list has come since.
    :ivar doubtful: what we have of it isn't all from itself, by one connection that has held:
        a checksum tells which elements it has, but not whether they look as they did.
    """

    identifier: int
    heard: float
    name: str = ""
    named: bool = False
    address: str = ""
    channel: Channel | None = None
    server: ServerInformation | None = None
    state: State = State.ACTIVE
    asked: float | None = None
    theirs: int | None = None
    agreed: bool = False
    doubtful: bool = True
    since: float = 0.0

    def taken(self, name: str, *, called: bool) -> bool:
        """Whether this ID is another one's than of who has this name: see Note [Whose ID]."""
        if self.name == name:
            return False
        return self.channel is not None or (self.named and not called)


class Peers:
    """
    All of them.

    :param died: called with a peer that counts as dead.
    :param removed: called with the ID of one that is no peer any more.
    """

    def __init__(
        self,
        share: Share,
        targets: Targets,
        died: Callable[[Peer, float], None],
        removed: Callable[[int], None],
    ) -> None:
        self._share = share
        self._settings = share.settings
        self._died = died
        self._removed = removed
        self._peers: dict[int, Peer] = {}
        self._bound: dict[Channel, Peer] = {}
        self._beat: float | None = None
        self.targets = targets

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def __len__(self) -> int:
        return len(self._peers)

    def find(self, identifier: int) -> Peer | None:
        """The registrar of this ID, if it is known."""
        return self._peers.get(identifier)

    def of(self, channel: Channel) -> Peer | None:
        """Who is at the other end of a connection, if it has said so."""
        return self._bound.get(channel)

    def alive(self, identifier: int) -> bool:
        """Whether it is connected, and nobody takes it for dead."""
        peer = self._peers.get(identifier)
        return peer is not None and peer.channel is not None and peer.state is State.ACTIVE

    def start(self, now: float) -> None:
        """Begin to call, and to send heartbeats."""
        self._beat = now + self._settings.peer_heartbeat_cycle
        self.targets.start(now)
        self.alarm(now)

    def ensure(self, identifier: int, now: float) -> Peer | None:
        """
        Know of this registrar, which has yet to be heard of by itself.

        From now on it is watched: if it is dead, somebody must take its elements over.
        """
        if identifier in (0, self._share.server_id):
            return None
        peer = self._peers.get(identifier)
        if peer is None and len(self._peers) < MAXIMUM_PEERS:
            peer = self._peers[identifier] = Peer(identifier, heard=now)
            self.alarm(now)
        return peer

    def heard(self, channel: Channel, sender: int, now: float) -> tuple[Peer | None, str]:
        """
        A message has come from `sender`: the peer, or why it isn't believed.

        A registrar unknown so far becomes a peer (section 3.4.1).
        """
        peer = self._bound.get(channel)
        if peer is None:
            peer, objection = self._bind(channel, sender, now)
            if peer is None:
                return None, objection
        elif peer.identifier != sender:
            return None, f"it speaks as {sender:#010x} where it is {peer.identifier:#010x}"
        peer.heard = now
        peer.asked = None
        if peer.state is State.SILENT:
            peer.state = State.ACTIVE
        return peer, ""

    def lost(self, channel: Channel, now: float) -> Peer | None:
        """A connection has ended; the peer, if it was the one kept for it."""
        peer = self._bound.pop(channel, None)
        if peer is not None and peer.channel is not channel:
            self.targets.closed(channel)
            return None  # of two, the one that isn't kept
        self.targets.lost(channel, None if peer is None else peer.identifier, now)
        if peer is not None:
            peer.channel = None
            peer.doubtful = True
            del self._share.peers[peer.identifier]
            self._audit("peer.lost", peer, "the connection has ended")
        self.alarm(now)
        return peer

    def remove(self, identifier: int, now: float) -> None:
        """It has been taken over: off the list (section 3.5.2)."""
        peer = self._peers.pop(identifier, None)
        if peer is not None:
            self.targets.forget(identifier, now)
            self._removed(identifier)
            self.alarm(now)
            if peer.channel is not None:
                # Nothing would be sent on it any more, and so nobody notice that it is dead;
                # a registrar that lives calls again, and is a new peer.
                del self._share.peers[identifier]
                self._bound.pop(peer.channel, None)
                self._share.emit(Close(peer.channel, "its registrar was taken over"))

    def rang(self, now: float) -> None:
        """The timer rang: heartbeats, silence, calls."""
        if self._beat is not None and self._beat <= now:
            self._beat = now + self._settings.peer_heartbeat_cycle
            for channel in list(self._share.peers.values()):
                self.present(channel)
        for peer in list(self._peers.values()):
            self._watch(peer, now)
        self.targets.due(now)
        self.alarm(now)

    def present(self, channel: Channel, *, ask: bool = False) -> None:
        """Send ENRP_PRESENCE with our checksum and where we are (section 2.1)."""
        share = self._share
        peer, ourselves = self._bound.get(channel), self._ourselves_on(channel)
        if ourselves is None and self._settings.interop.full_presence:
            return  # it would be lost all the same
        message = enrp.Presence(
            reply_required=ask,
            sender=share.server_id,
            receiver=0 if peer is None else peer.identifier,
            checksum=share.handlespace.checksum(share.server_id),
            server=ourselves,
        )
        share.tell(channel, message)

    def present_to_all(self) -> None:
        """Announce that we are alive."""
        for channel in list(self._share.peers.values()):
            self.present(channel)

    def silent_for(self, peer: Peer, now: float) -> None:
        """Ask it for a sign of life at once (section 3.4.3)."""
        if peer.asked is None:
            peer.asked = now + self._settings.max_time_no_response
            peer.state = State.SILENT if peer.state is State.ACTIVE else peer.state
            if peer.channel is not None:
                self.present(peer.channel, ask=True)
            self._audit("peer.silent", peer, f"not heard for {now - peer.heard:.0f} s")
            self.alarm(now)

    def alarm(self, now: float) -> None:
        """Ring when the next thing is due."""
        alarms = self._share.alarms
        alarms.at(ALARM, self._beat, now)
        alarms.at(ALARM, self.targets.next(), now)
        for peer in self._peers.values():
            alarms.at(ALARM, self._due(peer), now)

    def _due(self, peer: Peer) -> float | None:
        if peer.state is State.INACTIVE or peer.asked is not None:
            return peer.asked  # None: nobody watches it
        return peer.heard + self._settings.max_time_last_heard

    def _watch(self, peer: Peer, now: float) -> None:
        due = self._due(peer)
        if due is None or due > now:
            return
        if peer.asked is None:
            self.silent_for(peer, now)
        else:
            self._audit("peer.dead", peer, f"not heard for {now - peer.heard:.0f} s")
            peer.asked = None
            peer.heard = now  # if nobody takes it over, it is asked again
            self._died(peer, now)

    def _bind(self, channel: Channel, sender: int, now: float) -> tuple[Peer | None, str]:
        """Settle who is at the other end: see the notes at the head."""
        share = self._share
        if sender == share.server_id:
            self.targets.ourselves(channel)
            if channel.dialled is None:
                # The side that has called must know it, or it would call again and again.
                self.present(channel)
            share.emit(Close(channel, "it is this registrar itself"))
            return None, "it is this registrar itself"
        name = channel.subject.name if channel.subject.proven else ""
        called = channel.dialled == name  # by where it is: it has no other name here
        peer = self._peers.get(sender)
        if peer is not None and peer.taken(name, called=called):
            if called:
                # Called by its address alone, where it is known by name: one is enough.
                self.targets.answered(channel, sender)
                share.emit(Close(channel, "it is connected already, by its name"))
            return None, f"{sender:#010x} is {peer.name!r} already"
        former = [p for p in self if name and p.name == name and p.identifier != sender]
        if len(former) >= MAXIMUM_FORMER:
            return None, f"{name!r} has had too many IDs lately"
        new = peer is None
        peer = self.ensure(sender, now)
        if peer is None:
            return None, "there are too many registrars, or the ID is 0"
        self._bound[channel] = peer
        peer.name, peer.address = name, channel.subject.address
        peer.named = bool(name) and not called
        self.targets.answered(channel, sender)
        self._keep(peer, channel, now)
        self._audit("peer.joined", peer, "new" if new else "connected again")
        for one in former:
            self._ended(one, now)
        return peer, ""

    def _ended(self, peer: Peer, now: float) -> None:
        """Its principal has come back under another ID: see Note [Whose ID]."""
        if peer.channel is not None:
            self._share.emit(Close(peer.channel, "its registrar has another ID now"))
        peer.heard = min(peer.heard, now - self._settings.max_time_last_heard)
        self.alarm(now)

    def _keep(self, peer: Peer, channel: Channel, now: float) -> None:
        """Of two connections keep one: see Note [One connection]."""
        old, share = peer.channel, self._share
        if old is not None:
            ours, was_ours = channel.dialled is not None, old.dialled is not None
            crossed = ours != was_ours and now - peer.since < CROSSED
            if crossed and was_ours == (share.server_id < peer.identifier):
                # Still of the time it came about: who calls again and again, because it has
                # no use for a connection that isn't at its port, gets its way in the end.
                old, channel, now = channel, old, peer.since
            # The other side learns by this who we are, and that it needn't call again.
            self.present(old)
            peer.doubtful = True
            share.emit(Close(old, "another connection with the same registrar is kept"))
        peer.channel, peer.since = channel, now
        share.peers[peer.identifier] = channel
        # Its answer has its checksum: what was lost on the other connection shows.
        self.present(channel, ask=True)

    def ourselves(self) -> ServerInformation | None:
        """
        Where this registrar is called, if anywhere; maybe without an address yet.

        By SCTP if it can be: who is told may be any registrar, and of SCTP all know.
        """
        transport = self._settings.enrp_sctp or self._settings.enrp_transport
        if transport is None:
            return None
        return ServerInformation(identifier=self._share.server_id, transport=transport)

    def _ourselves_on(self, channel: Channel) -> ServerInformation | None:
        """The same on a connection: of its kind, and with its address where none is given."""
        settings, identifier = self._settings, self._share.server_id
        by_sctp = settings.enrp_sctp if channel.sctp else None
        transport = by_sctp or settings.enrp_transport
        if transport is not None and not transport.addresses:
            own = channel.own if transport is by_sctp else ()
            own = own or (() if channel.local is None else (channel.local,))
            if not own:
                return None
            transport = type(transport)(port=transport.port, addresses=own)
        if transport is None:
            return None
        return ServerInformation(identifier=identifier, transport=transport)

    def _audit(self, what: str, peer: Peer, outcome: str) -> None:
        subject = None if peer.channel is None else peer.channel.subject
        self._share.emit(Audit(what, subject, outcome=f"{shown(peer)}: {outcome}"))


def shown(peer: Peer) -> str:
    """A peer for the log."""
    return f"{peer.identifier:#010x}{f' ({peer.name})' if peer.name else ''}"
