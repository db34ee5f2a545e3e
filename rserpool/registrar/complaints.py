"""
What is wrong with messages of registrars (RFC 5353 sections 2.10, 3.7): by us, and by them.

An error is never answered by one.
"""

from typing import Any

from rserpool.registrar.effects import Audit, Close
from rserpool.registrar.events import Channel
from rserpool.registrar.peers import Peers
from rserpool.registrar.share import Share
from rserpool.registrar.told import Change
from rserpool.security.decisions import Decision, Request
from rserpool.wire import enrp
from rserpool.wire.causes import Cause, InvalidValues, RejectedForSecurity
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import OperationError

#: Octets of an offending parameter that go back in an error.
MAXIMUM_QUOTE = 60_000


class Complaints:
    """What is wrong with messages, by connection: too much of it ends one."""

    def __init__(self, share: Share, peers: Peers) -> None:
        self._share = share
        self._peers = peers
        self._bad: dict[Channel, int] = {}

    def forget(self, channel: Channel) -> None:
        """A connection has ended."""
        self._bad.pop(channel, None)

    def malformed(self, channel: Channel, error: WireError) -> None:
        """A message can't be decoded."""
        self._share.counters.bad_messages += 1
        self._tell(channel, (InvalidValues(parameter=error.tlv[:MAXIMUM_QUOTE]),))
        self._blame(channel)

    def unrecognized(self, channel: Channel, causes: tuple[Cause, ...]) -> None:
        """It has something that nobody here knows, and that must be reported."""
        self._tell(channel, causes)
        self._blame(channel)

    def refused(
        self,
        channel: Channel,
        message: Any,
        request: Request,
        why: Decision | str,
        *,
        crossed: bool = False,
    ) -> None:
        """
        It may not be said: tell the peer the cause code, and the operator why.

        :param crossed: it may have crossed another message on its way, and couldn't know.
        """
        self._share.counters.peer_refusals += 1
        kind = request.permission.partition(".")[2]
        identifier = message.element.identifier if isinstance(message, Change) else None
        self._share.refused(f"{kind}.refused", channel, request, why, identifier)
        if not isinstance(message, enrp.Error):
            self._tell(channel, (RejectedForSecurity(),), message.sender)
        if not crossed:
            self._blame(channel)

    def heard(self, channel: Channel, message: enrp.Error, who: str) -> None:
        """Write down what a peer complains of."""
        self._share.counters.peer_errors += 1
        causes = ", ".join(type(cause).__name__ for cause in message.error.causes)
        self._share.emit(Audit("peer.error", channel.subject, outcome=f"{who}: {causes}"))

    def _tell(self, channel: Channel, causes: tuple[Cause, ...], receiver: int = 0) -> None:
        peer = self._peers.of(channel)
        message = enrp.Error(
            sender=self._share.server_id,
            receiver=receiver if peer is None else peer.identifier,
            error=OperationError(causes=causes),
        )
        self._share.tell(channel, message)

    def _blame(self, channel: Channel) -> None:
        """One more error was this channel's; too many end it."""
        count = self._bad.get(channel, 0) + 1
        self._bad[channel] = count
        if count == self._share.settings.bad_messages_per_channel:
            self._share.emit(Close(channel, f"{count} messages that were refused"))
