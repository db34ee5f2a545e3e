"""What the registrar wants done: values, which the driver alone performs."""

import attrs

from rserpool.registrar.events import Channel
from rserpool.security.decisions import Subject
from rserpool.wire.asap import ServerAnnounce
from rserpool.wire.enrp import Presence
from rserpool.wire.parameters import UserTransport


@attrs.frozen
class Send:
    """One or more whole messages, padded and joined, for one channel."""

    channel: Channel
    data: bytes


@attrs.frozen
class Close:
    """A channel must be closed; the reason is for the log."""

    channel: Channel
    reason: str


@attrs.frozen
class Rest:
    """The peer of a channel is over a limit: serve nothing more of it for a while."""

    channel: Channel


@attrs.frozen
class SetTimer:
    """Ring `name` in so many seconds; an earlier setting of the same name is void."""

    name: str
    seconds: float


@attrs.frozen
class CancelTimer:
    """The timer of this name must not ring."""

    name: str


@attrs.frozen
class Announce:
    """
    One message for everybody who listens to its group (RFC 5352 section 3.6).

    A transport in it that has no addresses has those that the group is sent to from.
    """

    message: ServerAnnounce | Presence


@attrs.frozen
class Audit:
    """
    Something that an operator must be able to read afterwards.

    `what` is a short dotted name (``registration.refused``), `action` the permission that was
    asked for, `outcome` tells why, `rule` by whose rule, `principal` whose element it is, where
    it has no connection and so no `subject`.  Never holds a secret.
    """

    what: str
    subject: Subject | None
    pool: bytes | None = None
    identifier: int | None = None  # the pool element's
    outcome: str = ""
    action: str = ""
    rule: str = ""
    principal: str = ""


@attrs.frozen
class Dial:
    """
    Call another registrar, once: `connected` or `unreachable` must follow.

    :ivar target: as it is configured, ``[NAME=]ENDPOINT``, or ``tcp:ADDRESS:PORT`` as
        another registrar has told it.
    """

    target: str


@attrs.frozen
class Reach:
    """
    Call a pool element at its ASAP Transport, once, and send it these messages.

    What comes back by that connection arrives by a channel whose `reaches` is `element`;
    when it can't be called nothing follows.  Only where the database is insecure: an
    element could prove nothing to us there.

    :ivar element: its handle and identifier.
    """

    element: tuple[bytes, int]
    transport: UserTransport
    data: bytes


@attrs.frozen
class Serve:
    """Pool elements and users may come in: the handlespace is complete (RFC 5353 3.2.3)."""


Effect = Send | Close | Rest | SetTimer | CancelTimer | Announce | Audit | Dial | Reach | Serve
