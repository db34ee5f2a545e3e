"""
Server handlespace update (RFC 5353 section 3.3): our changes to all, theirs to us.

An update is taken only from the element's home; see Note [Ownership] in
:mod:`rserpool.registrar.ownership` for who that is when two say so.
"""

from rserpool.handlespace.description import Description
from rserpool.handlespace.element import Element
from rserpool.registrar import distance, replica
from rserpool.registrar.adoption import Adoption
from rserpool.registrar.effects import Audit
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.ownership import Claim, Ownership
from rserpool.registrar.peers import Peer, Peers, shown
from rserpool.registrar.share import Share
from rserpool.registrar.told import Change
from rserpool.wire import enrp


class Replication:
    """Takes over what other registrars tell."""

    def __init__(
        self,
        share: Share,
        peers: Peers,
        keep_alive: KeepAlive,
        membership: Membership,
        adoption: Adoption,
    ) -> None:
        self._share = share
        self._handlespace = share.handlespace
        self._peers = peers
        self._keep_alive = keep_alive
        self._membership = membership
        self._adoption = adoption
        self.ownership = Ownership(share, peers)
        membership.on_admitted = self._admitted
        membership.on_gone = self._gone
        keep_alive.on_heard = self._confirmed

    def told(self, peer: Peer, channel: Channel, message: Change, now: float) -> str:
        """Heed an ENRP_HANDLE_UPDATE; why not, if it isn't."""
        self._share.counters.peer_updates += 1
        if message.action == enrp.DEL_PE:
            return self._deleted(peer, message, now)
        entry = message.element
        element = self._handlespace.find(message.handle, entry.identifier)
        if (
            # Where all updates name their receiver, this one is no answer to a claim of ours.
            not self._share.settings.interop.update_receiver
            and message.receiver == self._share.server_id
            and element is not None
            and element.home == self._share.server_id
            and self.ownership.objected(element, peer)
        ):
            self._audit("element.returned", element, f"{shown(peer)} has it still")
            return self._take(peer, message.handle, entry, peer.identifier, now)
        objection = self.described(peer, message.handle, entry, now)
        if message.suggested and not objection:
            element = self._handlespace.find(message.handle, entry.identifier)
            if element is not None and self._share.settings.takeover_suggestion:
                self._adoption.suggested(element)
        return objection

    def described(self, peer: Peer, handle: bytes, entry: Description, now: float) -> str:
        """`peer` describes an element as its own; why it isn't believed, if it isn't."""
        home = entry.home or peer.identifier
        element = self._handlespace.find(handle, entry.identifier)
        if home != peer.identifier:
            return self._transferred(peer, handle, entry, now)
        if element is None or element.home == home:
            if element is not None:
                self.ownership.asserted(element)
            return self._take(peer, handle, entry, home, now)
        granted = self.ownership.granted(peer, element, entry)
        if granted:
            return self._moved(peer, element, entry, now)
        if granted is None:
            self._keep_alive.ask(element, now)
        else:
            self._audit("element.claimed", element, f"{shown(peer)} claims it")
        return ""

    def listed(self, peer: Peer, handle: bytes, entry: Description, now: float) -> str:
        """
        `peer` lists an element as its own; see Note [Two lists].

        :return: why it isn't believed, if it isn't.
        """
        element, mine = self._handlespace.find(handle, entry.identifier), self._share.server_id
        if (
            element is not None
            and element.home == mine < peer.identifier == entry.home
            and element.channel is None
            and peer.channel is not None
            and not (self._share.settings.interop.believed and self._keep_alive.missed(element))
        ):
            self._share.tell(
                peer.channel,
                replica.update(self._share, element, replica.ADD_PE, receiver=self._to(peer)),
            )
            return ""
        return self.described(peer, handle, entry, now)

    def mentioned(self, peer: Peer, handle: bytes, entry: Description, now: float) -> str:
        """
        A mentor has this element in its handlespace (RFC 5353 section 3.2.3 step 4).

        What its home has told us itself counts more.
        """
        home = entry.home or peer.identifier
        if home == peer.identifier:
            return self.described(peer, handle, entry, now)
        element = self._handlespace.find(handle, entry.identifier)
        ours = home == self._share.server_id
        if element is not None and (ours or self._peers.alive(element.home) or element.channel):
            return ""
        self._peers.ensure(home, now)
        objection = self._take(peer, handle, entry, home, now)
        element = self._handlespace.find(handle, entry.identifier)
        if ours and element is not None:
            # It was registered with us before we were started again.
            self._adoption.expect(element, now)
        return objection

    def unlisted(self, element: Element, now: float) -> None:
        """Its home doesn't list it: it is a claimant's, or gone (section 3.6.3 step 5)."""
        claim = self.ownership.yielded(element)
        if claim is None or not self._settle(element, claim, now):
            self._membership.remove(element, "element.unlisted", "its home has it no more", now)

    def let_go(self, element: Element, now: float) -> bool:
        """An element of ours is silent: whether somebody claims it, who has it now."""
        claim = self.ownership.yielded(element)
        return claim is not None and self._settle(element, claim, now)

    def departed(self, home: int, now: float) -> None:
        """A registrar isn't connected any more: what others claim of it is theirs."""
        self.ownership.departed(home)
        for element in self.ownership.claims_on(home):
            claim = self.ownership.yielded(element)
            if claim is not None:
                self._settle(element, claim, now)

    def _deleted(self, peer: Peer, message: Change, now: float) -> str:
        element = self._handlespace.find(message.handle, message.element.identifier)
        if element is None or self.ownership.withdrawn(element, peer):
            return ""
        if element.home != peer.identifier:
            return f"it isn't the home of {element}, which is {element.home:#010x}"
        self.unlisted(element, now)
        return ""

    def _transferred(self, peer: Peer, handle: bytes, entry: Description, now: float) -> str:
        """The home of an element says that another registrar is its home now."""
        element = self._handlespace.find(handle, entry.identifier)
        if entry.home == self._share.server_id:
            if element is None:
                return ""  # it has ended with us meanwhile
            if element.home == entry.home:
                self.ownership.objected(element, peer)  # the home before has yielded
                return ""
        if element is None or element.home != peer.identifier:
            return f"it speaks for an element of {entry.home:#010x}"
        if entry.home == self._share.server_id:
            self._handlespace.set_home(element, entry.home)
            self._adoption.expect(element, now)
            return ""
        if self._peers.find(entry.home) is None:
            return f"it gives an element to {entry.home:#010x}, which nobody knows"
        claim = self.ownership.yielded(element)
        home = entry.home
        if claim is not None and claim.peer == home:
            entry = claim.element  # its new home describes it better than its old one
        return self._take(peer, handle, entry, home, now)

    def _moved(self, peer: Peer, element: Element, entry: Description, now: float) -> str:
        """An element has another home now; if it was ours, all are told so."""
        ours = element.home == self._share.server_id
        self.ownership.yielded(element)
        if ours:
            self._membership.cede(element)
            self._adoption.forget(element)
        objection = self._take(peer, element.pool.handle, entry, peer.identifier, now)
        if objection:
            return objection
        if ours:
            self._audit("element.left", element, f"its home is {shown(peer)} now")
            self._share.announce(replica.update(self._share, element, replica.ADD_PE))
        return ""

    def _settle(self, element: Element, claim: Claim, now: float) -> bool:
        """Give the element to who claims it, if that registrar is there."""
        peer = self._peers.find(claim.peer)
        return peer is not None and not self._moved(peer, element, claim.element, now)

    def _take(
        self, peer: Peer, handle: bytes, entry: Description, home: int, now: float
    ) -> str:
        """Put it into our handlespace; what speaks against it, if anything."""
        if len(entry.blob) > self._share.settings.registration_bytes:
            return f"an element of {len(entry.blob)} octets"
        before = self._handlespace.find(handle, entry.identifier)
        if before is not None and before.home == self._share.server_id != home:
            self._membership.cede(before)
            self._adoption.forget(before)
        entry = distance.extended(entry, peer.channel)
        result = self._handlespace.replicate(handle, entry, home)
        if not isinstance(result, Element):
            return f"{type(result).__name__} for an element of {shown(peer)}"
        self._membership.changed(result, now)
        return ""

    def _admitted(self, element: Element, former: int) -> None:
        """An element has registered with us: tell all (section 3.3.1)."""
        if former and former != self._share.server_id:
            self.ownership.yielded(element)
            self.ownership.moved(element, former)
        self._adoption.came(element)

    def _gone(self, element: Element) -> None:
        """An element was taken out: nobody waits for it, and nobody claims it."""
        self.ownership.yielded(element)
        self._adoption.forget(element)

    def _confirmed(self, element: Element) -> None:
        """An element of ours has shown life: who claims it is told that it is ours."""
        claim = self.ownership.asserted(element)
        peer = None if claim is None else self._peers.find(claim.peer)
        if peer is not None and peer.channel is not None:
            self._audit("element.kept", element, f"{shown(peer)} claimed it, but it is here")
            receiver = peer.identifier
            message = replica.update(self._share, element, replica.ADD_PE, receiver=receiver)
            self._share.tell(peer.channel, message)

    def _to(self, peer: Peer) -> int:
        """The receiver of an update that says nothing but what it says."""
        return peer.identifier if self._share.settings.interop.update_receiver else 0

    def _audit(self, what: str, element: Element, outcome: str) -> None:
        self._share.emit(Audit(what, None, element.pool.handle, element.identifier, outcome))
