"""
Where other registrars are called, and when again.

A configured target is called until somebody answers there who is a peer, one that another
registrar has told of until that peer has been dead for some minutes.  Each pause doubles,
with jitter, so that a scope doesn't come back all in one moment.
"""

from collections.abc import Sequence

import attrs

from rserpool.registrar.effects import Close, Dial
from rserpool.registrar.events import Channel
from rserpool.registrar.share import Share

#: Seconds until a call that has failed is tried again; doubles up to the second.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_DOUBLINGS = 6
#: Calls that may fail, some ten minutes long, until a target is given up whose peer is dead
#: and which isn't configured.
FAILURES = 30
#: Seconds until a connection that was lost is dialled again by the side with the smaller
#: server ID, and by the other side: so both don't call at once each time.
SOON, LATER = 0.1, 1.0
#: Targets that others tell us of: a rogue registrar could have us call everybody.
MAXIMUM_TARGETS = 256
#: Targets at a time that are known by a presence alone, which anybody may have multicast.  Each
#: is called once, and forgotten if nobody proves there that he is a registrar.
MAXIMUM_OVERHEARD = 32


@attrs.define(eq=False)
class Target:
    """One of them."""

    text: str
    configured: bool
    failures: int = 0
    due: float | None = None
    calling: bool = False
    channel: Channel | None = None
    peer: int | None = None  # who was there last
    ours: bool = False  # we were there ourselves
    overheard: int = 0  # who is there, as somebody has said by multicast; nobody has proven it


class Targets:
    """All of them, by their text."""

    def __init__(self, share: Share, texts: Sequence[str]) -> None:
        self._share = share
        self._targets = {text: Target(text, configured=True) for text in texts}

    def __len__(self) -> int:
        return len(self._targets)

    def start(self, now: float) -> None:
        """Call all of them."""
        for target in self._targets.values():
            target.due = now
        self.due(now)

    def next(self) -> float | None:
        """When one of them must be called."""
        return min((t.due for t in self._targets.values() if t.due is not None), default=None)

    def due(self, now: float) -> None:
        """Call those whose time has come, unless their peer has called us since."""
        for target in list(self._targets.values()):
            if target.due is None or target.due > now:
                continue
            target.due = None
            if target.overheard and self._needless(target):
                continue
            if target.peer not in self._share.peers and not target.calling:
                target.calling = True
                self._share.emit(Dial(target.text))

    def reached(self, channel: Channel, now: float) -> None:
        """A call came about."""
        target = self._targets.get(channel.dialled or "")
        if target is not None:
            target.calling = False
            target.channel = channel
            # Who was only heard of must say soon who he is, or he would hold his place.
            soon = now + self._share.settings.max_time_no_response
            target.due = soon if target.overheard else None

    def answered(self, channel: Channel, peer: int) -> None:
        """`peer` is who is there."""
        target = self._targets.get(channel.dialled or "")
        if target is not None:
            target.peer = peer
            target.failures = 0
            self._trust(target)

    def ourselves(self, channel: Channel) -> None:
        """It is our own address: never call it again."""
        target = self._targets.get(channel.dialled or "")
        if target is not None:
            target.ours = True
            target.peer = None
            self._trust(target)

    def failed(self, text: str, now: float) -> None:
        """A call has failed."""
        target = self._targets.get(text)
        if target is not None and target.overheard:
            del self._targets[text]
        elif target is not None:
            target.calling = False
            if target.configured or target.peer is not None or target.failures < FAILURES:
                self._again(target, now)
            else:
                del self._targets[text]

    def closed(self, channel: Channel) -> None:
        """A connection that wasn't needed has ended."""
        for target in self._targets.values():
            if target.channel is channel:
                target.channel = None

    def lost(self, channel: Channel, peer: int | None, now: float) -> None:
        """A connection has ended; whoever of the two has the smaller ID calls first."""
        for target in list(self._targets.values()):
            if target.channel is not channel and (peer is None or target.peer != peer):
                continue
            if target.channel is channel:
                target.channel = None
            if target.overheard:
                del self._targets[target.text]
            elif peer is None:
                self._again(target, now)  # it never said who it is
            else:
                first = self._share.server_id < peer
                wait = (SOON if first else LATER) * (1.0 + self._share.random.random())
                self._set(target, now + wait)

    def learn(self, text: str, peer: int, now: float) -> None:
        """Another registrar, or the peer itself, says that it can be called there."""
        for target in self._targets.values():
            if target.peer == peer:
                return
            if target.text == text or target.text.endswith(f"={text}"):
                # It has called us before we have reached it.
                target.peer = peer
                self._trust(target)
                return
        if text not in self._targets and len(self._targets) < MAXIMUM_TARGETS:
            target = self._targets[text] = Target(text, configured=False, peer=peer)
            # Most of those that are new to us find us as well.
            self._set(target, now + LATER * self._share.random.random())

    def knows(self, text: str) -> bool:
        """Whether it is called there anyway."""
        return any(
            target.text == text or target.text.endswith(f"={text}")
            for target in self._targets.values()
        )

    def overheard(self, text: str, who: int, now: float) -> bool:
        """Somebody says by multicast that `who` is there; whether it will be called."""
        count = sum(bool(target.overheard) for target in self._targets.values())
        if count >= MAXIMUM_OVERHEARD or len(self._targets) >= MAXIMUM_TARGETS:
            return False
        target = self._targets[text] = Target(text, configured=False, overheard=who)
        # It hears us as well: seldom both call in the same moment.
        self._set(target, now + LATER * self._share.random.random())
        return True

    def forget(self, peer: int, now: float) -> None:
        """
        `peer` counts as dead: those of it that aren't configured are called on for a while.

        After a partition each side thinks so of the other, and they meet again only if one
        of them calls.
        """
        for target in self._targets.values():
            if target.peer == peer:
                target.peer = None
                if target.due is None and not target.calling and target.channel is None:
                    self._again(target, now)

    def waiting(self) -> bool:
        """Whether one that is configured may still answer: it hasn't failed, or not again."""
        return any(
            target.configured and not target.failures and not target.ours
            and target.peer not in self._share.peers
            for target in self._targets.values()
        )  # fmt: skip

    def _needless(self, target: Target) -> bool:
        """Give up who was only heard of: he has called us meanwhile, or is there and silent."""
        if target.channel is not None:
            self._share.emit(Close(target.channel, "it doesn't say who it is"))
        elif target.overheard not in self._share.peers:
            return False
        else:
            del self._targets[target.text]
        return True

    def _trust(self, target: Target) -> None:
        """He has proven that he is there, and is a target as any."""
        if target.overheard:
            target.overheard = 0
            target.due = None

    def _again(self, target: Target, now: float) -> None:
        pause = min(FIRST_PAUSE * 2.0 ** min(target.failures, _DOUBLINGS), LONGEST_PAUSE)
        target.failures += 1
        self._set(target, now + pause * (0.5 + self._share.random.random() / 2))

    def _set(self, target: Target, when: float) -> None:
        if not target.ours:
            target.due = when
