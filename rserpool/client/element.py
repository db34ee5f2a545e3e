"""
A pool element's side of ASAP (RFC 5352 sections 3.1, 3.2 and 3.4), pure.

It registers whenever it has a home registrar, again before its life ends, and answers
keep-alives.
"""

import attrs

from rserpool.client.effects import CancelTimer, Effect, Hunt, Send, SetTimer, Tell
from rserpool.client.events import Notice, What
from rserpool.wire import asap, causes
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import OperationError, PoolElement, UserTransport
from rserpool.wire.policies import Policy

#: T2-registration, T3-deregistration (section 7.1), in seconds.
T2 = "T2-registration"
T3 = "T3-deregistration"
T4 = "T4-reregistration"
RETRY = "registration retry"
T2_SECONDS = 30.0
T3_SECONDS = 30.0
#: T4 is "10 minutes or 20 seconds less than the Lifetime"; of lives too short for that it
#: is two thirds.
T4_SECONDS = 600.0
#: RETRAN-MAX: the longest pause between two attempts after a rejection.
RETRAN_MAX = 60.0
#: Keep-alives answered in a row, and again each second: what exceeds this is a flood from
#: the registrar's side, and isn't answered (RFC 5355 section 2.14).
KEEP_ALIVES = 20
#: Rejections that may pass without anybody correcting anything here.
_TRANSIENT = (causes.LackOfResources, causes.RejectedForSecurity, causes.Unspecified)


@attrs.frozen(kw_only=True)
class Membership:
    """What a pool element registers as."""

    handle: bytes
    identifier: int
    life: int  # seconds; -1 is for ever
    transport: UserTransport
    policy: Policy


class Element:
    """
    One pool element.

    Events come in as method calls with the time, effects go out as a list.
    """

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.registered = False
        self.home: int = 0
        self._linked = False
        self._wanted = False
        self._withdrawing = False
        self._rejections = 0
        self._budget = float(KEEP_ALIVES)
        self._counted = 0.0

    def join(self) -> list[Effect]:
        """The application wants to be in the pool."""
        self._wanted = True
        self._withdrawing = False
        return self._register() if self._linked else []

    def update(self, membership: Membership) -> list[Effect]:
        """Register again with other attributes: a fresh load, for instance."""
        self.membership = membership
        return self._register() if self._linked and self._wanted else []

    def withdraw(self) -> list[Effect]:
        """The application wants to leave the pool."""
        self._wanted = False
        effects: list[Effect] = [CancelTimer(T4), CancelTimer(T2), CancelTimer(RETRY)]
        if not self._linked or not (self.registered or self._rejections == 0):
            return [*effects, Tell(Notice(What.WITHDRAWN, "it was not registered"))]
        self._withdrawing = True
        message = asap.Deregistration(
            handle=self.membership.handle, identifier=self.membership.identifier
        )
        return [*effects, Send(asap.encode(message)), SetTimer(T3, T3_SECONDS)]

    def linked(self) -> list[Effect]:
        """There is a home registrar."""
        self._linked = True
        self.home = 0
        if self._withdrawing:
            return self.withdraw()
        return self._register() if self._wanted else []

    def unlinked(self) -> list[Effect]:
        """The home registrar was lost; the hunt for another is on."""
        self._linked = False
        self.registered = False
        return [CancelTimer(T2), CancelTimer(T3), CancelTimer(T4), CancelTimer(RETRY)]

    def rang(self, name: str) -> list[Effect]:
        """A timer has rung."""
        if name in (T4, RETRY):
            return self._register() if self._linked and self._wanted else []
        if name == T2:
            return [Hunt("it doesn't answer a registration")]
        if name == T3:
            return [Hunt("it doesn't answer a de-registration")]
        return []

    def arrived(self, data: bytes, now: float) -> list[Effect]:
        """A message has come from the home registrar."""
        try:
            decoded = asap.decode(data)
        except WireError as error:
            return [Hunt(f"it sends nonsense: {error}")]
        message = decoded.message
        effects: list[Effect] = []
        if isinstance(message, asap.RegistrationResponse) and self._mine(message):
            effects = self._answered(message)
        elif isinstance(message, asap.DeregistrationResponse) and self._mine(message):
            effects = self._removed(message)
        elif isinstance(message, asap.EndpointKeepAlive):
            effects = self._asked(message, now)
        if decoded.report and not isinstance(message, asap.Error):
            told = asap.Error(error=OperationError(causes=decoded.report))
            effects.append(Send(asap.encode(told)))
        return effects

    def _register(self) -> list[Effect]:
        member = self.membership
        element = PoolElement(
            identifier=member.identifier,
            home=self.home,
            life=member.life,
            user_transport=member.transport,
            policy=member.policy,
        )
        message = asap.Registration(handle=member.handle, element=element)
        return [
            CancelTimer(T4),
            CancelTimer(RETRY),
            Send(asap.encode(message)),
            SetTimer(T2, T2_SECONDS),
        ]

    def _mine(self, message: asap.RegistrationResponse | asap.DeregistrationResponse) -> bool:
        member = self.membership
        return message.handle == member.handle and message.identifier == member.identifier

    def _answered(self, message: asap.RegistrationResponse) -> list[Effect]:
        effects: list[Effect] = [CancelTimer(T2)]
        if message.rejected:
            return effects + self._rejected(message.error)
        if not self._wanted:
            return effects
        what = What.RENEWED if self.registered else What.REGISTERED
        self.registered = True
        self._rejections = 0
        return [*effects, SetTimer(T4, self._renewal()), Tell(Notice(what))]

    def _rejected(self, error: OperationError | None) -> list[Effect]:
        """Try again where time may help; else only after a correction (section 3.1)."""
        self.registered = False
        found = error.causes if error is not None else (causes.Unspecified(),)
        words = ", ".join(in_words(cause) for cause in found)
        if any(not isinstance(cause, _TRANSIENT) for cause in found):
            self._wanted = False
            return [Tell(Notice(What.REFUSED, words))]
        pause = min(5.0 * 2**self._rejections, RETRAN_MAX)
        self._rejections += 1
        return [SetTimer(RETRY, pause), Tell(Notice(What.REJECTED, words))]

    def _removed(self, message: asap.DeregistrationResponse) -> list[Effect]:
        if self._withdrawing:
            self._withdrawing = self.registered = False
            words = "" if message.error is None else in_words(message.error.causes[0])
            return [CancelTimer(T3), Tell(Notice(What.WITHDRAWN, words))]
        if not self._wanted:
            return []
        self.registered = False
        return [Tell(Notice(What.EXPIRED)), *self._register()]

    def _asked(self, message: asap.EndpointKeepAlive, now: float) -> list[Effect]:
        """Answer a keep-alive for us (KA1 to KA2.4)."""
        if message.handle != self.membership.handle:
            return []
        self._budget = min(KEEP_ALIVES, self._budget + (now - self._counted) * KEEP_ALIVES)
        self._counted = now
        if self._budget < 1:
            return []
        self._budget -= 1
        effects: list[Effect] = []
        if message.new_home and message.server != self.home and self.home:
            effects.append(Tell(Notice(What.ADOPTED, f"{message.server:#010x} is home now")))
        if message.new_home or not self.home:
            self.home = message.server
        ack = asap.EndpointKeepAliveAck(
            handle=self.membership.handle, identifier=self.membership.identifier
        )
        return [*effects, Send(asap.encode(ack))]

    def _renewal(self) -> float:
        life = self.membership.life
        if life < 0:
            return T4_SECONDS
        return min(T4_SECONDS, life - 20.0 if life > 60 else life * 2 / 3)


_WORDS: dict[type, str] = {
    causes.Unspecified: "it gives no reason",
    causes.InvalidValues: "it calls a value of the registration invalid",
    causes.NonUniquePEIdentifier: "the PE identifier belongs to another element",
    causes.InconsistentPolicy: "the pool has another policy",
    causes.LackOfResources: "the registrar lacks resources",
    causes.InconsistentTransport: "the pool has another transport",
    causes.InconsistentDataControl: "the pool uses its transport otherwise",
    causes.UnknownPoolHandle: "there is no such pool",
    causes.RejectedForSecurity: "rejected due to security considerations",
}


def in_words(cause: causes.Cause) -> str:
    """An error cause for people."""
    words = _WORDS.get(type(cause), "it gives a reason that nobody here knows")
    if isinstance(cause, causes.InconsistentPolicy) and cause.policy is not None:
        words += f": {type(cause.policy).__name__}"
    if isinstance(cause, causes.InconsistentTransport) and cause.transport is not None:
        words += f": {type(cause.transport).__name__}"
    return f"{words} (cause {causes.cause_code(cause):#x})"
