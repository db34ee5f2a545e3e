"""
Initialization (RFC 5353 section 3.2): find a mentor, take its peer list and its handlespace.

Note [Who begins]

A registrar that is told of others serves when it has one's handlespace, or when nobody is
there.  Registrars that start at the same time all refuse each other their lists ("in the
process of startup", 3.2.2.2); of those the one with the smallest server ID begins alone, and
the others take its handlespace.
"""

from collections.abc import Callable

from rserpool.registrar.download import Download, Downloads
from rserpool.registrar.effects import Audit, Serve
from rserpool.registrar.events import Channel
from rserpool.registrar.peers import Peers
from rserpool.registrar.share import Share
from rserpool.registrar.targets import Targets
from rserpool.wire import enrp

ALARM = "joining"
#: Seconds until mentors that have refused are asked again: "wait for a few seconds".
PAUSE = 1.0
#: Rounds in which nobody could be a mentor, after which we begin alone whatever our ID.
ROUNDS = 5


class Joining:
    """The way into the scope, until `joined`."""

    def __init__(
        self,
        share: Share,
        peers: Peers,
        targets: Targets,
        downloads: Downloads,
        learn: Callable[[enrp.ListResponse, float], None],
    ) -> None:
        self._share = share
        self._peers = peers
        self._targets = targets
        self._downloads = downloads
        self._learn = learn
        self._mentors: list[Channel] = []
        self._tried: set[Channel] = set()
        self._mentor: Channel | None = None
        self._until: float | None = None
        self._rounds = 0
        self._listening: float | None = None  # until then others may be heard of
        self.joined = False

    def start(self, now: float) -> None:
        """Begin; without others to look for, or to hear of, at once with the service."""
        if self._share.settings.hears:
            self._listening = now + self._share.settings.max_time_no_response
            self._share.alarms.at(ALARM, self._listening, now)
        elif not len(self._targets):
            self._serve("alone: no other registrar is configured", "scope.alone")

    def connected(self, channel: Channel, now: float) -> None:
        """There is a registrar that could be our mentor."""
        if not self.joined and channel not in self._mentors:
            self._mentors.append(channel)
            if self._mentor is None:
                self._next(now)

    def unreachable(self, now: float) -> None:
        """A call has failed: perhaps nobody is there."""
        if not self.joined and not self._mentors and not self._waiting(now):
            self._serve("alone: no other registrar can be reached", "scope.alone")

    def lost(self, channel: Channel, now: float) -> None:
        """A possible mentor has gone."""
        if self.joined or channel not in self._mentors:
            return
        self._mentors.remove(channel)
        self._tried.discard(channel)
        if channel is self._mentor:
            self._next(now)
        self.unreachable(now)

    def listed(self, channel: Channel, message: enrp.ListResponse, now: float) -> None:
        """ENRP_LIST_RESPONSE: the mentor's peers, or a refusal (3.2.2.2)."""
        if self.joined or channel is not self._mentor:
            return
        if message.rejected:
            self._next(now)
            return
        self._learn(message, now)
        self._until = None
        self._downloads.start(channel, message.sender, own_only=False, now=now)

    def ended(self, download: Download, why: str, now: float) -> None:
        """The download of the handlespace has ended."""
        if self.joined or download.channel is not self._mentor:
            return
        if why:
            self._next(now)
        else:
            mentor = self._peers.of(download.channel)
            if mentor is not None:
                mentor.doubtful = False
            words = f"{download.elements} elements from {download.channel.subject.address}"
            self._serve(words, "scope.joined")

    def rang(self, now: float) -> None:
        """The timer rang: no answer, or a pause is over."""
        if self.joined:
            return
        if self._until is None:
            self.unreachable(now)
        elif self._until <= now:
            self._next(now)
        self._share.alarms.at(ALARM, self._until, now)
        if self._waiting(now):
            self._share.alarms.at(ALARM, self._listening, now)

    def _next(self, now: float) -> None:
        """Ask the next mentor; when all have been asked, wait or begin alone."""
        self._until = None
        self._mentor = next((m for m in self._mentors if m not in self._tried), None)
        if self._mentor is not None:
            self._tried.add(self._mentor)
            peer = self._peers.of(self._mentor)
            request = enrp.ListRequest(
                sender=self._share.server_id, receiver=0 if peer is None else peer.identifier
            )
            self._share.tell(self._mentor, request)
            self._wait(self._share.settings.max_time_no_response, now)
        elif self._mentors:
            self._rounds += 1
            # One that hasn't answered yet may have what we all have lost.
            first = self._first() and not self._waiting(now)
            if first or self._rounds >= ROUNDS:
                self._serve("alone: all others are starting, too", "scope.alone")
            else:
                self._tried.clear()
                self._wait(PAUSE, now)
        elif not self._waiting(now):
            self._serve("alone: no other registrar can be reached", "scope.alone")

    def _waiting(self, now: float) -> bool:
        """Whether somebody may come still of whom we know nothing yet."""
        if self._listening is not None and self._listening <= now:
            self._listening = None
        return self._listening is not None or self._targets.waiting()

    def _first(self) -> bool:
        """Whether ours is the smallest ID of all that are connected, and all are known."""
        known = [self._peers.of(mentor) for mentor in self._mentors]
        return all(p is not None and self._share.server_id < p.identifier for p in known)

    def _wait(self, seconds: float, now: float) -> None:
        self._until = now + seconds
        self._share.alarms.at(ALARM, self._until, now)

    def _serve(self, words: str, what: str) -> None:
        self.joined = True
        self._mentor = self._until = None
        self._mentors.clear()
        self._tried.clear()
        self._share.emit(Audit(what, None, outcome=words))
        self._share.emit(Serve())
        # Their answers have their checksums: what we missed meanwhile shows at once.
        for channel in list(self._share.peers.values()):
            self._peers.present(channel, ask=True)
