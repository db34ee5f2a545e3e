"""
What a registrar tells others of what it knows: peer list and handle table (RFC 5353 3.2).

A table goes out in parts, each when the one before has been asked for: the reader sets the
pace, and nobody else waits for long.  A session holds the elements that there were when it
began; one that changes meanwhile is told by its update, one that is gone is left out.

Note [Who speaks first]

A registrar of rsplib that comes back, or to which ours comes back, may have taken over elements
that ours still has; and it believes ours if it is told so, see Note [Two lists] in `ownership`.
So with the ways of rsplib the first request for our own elements, by a connection with somebody
whose own ones we don't know, is rejected: we ask for theirs meanwhile.  It asks again at our
next presence.  The second one is answered anyway: two of ours don't wait for each other.
"""

from collections.abc import Callable

import attrs

from rserpool.handlespace.element import Element
from rserpool.registrar.events import Channel
from rserpool.registrar.peers import Peers
from rserpool.registrar.replica import described
from rserpool.registrar.share import Share
from rserpool.wire import enrp
from rserpool.wire.parameters import ServerInformation

ALARM = "tables"
#: Elements in one part: it takes a millisecond to make and a few to read.
AT_ONCE = 300
#: Sessions at a time: each holds a list of all elements, and a rogue registrar could begin
#: any number by as many connections.
MAXIMUM_SESSIONS = 16

_HEADER_LENGTH = 12


@attrs.define(eq=False)
class Session:
    """One download: what is still to be sent, last first, and until when it waits."""

    own_only: bool
    left: list[Element]
    until: float


class Tables:
    """
    Answers list and table requests.

    :param ready: whether the handlespace is complete: one that isn't is given to nobody.
    """

    def __init__(self, share: Share, peers: Peers, ready: Callable[[], bool]) -> None:
        self._share = share
        self._peers = peers
        self._ready = ready
        self._sessions: dict[Channel, Session] = {}
        #: connections whose first request was put off
        self._put_off: set[Channel] = set()

    def list_asked(self, channel: Channel, message: enrp.ListRequest, now: float) -> None:
        """Tell which registrars there are (section 3.2.2.2)."""
        servers: tuple[ServerInformation, ...] = ()
        if self._ready():
            servers = tuple(
                peer.server
                for peer in self._peers
                if peer.server is not None and peer.identifier != message.sender
            )
        response = enrp.ListResponse(
            rejected=not self._ready(),
            sender=self._share.server_id,
            receiver=message.sender,
            servers=servers,
        )
        self._share.tell(channel, response)

    def asked(self, channel: Channel, message: enrp.HandleTableRequest, now: float) -> None:
        """Send the next part of the handlespace, or of our own elements (section 3.2.3)."""
        if self._hears_first(channel, message):
            self._reject(channel, message)
            return
        session = self._sessions.get(channel)
        if session is None or session.own_only != message.own_only:
            full = session is None and len(self._sessions) >= MAXIMUM_SESSIONS
            # Until we have joined, we don't know what we own either: what we owned before we
            # were started again comes from a mentor.
            if full or not self._ready():
                self._reject(channel, message)
                return
            session = Session(message.own_only, self._elements(message.own_only), now)
            self._sessions[channel] = session
        body, last = self._part(session)
        more = bool(session.left)
        if more:
            session.until = now + self._share.settings.max_time_no_response
            self._share.alarms.at(ALARM, session.until, now)
        else:
            del self._sessions[channel]
        flags = 0x02 if more else 0
        length = _HEADER_LENGTH + len(body) - (-last & 3)
        header = b"".join((
            bytes((0x03, flags)),
            length.to_bytes(2, "big"),
            self._share.server_id.to_bytes(4, "big"),
            message.sender.to_bytes(4, "big"),
        ))  # fmt: skip
        self._share.tell(channel, header + body)

    def _hears_first(self, channel: Channel, message: enrp.HandleTableRequest) -> bool:
        """Whether this request is put off, see Note [Who speaks first]."""
        peer = self._peers.of(channel)
        if peer is None or peer.agreed or channel in self._put_off:
            return False
        if not message.own_only or not self._share.settings.interop.believed:
            return False
        self._put_off.add(channel)
        return True

    def lost(self, channel: Channel) -> None:
        """A connection has ended, and its download with it."""
        self._put_off.discard(channel)
        self._sessions.pop(channel, None)

    def rang(self, now: float) -> None:
        """Forget the sessions whose reader asks no more."""
        for channel, session in list(self._sessions.items()):
            if session.until <= now:
                del self._sessions[channel]
            else:
                self._share.alarms.at(ALARM, session.until, now)

    def _elements(self, own_only: bool) -> list[Element]:
        handlespace = self._share.handlespace
        if own_only:
            found = handlespace.of_home(self._share.server_id)
        else:
            found = [e for pool in handlespace.pools.values() for e in pool.elements.values()]
        found.reverse()
        return found

    def _part(self, session: Session) -> tuple[bytes, int]:
        """Take the next elements; their octets, and the unpadded length of the last one."""
        left, mine = session.left, self._share.server_id
        most = self._share.settings.interop.table_bytes
        tlvs: list[bytes] = []
        size, pool, last = _HEADER_LENGTH, None, 0
        for _ in range(min(AT_ONCE, len(left))):
            element = left[-1]
            if element.pool.elements.get(element.identifier) is not element or (
                session.own_only and element.home != mine
            ):
                left.pop()
                continue
            parameter = described(element, self._share.settings.interop)
            handle = b"" if element.pool is pool else element.pool.handle_tlv
            size += len(handle) + len(parameter)
            if size > most and tlvs:
                break
            left.pop()
            tlvs += (handle, parameter)
            pool = element.pool
            last = parameter[2] << 8 | parameter[3]
        return b"".join(tlvs), last

    def _reject(self, channel: Channel, message: enrp.HandleTableRequest) -> None:
        self._share.tell(
            channel,
            enrp.HandleTableResponse(
                rejected=True, sender=self._share.server_id, receiver=message.sender
            ),
        )
