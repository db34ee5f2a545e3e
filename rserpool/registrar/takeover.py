"""
Taking over a dead registrar (RFC 5353 section 3.5).

Note [Who may be taken over]

Section 3.5.1 has everybody agree to a takeover who isn't the target and wants none of its own.
But a registrar that only the initiator can't hear is alive: both would own its elements.  So
a target that is connected with us and not silent is asked for a sign of life first; we agree
only when there is none.  And a takeover that is announced for a registrar that we hear is
refused (RFC 5355 section 2.5).  The initiator, for its part, doesn't go on without those that
are alive and don't agree: they hear the target.
"""

import attrs

from rserpool.registrar.adoption import Adoption
from rserpool.registrar.effects import Audit
from rserpool.registrar.peers import Peer, Peers, State, shown
from rserpool.registrar.share import Share
from rserpool.wire import enrp

ALARM = "takeover"
#: Times that connected peers are asked each MAX-TIME-NO-RESPONSE; then more seldom.
ROUNDS = 3
#: Times MAX-TIME-NO-RESPONSE until those that don't agree are asked again, and until a target
#: that somebody else takes over is watched again: the initiator may die, too.
PATIENCE = 6


@attrs.define(eq=False)
class Attempt:
    """Our own arbitration: who has yet to agree, and until when we wait."""

    waiting: set[int]
    until: float
    rounds: int = 0


class Takeover:
    """The arbitration, from all sides."""

    def __init__(self, share: Share, peers: Peers, adoption: Adoption) -> None:
        self._share = share
        self._peers = peers
        self._adoption = adoption
        self._attempts: dict[int, Attempt] = {}
        #: who waits for our agreement until a target has been asked
        self._waiting: dict[int, set[int]] = {}

    def died(self, peer: Peer, now: float) -> None:
        """`peer` is dead: agree to who wanted it, or take it over ourselves."""
        initiators = self._waiting.pop(peer.identifier, None)
        if initiators:
            self._inactive(peer, now)
            for identifier in initiators:
                self._agree(identifier, peer.identifier)
            return
        if peer.identifier not in self._attempts:
            self._begin(peer, now)

    def alive(self, peer: Peer) -> None:
        """The target has been heard: no takeover (section 3.5.1)."""
        if self._attempts.pop(peer.identifier, None) is not None:
            self._audit("takeover.aborted", peer, "it is alive")
        if self._waiting.pop(peer.identifier, None):
            self._audit("takeover.refused", peer, "it is alive")

    def initiated(self, sender: Peer, target: int, now: float) -> str:
        """ENRP_INIT_TAKEOVER: agree, object, or go on with our own."""
        mine = self._share.server_id
        if target == mine:
            self._audit("takeover.refused", sender, "it wants to take us over; we are alive")
            self._peers.present_to_all()
            return ""
        if target == sender.identifier:
            return "it wants to take over itself"
        peer = self._peers.find(target)
        if target in self._attempts:
            first = mine > sender.identifier
            if first is not self._share.settings.lower_id_wins:
                return ""  # "Otherwise, the peer MUST ignore the message"
            del self._attempts[target]
            self._audit("takeover.aborted", sender, f"it takes over {target:#010x} instead")
        elif peer is not None and peer.channel and peer.state is not State.INACTIVE:
            self._waiting.setdefault(target, set()).add(sender.identifier)
            self._peers.silent_for(peer, now)
            return ""
        if peer is not None:
            self._inactive(peer, now)
        self._agree(sender.identifier, target)
        return ""

    def agreed(self, sender: Peer, target: int, now: float) -> None:
        """ENRP_INIT_TAKEOVER_ACK: it doesn't object."""
        attempt = self._attempts.get(target)
        if attempt is not None:
            attempt.waiting.discard(sender.identifier)
            if not attempt.waiting:
                self._won(target, now)

    def enforced(self, sender: Peer, target: int, now: float) -> str:
        """ENRP_TAKEOVER_SERVER: the target's elements are the sender's (section 3.5.2)."""
        if target == self._share.server_id:
            self._peers.present_to_all()
            return "it has taken us over, but we are alive"
        if target == sender.identifier:
            return "it has taken over itself"
        if self._peers.alive(target):
            return f"it has taken over {target:#010x}, which is alive"
        self._attempts.pop(target, None)
        self._waiting.pop(target, None)
        self._audit("takeover.enforced", sender, f"it has taken over {target:#010x}")
        self._peers.remove(target, now)
        self._adoption.take(target, sender.identifier, now)
        return ""

    def lost(self, peer: Peer, now: float) -> None:
        """A peer isn't connected any more: its agreement isn't waited for."""
        for target in list(self._attempts):
            self.agreed(peer, target, now)
        for initiators in self._waiting.values():
            initiators.discard(peer.identifier)

    def rang(self, now: float) -> None:
        """Ask again those who haven't answered, or go on without them."""
        for target, attempt in list(self._attempts.items()):
            if attempt.until > now:
                continue
            attempt.rounds += 1
            attempt.waiting = {each for each in attempt.waiting if self._peers.alive(each)}
            if not attempt.waiting:
                self._won(target, now)
                continue
            pause = 1 if attempt.rounds < ROUNDS else PATIENCE
            attempt.until = now + pause * self._share.settings.max_time_no_response
            for identifier in sorted(attempt.waiting):
                self._initiate(identifier, target)
        self._alarm(now)

    def _begin(self, peer: Peer, now: float) -> None:
        target = peer.identifier
        waiting = set(self._share.peers) - {target}
        until = now + self._share.settings.max_time_no_response
        self._attempts[target] = Attempt(waiting, until)
        self._share.counters.takeovers_started += 1
        self._audit("takeover.started", peer, f"{len(waiting)} others have to agree")
        for identifier in sorted(self._share.peers):
            self._initiate(identifier, target)
        if waiting:
            self._alarm(now)
        else:
            self._won(target, now)

    def _won(self, target: int, now: float) -> None:
        del self._attempts[target]
        peer = self._peers.find(target)
        if peer is None:
            return
        self._share.counters.takeovers_won += 1
        for identifier in sorted(set(self._share.peers) - {target}):
            message = enrp.TakeoverServer(sender=self._share.server_id, target=target)
            self._share.tell(self._share.peers[identifier], message)
        self._audit("takeover.won", peer, "its elements are ours")
        self._peers.remove(target, now)
        self._adoption.take(target, self._share.server_id, now)

    def _initiate(self, receiver: int, target: int) -> None:
        message = enrp.InitTakeover(
            sender=self._share.server_id, receiver=receiver, target=target
        )
        self._share.tell(self._share.peers[receiver], message)

    def _agree(self, receiver: int, target: int) -> None:
        channel = self._share.peers.get(receiver)
        if channel is not None:
            message = enrp.InitTakeoverAck(
                sender=self._share.server_id, receiver=receiver, target=target
            )
            self._share.tell(channel, message)

    def _inactive(self, peer: Peer, now: float) -> None:
        """Don't watch it while somebody else takes it over, unless that takes too long."""
        peer.state = State.INACTIVE
        peer.asked = now + PATIENCE * self._share.settings.max_time_no_response
        self._peers.alarm(now)

    def _alarm(self, now: float) -> None:
        for attempt in self._attempts.values():
            self._share.alarms.at(ALARM, attempt.until, now)

    def _audit(self, what: str, peer: Peer, outcome: str) -> None:
        subject = None if peer.channel is None else peer.channel.subject
        self._share.emit(Audit(what, subject, outcome=f"{shown(peer)}: {outcome}"))
