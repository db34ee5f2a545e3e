"""
A pool element's side of ASAP (RFC 5352 sections 3.1, 3.2 and 3.4), pure.

It registers whenever it has a home registrar, again before its life ends, and answers
keep-alives.

Note [What is tried again]

"The PE MUST NOT re-attempt registration without correcting the error condition": a policy
or transport that isn't the pool's is refused for good, and the application must act.  Other
rejections end by themselves (a registrar that is full, a budget that refills, rules that an
operator mends): those are tried again after a pause that doubles up to RETRAN-MAX.  When
more than MAX-REG-ATTEMPT attempts in a row came to nothing, the application is told so
once.  RFC 5352 would have it stop there; it goes on at the pace of RETRAN-MAX, because
nobody would start it again.

Note [Who is home]

The home registrar is whoever the hunt has found; its server ID is another matter, and no
answer to a registration tells it.  It is learnt from the first keep-alive by each new
connection, and from one with the H flag, by which a registrar that took over our home's
elements says that it is home now (RFC 5352 section 3.4, KA2.4; RFC 5353 section 3.5.2).
Registrations carry it, or 0 until then, never that of the home before.

Note [A home that floods us]

What exceeds a budget (:mod:`rserpool.client.floods`) isn't answered, and its sender is left for
another registrar.  Where there is no other, the hunt comes back to it, half a second later at
first, so that the registration outlives one flood; the pauses double while it floods on.
"""

import attrs

from rserpool.client.causes import all_in_words, complained, in_words, reported
from rserpool.client.dialect import RFC, Dialect
from rserpool.client.effects import CancelTimer, Effect, Hunt, Send, SetTimer, Tell
from rserpool.client.events import Notice, What
from rserpool.client.floods import Floods
from rserpool.client.statement import Signs, signed
from rserpool.wire import asap, causes
from rserpool.wire.errors import EncodeError, WireError
from rserpool.wire.parameters import OperationError, PoolElement, UserTransport
from rserpool.wire.policies import Policy

__all__ = ["Element", "Membership", "in_words"]

#: T2-registration, T3-deregistration (section 7.1), in seconds.
T2 = "T2-registration"
T3 = "T3-deregistration"
T4 = "T4-reregistration"
RETRY = "registration retry"
T2_SECONDS = 30.0
T3_SECONDS = 30.0
#: T4 is "10 minutes or 20 seconds less than the Lifetime".
T4_SECONDS = 600.0
T4_MARGIN = 20.0
#: Of lives up to a minute, 20 seconds less leaves little or nothing: a life of 30 s would be
#: renewed each 10 s, one of 15 s never.  They are renewed when two thirds have passed, so
#: that a lost answer still leaves time for another; at 60 s both rules give 40 s.
SHORT_LIFE, SHORT_SHARE = 60, 2 / 3
#: Attempts to register that may fail in a row before the application is told (section 7.3).
MAX_REG_ATTEMPT = 2
#: The first pause after a rejection, and RETRAN-MAX: the longest (section 7.3).
PAUSE = 5.0
RETRAN_MAX = 60.0
#: The pause before registering again when the registrar says that we are no longer: without
#: it, one that grants and ends registrations would be answered in a loop.
EXPIRED_PAUSE = 1.0
#: What is sent for each request, and no more of it.
_ANSWERS = (asap.RegistrationResponse, asap.DeregistrationResponse)
#: Rejections that may pass without anybody correcting anything here: see Note [What is
#: tried again].  A registrar refuses with "security" what exceeds a rate, too.
_TRANSIENT = (causes.LackOfResources, causes.RejectedForSecurity, causes.Unspecified)


def lasting(error: OperationError | None) -> bool:
    """Whether what a registrar objects to won't pass: see Note [What is tried again]."""
    found = () if error is None else error.causes
    return any(not isinstance(cause, _TRANSIENT) for cause in found)


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

    Events come in as method calls, with the time where it matters; effects go out as a
    list.

    :param signer: signs each registration (RFC 5355 section 2.17).
    :raise EncodeError: the membership can't be written as a message, or not be borne.
    """

    def __init__(
        self, membership: Membership, dialect: Dialect = RFC, signer: Signs | None = None
    ) -> None:
        self.membership = membership
        self._dialect = dialect
        self._signer = signer
        self.registered = False
        self.home: int = 0  # the home registrar's server ID, once it has told
        self._linked = False
        self._wanted = False
        self._withdrawing = False
        self._held = False  # a registrar may have us in its handlespace
        self._leaving = 0  # de-registrations sent on this link and not answered
        self._failures = 0
        self._owed = 0  # answers to requests sent on this link
        self.floods = Floods()
        self._registration()

    @property
    def wanted(self) -> bool:
        """Whether the application wants it in the pool."""
        return self._wanted

    @property
    def busy(self) -> bool:
        """Whether a request was sent on this link and isn't answered yet."""
        return self._owed > 0

    def sign(self, signer: Signs) -> None:
        """
        Sign by this from now on; the next registration tells it.

        :raise EncodeError: with its signature the membership can't be written.
        """
        former, self._signer = self._signer, signer
        try:
            self._registration()
        except EncodeError:
            self._signer = former
            raise

    def join(self) -> list[Effect]:
        """The application wants to be in the pool."""
        self._wanted = True
        self._withdrawing = False
        return [CancelTimer(T3), *self._register()] if self._linked else []

    def update(self, membership: Membership, *, tell: bool = True) -> list[Effect]:
        """
        Have other attributes: a fresh load, for instance.

        :param tell: register again at once; else the next renewal says it.
        """
        self.membership = membership
        self._registration()
        return self._register() if tell and self._linked and self._wanted else []

    def withdraw(self) -> list[Effect]:
        """The application wants to leave the pool."""
        self._wanted = False
        effects: list[Effect] = [CancelTimer(T4), CancelTimer(T2), CancelTimer(RETRY)]
        if not self._held:
            return [*effects, Tell(Notice(What.WITHDRAWN, "it was not registered"))]
        self._withdrawing = True
        return effects + (self._deregister() if self._linked else [])

    def linked(self, now: float, home: int = 0) -> list[Effect]:
        """
        There is a home registrar.

        :param home: its server ID, if it has told.
        """
        self._linked = True
        self.home = home
        if self._withdrawing:
            return self._deregister()
        return self._register() if self._wanted else []

    def unlinked(self) -> list[Effect]:
        """The home registrar was lost; the hunt for another is on."""
        self._linked = self.registered = False
        self._leaving = self._owed = 0
        return [CancelTimer(T2), CancelTimer(T3), CancelTimer(T4), CancelTimer(RETRY)]

    def moved(self) -> list[Effect]:
        """
        There is a second connection with the home: register by that one.

        Its server ID is learnt anew: by one name several registrars may answer.
        """
        self.home = 0
        return self._register() if self._wanted else []

    def stayed(self, *, unsure: bool) -> list[Effect]:
        """
        It came to nothing: what was sent by the second connection has no answer any more.

        :param unsure: the registrar may have granted it, and hold us by that connection.
        """
        self._leaving = self._owed = 0
        if self._withdrawing:
            return [CancelTimer(T2), *self._deregister()]
        if not self._wanted:
            return [CancelTimer(T2)]
        if unsure:
            return self._register()
        return [CancelTimer(T2), SetTimer(T4, self._renewal())]

    def rang(self, name: str) -> list[Effect]:
        """A timer has rung."""
        if name in (T4, RETRY):
            return self._register() if self._linked and self._wanted else []
        if name == T2:
            self._failures += 1
            return [*self._failed_often(), Hunt("it doesn't answer a registration")]
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
        flood = self._flood(message, now)
        if flood:
            return [Hunt(flood)]
        effects: list[Effect] = []
        if isinstance(message, asap.RegistrationResponse) and self.owns(message):
            effects = self._answered(message)
        elif isinstance(message, asap.DeregistrationResponse) and self.owns(message):
            effects = self._removed(message)
        elif isinstance(message, asap.EndpointKeepAlive):
            effects = self._asked(message)
        elif isinstance(message, asap.Error):
            effects = complained(message)
        return effects + reported(decoded)

    def _flood(self, message: object, now: float) -> str:
        """Why this is too much: see Note [A home that floods us]; or nothing."""
        if isinstance(message, asap.EndpointKeepAlive):
            if message.handle == self.membership.handle:
                return self.floods.keep_alive(now)
        elif isinstance(message, _ANSWERS) and self.owns(message) and self._owed:
            self._owed -= 1
            return ""
        return self.floods.unasked(message, now)

    def _registration(self) -> bytes:
        member = self.membership
        objection = self._dialect.objection(member.handle)
        if objection:
            raise EncodeError(objection)
        element = PoolElement(
            identifier=member.identifier,
            home=self.home,
            life=self._dialect.life(member.life),
            user_transport=member.transport,
            policy=member.policy,
        )
        if self._signer is not None:
            # Anew each time: the load changes, and so does the time in which it holds.
            element = signed(member.handle, element, self._signer, member.life)
        return asap.encode(asap.Registration(handle=member.handle, element=element))

    def _register(self) -> list[Effect]:
        self._held = True
        self._owed += 1
        return [
            CancelTimer(T4),
            CancelTimer(RETRY),
            Send(self._registration()),
            SetTimer(T2, T2_SECONDS),
        ]

    def _deregister(self) -> list[Effect]:
        self._leaving += 1
        self._owed += 1
        message = asap.Deregistration(
            handle=self.membership.handle, identifier=self.membership.identifier
        )
        return [Send(asap.encode(message)), SetTimer(T3, T3_SECONDS)]

    def owns(self, message: asap.RegistrationResponse | asap.DeregistrationResponse) -> bool:
        """Whether this answer is for us."""
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
        self._failures = 0
        return [
            *effects, CancelTimer(RETRY), SetTimer(T4, self._renewal()), Tell(Notice(what)),
        ]  # fmt: skip

    def _rejected(self, error: OperationError | None) -> list[Effect]:
        """Try again where time may help: see Note [What is tried again]."""
        self._held = self.registered  # an entry granted earlier lives until it expires
        self.registered = False
        if not self._wanted:
            return []
        words = all_in_words(error)
        if lasting(error):
            self._wanted = False
            return [CancelTimer(RETRY), Tell(Notice(What.REFUSED, words))]
        pause = min(PAUSE * 2.0 ** min(self._failures, 4), RETRAN_MAX)
        self._failures += 1
        told = Tell(Notice(What.REJECTED, words))
        return [SetTimer(RETRY, pause), told, *self._failed_often()]

    def _failed_often(self) -> list[Effect]:
        if self._failures != MAX_REG_ATTEMPT + 1:
            return []
        words = f"{self._failures} attempts to register have come to nothing"
        return [Tell(Notice(What.FAILED, words))]

    def _removed(self, message: asap.DeregistrationResponse) -> list[Effect]:
        if self._leaving:
            self._leaving -= 1
            return self._left(message.error) if self._withdrawing else []
        if not self._wanted:
            return []
        self.registered = self._held = False
        return [CancelTimer(T4), SetTimer(RETRY, EXPIRED_PAUSE), Tell(Notice(What.EXPIRED))]

    def _left(self, error: OperationError | None) -> list[Effect]:
        self._withdrawing = False
        if error is not None:
            return [CancelTimer(T3), Tell(Notice(What.RETAINED, all_in_words(error)))]
        self.registered = self._held = False
        return [CancelTimer(T3), Tell(Notice(What.WITHDRAWN))]

    def _asked(self, message: asap.EndpointKeepAlive) -> list[Effect]:
        """Answer a keep-alive for us (KA1 to KA2.4)."""
        if message.handle != self.membership.handle:
            return []
        if message.identifier not in (None, self.membership.identifier):
            return []  # rsplib names the element: it is for another one of this pool
        effects = self._housed(message)
        ack = asap.EndpointKeepAliveAck(
            handle=self.membership.handle, identifier=self.membership.identifier
        )
        return [*effects, Send(asap.encode(ack))]

    def _housed(self, message: asap.EndpointKeepAlive) -> list[Effect]:
        """Learn who the home is: see Note [Who is home]."""
        if message.server == self.home or (self.home and not message.new_home):
            return []
        self.home = message.server
        what = What.ADOPTED if message.new_home else What.IDENTIFIED
        return [Tell(Notice(what, f"{self.home:#010x}"))]

    def _renewal(self) -> float:
        life = self.membership.life
        if life < 0:
            return T4_SECONDS
        if self._dialect.renewals:
            return min(T4_SECONDS, life / self._dialect.renewals)
        seconds = life - T4_MARGIN if life > SHORT_LIFE else life * SHORT_SHARE
        return min(T4_SECONDS, seconds)
