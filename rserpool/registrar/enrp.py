"""
ENRP at the registrar: what each message means, and whether its sender may say it.

The gate is asked for every message; then the sender must be who it was before (RFC 5355
sections 2.5 and 2.10); then the procedure of the message's type is called.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from rserpool.registrar import (
    adoption,
    announcing,
    audit,
    chores,
    complaints,
    download,
    joining,
    peers,
    tables,
    takeover,
)
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.peers import Peer, State
from rserpool.registrar.replication import Replication
from rserpool.registrar.share import Share
from rserpool.registrar.targets import Targets
from rserpool.registrar.told import Change, Listing, quick, value
from rserpool.security.decisions import (
    LIST,
    PRESENCE,
    TABLE,
    TAKEOVER,
    UPDATE,
    Request,
)
from rserpool.wire import enrp
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import ServerInformation
from rserpool.wire.transports import callable_at

_PERMISSIONS: dict[type, str] = {
    enrp.Presence: PRESENCE,
    enrp.Error: PRESENCE,
    enrp.ListRequest: LIST,
    enrp.ListResponse: LIST,
    enrp.HandleTableRequest: TABLE,
    Listing: TABLE,
    Change: UPDATE,
    enrp.InitTakeover: TAKEOVER,
    enrp.InitTakeoverAck: TAKEOVER,
    enrp.TakeoverServer: TAKEOVER,
}
#: What somebody who is no registrar (sender ID 0) may ask: a command that shows the scope.
_QUESTIONS = (enrp.ListRequest, enrp.HandleTableRequest)


@attrs.frozen(kw_only=True)
class PeerState:
    """
    What is known of another registrar, for who watches.

    :ivar heard: when it was heard last, by the registrar's clock.
    :ivar theirs, ours: the checksum of its elements as it has it, and as we do.
    """

    name: str
    identifier: int
    address: str
    heard: float
    theirs: int | None
    ours: int
    synchronized: bool
    state: str
    elements: int


class Scope:
    """This registrar among the others of its operational scope."""

    def __init__(
        self,
        share: Share,
        targets: Sequence[str],
        keep_alive: KeepAlive,
        membership: Membership,
    ) -> None:
        self._share = share
        self._targets = Targets(share, targets)
        self.chores = chores.Chores(share)
        self.adoption = adoption.Adoption(share, keep_alive, membership, self.chores)
        self.peers = peers.Peers(share, self._targets, self._died, self._removed)
        self._takeover = takeover.Takeover(share, self.peers, self.adoption)
        self._downloads = download.Downloads(share, self._downloaded)
        self.replication = Replication(share, self.peers, keep_alive, membership, self.adoption)
        self._auditing = audit.Auditing(
            share,
            self.peers,
            self._downloads,
            replication=self.replication,
            adoption=self.adoption,
            chores=self.chores,
        )
        self.joining = joining.Joining(
            share, self.peers, self._targets, self._downloads, self._learn
        )
        self.announcing = announcing.Announcing(
            share,
            self._targets,
            lambda: self.joining.joined,
            self.peers.ourselves,
            self.peers.alarm,
        )
        self._tables = tables.Tables(share, self.peers, lambda: self.joining.joined)
        self._complaints = complaints.Complaints(share, self.peers)
        self._asked: set[Channel] = set()
        self._procedures: dict[type, Callable[..., str | None]] = {
            enrp.Presence: self._presence,
            enrp.ListRequest: self._list_request,
            enrp.ListResponse: self._list_response,
            enrp.HandleTableRequest: self._table_request,
            Listing: self._table_response,
            Change: self._update,
            enrp.InitTakeover: self._init_takeover,
            enrp.InitTakeoverAck: self._init_takeover_ack,
            enrp.TakeoverServer: self._takeover_server,
            enrp.Error: self._error,
        }
        self.alarms: dict[str, Callable[[float], None]] = {
            peers.ALARM: self.peers.rang,
            tables.ALARM: self._tables.rang,
            download.ALARM: self._downloads.rang,
            takeover.ALARM: self._takeover.rang,
            adoption.ALARM: self.adoption.rang,
            joining.ALARM: self.joining.rang,
            chores.ALARM: self.chores.rang,
            announcing.ALARM: self.announcing.rang,
        }

    def start(self, now: float) -> None:
        """Begin to look for the others."""
        self.peers.start(now)
        self.joining.start(now)
        self.announcing.start(now)

    def connected(self, channel: Channel, now: float) -> None:
        """A connection with another registrar is up."""
        if channel.dialled is not None:
            self._targets.reached(channel, now)
            self.peers.alarm(now)
            self.peers.present(channel, ask=True)
            self.joining.connected(channel, now)

    def unreachable(self, target: str, now: float) -> None:
        """A call has failed."""
        self._targets.failed(target, now)
        self.peers.alarm(now)
        self.joining.unreachable(now)

    def lost(self, channel: Channel, now: float) -> None:
        """A connection has ended."""
        self._complaints.forget(channel)
        self._asked.discard(channel)
        self._tables.lost(channel)
        # Before its peer is forgotten, whose list it was.
        self._downloads.lost(channel, now)
        peer = self.peers.lost(channel, now)
        if peer is not None:
            self._takeover.lost(peer, now)
            self.replication.departed(peer.identifier, now)
        self.joining.lost(channel, now)

    def arrived(self, channel: Channel, data: bytes, now: float) -> None:
        """A message has come."""
        message: Any = quick(data)
        if message is not None:
            self._heed(channel, message, now)
            return
        try:
            decoded = enrp.decode(data)
        except WireError as error:
            self._complaints.malformed(channel, error)
            return
        message = value(decoded.message)
        if message is not None:
            self._heed(channel, message, now)
        if decoded.report and not isinstance(message, enrp.Error):
            self._complaints.unrecognized(channel, decoded.report)

    def states(self) -> Iterator[PeerState]:
        """What is known of each peer."""
        for peer in self.peers:
            ours = self._share.handlespace.checksum(peer.identifier)
            state = peer.state.value
            if peer.state is State.ACTIVE and peer.channel is None:
                state = "disconnected"
            yield PeerState(
                name=peer.name,
                identifier=peer.identifier,
                address=peer.address,
                heard=peer.heard,
                theirs=peer.theirs,
                ours=ours,
                synchronized=peer.channel is not None and peer.agreed,
                state=state,
                elements=self._share.handlespace.count(peer.identifier),
            )

    def _heed(self, channel: Channel, message: Any, now: float) -> None:
        request = _request(channel, message)
        decision = self._share.ask(channel, request, now)
        met = self.peers.of(channel) is None
        asks = message.sender == 0 and isinstance(message, _QUESTIONS)
        if decision.allowed and met and not asks and request.permission != PRESENCE:
            # Who may ask, or tell this or that, isn't a registrar by that.
            request = Request(PRESENCE, peer=channel.subject.name)
            decision = self._share.ask(channel, request, now)
        if not decision.allowed:
            self._complaints.refused(channel, message, _request(channel, message), decision)
            return
        if asks:
            self._procedures[type(message)](None, channel, message, now)
            return
        if isinstance(message, enrp.Error) and message.sender in (0, self._share.server_id):
            self._unswapped(channel, message, now)
            return
        peer, objection = self.peers.heard(channel, message.sender, now)
        if peer is None:
            self._complaints.refused(channel, message, _request(channel, message), objection)
            return
        if met:
            self._met(peer, channel)
        self._back(peer, now)
        if message.receiver not in (0, self._share.server_id):
            self._share.counters.unexpected_messages += 1
            return
        objection = self._procedures[type(message)](peer, channel, message, now) or ""
        if objection:
            request = _request(channel, message)
            self._complaints.refused(channel, message, request, objection, crossed=True)

    def _met(self, peer: Peer, channel: Channel) -> None:
        """
        Ask who has just been met whom else it knows.

        Registrars that began before a third one brought them together would never meet.
        """
        if self.joining.joined and peer.channel is channel:
            self._asked.add(channel)
            request = enrp.ListRequest(sender=self._share.server_id, receiver=peer.identifier)
            self._share.tell(channel, request)

    def _back(self, peer: Peer, now: float) -> None:
        """`peer` lives, whatever others thought of it."""
        if peer.state is State.INACTIVE:
            peer.state = State.ACTIVE
        self._takeover.alive(peer)

    def _presence(
        self, peer: Peer, channel: Channel, message: enrp.Presence, now: float
    ) -> None:
        server = message.server
        if server is not None and server.identifier == peer.identifier:
            peer.server = server
            self._call_at(server, channel, now)
        if message.reply_required:
            self.peers.present(channel)
        self.joining.connected(channel, now)
        if message.checksum is not None and self.joining.joined:
            self._auditing.compare(peer, message.checksum, now)

    def _list_request(
        self, peer: Peer | None, channel: Channel, message: enrp.ListRequest, now: float
    ) -> None:
        self._tables.list_asked(channel, message, now)

    def _list_response(
        self, peer: Peer, channel: Channel, message: enrp.ListResponse, now: float
    ) -> None:
        if channel in self._asked:
            self._asked.discard(channel)
            self._learn(message, now)
        else:
            self.joining.listed(channel, message, now)

    def _table_request(
        self, peer: Peer | None, channel: Channel, message: enrp.HandleTableRequest, now: float
    ) -> None:
        self._tables.asked(channel, message, now)

    def _table_response(
        self, peer: Peer, channel: Channel, message: Listing, now: float
    ) -> str:
        running = self._downloads.of(channel)
        if running is None:
            return "nobody has asked for its table"
        take = self.replication.listed if running.own_only else self.replication.mentioned
        objections = 0
        first = ""
        for handle, element in message.elements:
            objection = take(peer, handle, element, now)
            if objection:
                objections += 1
                first = first or objection
            elif running.own_only:
                found = self._share.handlespace.find(handle, element.identifier)
                self._auditing.listed(peer, found)
        self._downloads.arrived(channel, message, now)
        return f"{objections} of its table: {first}" if first else ""

    def _update(self, peer: Peer, channel: Channel, message: Change, now: float) -> str:
        objection = self.replication.told(peer, channel, message, now)
        if not objection and message.action == enrp.ADD_PE:
            found = self._share.handlespace.find(message.handle, message.element.identifier)
            self._auditing.listed(peer, found)
        return objection

    def _init_takeover(
        self, peer: Peer, channel: Channel, message: enrp.InitTakeover, now: float
    ) -> str:
        return self._takeover.initiated(peer, message.target, now)

    def _init_takeover_ack(
        self, peer: Peer, channel: Channel, message: enrp.InitTakeoverAck, now: float
    ) -> None:
        self._takeover.agreed(peer, message.target, now)

    def _takeover_server(
        self, peer: Peer, channel: Channel, message: enrp.TakeoverServer, now: float
    ) -> str:
        return self._takeover.enforced(peer, message.target, now)

    def _error(self, peer: Peer, channel: Channel, message: enrp.Error, now: float) -> None:
        """Write down what a peer complains of; an error is never answered."""
        self._complaints.heard(channel, message, peers.shown(peer))

    def _unswapped(self, channel: Channel, message: enrp.Error, now: float) -> None:
        """
        An error that has our own ID for its sender, or none: rsplib echoes IDs as they came.

        It comes from whoever is at the other end, and not from ourselves.
        """
        peer = self.peers.of(channel)
        if peer is not None:
            self.peers.heard(channel, peer.identifier, now)
            self._back(peer, now)
        who = channel.subject.address if peer is None else peers.shown(peer)
        self._complaints.heard(channel, message, who)

    def _removed(self, identifier: int) -> None:
        self._auditing.forget(identifier)

    def _died(self, peer: Peer, now: float) -> None:
        self._takeover.died(peer, now)

    def _downloaded(self, download: download.Download, why: str, now: float) -> None:
        peer = self.peers.of(download.channel)
        if not download.own_only:
            self.joining.ended(download, why, now)
        elif peer is not None:
            self._auditing.ended(peer, download, why, now)

    def _learn(self, message: enrp.ListResponse, now: float) -> None:
        """Take the mentor's peers into our list, and call them (RFC 5353 section 3.2.2.2)."""
        for server in message.servers:
            peer = self.peers.ensure(server.identifier, now)
            if peer is not None:
                if peer.server is None:
                    peer.server = server
                text = callable_at(server.transport)
                if text and server.identifier not in self._share.peers:
                    self._targets.learn(text, server.identifier, now)
        self.peers.alarm(now)

    def _call_at(self, server: ServerInformation, channel: Channel, now: float) -> None:
        """Where it may be called if this connection is lost; only at an address of its own."""
        addresses = set(getattr(server.transport, "addresses", ()))
        text = callable_at(server.transport)
        if text and addresses <= channel.addresses:
            self._targets.learn(text, server.identifier, now)


def _request(channel: Channel, message: Any) -> Request:
    """What is asked of the gate: by whom it comes, and of which pool if it is of one."""
    pool = message.handle if isinstance(message, Change) else None
    return Request(_PERMISSIONS[type(message)], pool, channel.subject.name)
