"""
Sessions: who is at the other end of a connection, settled before the core hears of it.

"No state before authentication" (RFC 5355 section 2.1): what TLS proved goes to the checkers
of the listener; only their answer makes a channel.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from typing import Any
from typing import Protocol as Shape

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.registrar.events import Channel, Protocol
from rserpool.security.credentials import Evidence, credentials_of
from rserpool.security.decisions import Proof, Subject
from rserpool.security.interfaces import IAuthentication
from rserpool.service.ends import Ends
from rserpool.service.uses import Uses
from rserpool.transport.allowance import Allowance, plain_address
from rserpool.transport.connection import MAXIMUM_UNSENT_TO_REGISTRAR, Connection


class Core(Shape):
    """Who is told of channels: the driver."""

    def opened(self, channel: Channel, connection: Connection) -> None:
        """A peer whose identity is settled has connected."""

    def arrived(self, channel: Channel, messages: list[bytes]) -> None:
        """Whole messages have come."""

    def lost(self, channel: Channel) -> None:
        """It is gone."""


class Sessions:
    """
    The sessions of one protocol, on whatever listeners.

    :param allowance: counts the sessions of each principal.
    :param ends: tells when sessions end with their credentials; None: `check_some` alone does.
    :ivar patience: a clock, and the seconds that a checker may take; None: as many as it likes.
    :ivar uses: who they are of.
    :ivar on_event: told of a session that was opened, closed, refused, revoked or broken: what,
        whose, why.
    """

    _log = Logger(namespace="rserpool.service")

    def __init__(
        self,
        protocol: Protocol,
        core: Core,
        authentications: Sequence[IAuthentication],
        allowance: Allowance,
        ends: "Ends[Connection] | None" = None,
    ) -> None:
        self._protocol = protocol
        self.patience: tuple[IReactorTime, float] | None = None
        self._ends = ends
        if ends is not None:
            ends.on_ended = self._close_unheld
            ends.on_moment = self.close_unheld
        self._allowance = allowance
        self._counted: set[Connection] = set()
        self.on_event: Callable[[str, Subject, str], None] = _nobody
        self._core = core
        self._authentications = authentications
        self._channels: dict[Connection, Channel] = {}
        self.uses = Uses(time.time)
        self._unchecked: Iterator[Connection] = iter(())
        self._batch = 0

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def channels(self) -> Iterable[Channel]:
        """Every channel there is now."""
        return self._channels.values()

    def opened(self, connection: Connection) -> None:
        """A connection is up: settle who it is."""
        asked = maybeDeferred(self._subject, connection)
        if not asked.called:
            connection.hold()
            self.limit(asked)
        asked.addCallbacks(
            self._settled,
            self._refused,
            callbackArgs=(connection,),
            errbackArgs=(connection,),
        )

    def limit(self, asked: "Deferred[Any]") -> None:
        """Deny, if a checker hasn't answered in time; whatever it says later isn't heard."""
        if self.patience is None or not self.patience[1]:
            return
        clock, seconds = self.patience

        def too_long(result: object, timeout: float) -> None:
            raise UnauthorizedLogin(f"its check took longer than {timeout:g} s")

        asked.addTimeout(seconds, clock, onTimeoutCancel=too_long)

    def called(
        self,
        connection: Connection,
        subject: Subject,
        *,
        dialled: str | None = None,
        reaches: tuple[bytes, int] | None = None,
    ) -> None:
        """
        We have called, and who answers has proven to be `subject`.

        :param dialled, reaches: see :class:`Channel`.
        """
        self._enter(connection, subject, dialled, reaches)

    def knows(self, connection: Connection) -> bool:
        """Whether it is one of ours."""
        return connection in self._channels

    def arrived(self, connection: Connection, messages: list[bytes]) -> None:
        """Messages of somebody who is known."""
        self._core.arrived(self._channels[connection], messages)

    def lost(self, connection: Connection, reason: Failure) -> None:
        """A connection is gone, or counts as gone."""
        channel = self._channels.pop(connection, None)
        if self._ends is not None:
            self._ends.drop(connection)
        if channel is not None:
            if connection in self._counted:
                self._counted.discard(connection)
                self._allowance.left(channel.subject.key)
            self.uses.closed(channel.subject)
            if connection.broken:
                # RFC 5355 sections 2.8 and 2.10: changed on its way, or said before.
                self.on_event("session.broken", channel.subject, connection.broken)
            self.on_event("session.closed", channel.subject, _ending(connection, reason))
            self._core.lost(channel)

    def close_unheld(self) -> int:
        """Close the sessions whose credential is gone; how many there were."""
        return self._close_unheld(list(self._channels))

    def expect(self) -> None:
        """Look at all sessions when something will change that each of them may rest on."""
        if self._ends is not None:
            self._ends.expect(
                moment for one in self._authentications for moment in _changes(one)
            )

    def stop(self) -> None:
        """Watch no ends any more."""
        if self._ends is not None:
            self._ends.stop()

    def check_some(self, parts: int) -> int:
        """
        Do the same with the next part of all sessions.

        All of them in one go would stop the registrar for 50 ms when there are 20,000.

        :param parts: after so many calls each session has been looked at.
        """
        batch = list(islice(self._unchecked, self._batch))
        if not batch:
            self._batch = -(-len(self._channels) // parts)
            self._unchecked = iter(list(self._channels))
            batch = list(islice(self._unchecked, self._batch))
        return self._close_unheld(batch)

    def _close_unheld(self, connections: list[Connection]) -> int:
        count = 0
        for connection in connections:
            channel = None if connection.ended else self._channels.get(connection)
            if channel and channel.subject.proven and not self._holds(channel.subject):
                words = "its credential isn't in force any more"
                self.on_event("session.revoked", channel.subject, words)
                connection.close(words)
                count += 1
                if self._protocol is Protocol.ASAP:
                    # At once: who withholds his goodbye would else keep his elements in the
                    # answers as long as that is waited for.
                    self.lost(connection, Failure(ConnectionDone()))
        return count

    def _holds(self, subject: Subject) -> bool:
        wanted = "keys" if subject.proof is Proof.PSK else "authorities"
        return any(
            self._answer(authentication, subject)
            for authentication in self._authentications
            if getattr(authentication, wanted) is not None
        )

    def _answer(self, authentication: IAuthentication, subject: Subject) -> bool:
        """Whether it still lets the subject in; one that raises doesn't."""
        try:
            return bool(authentication.holds(subject))
        except Exception:
            self._log.failure("{what} can't say who may stay", what=authentication)
            return False

    def _subject(self, connection: Connection) -> "Subject | Deferred[Subject]":
        evidence, address = connection.evidence, connection.address
        if evidence is None:
            return Subject("plain", Proof.PLAIN, address)
        if evidence.proof is Proof.ANONYMOUS and self._protocol is Protocol.ENRP:
            raise ValueError("it has shown neither a key nor a certificate")
        if evidence.proof is Proof.ANONYMOUS:
            return Subject("anonymous", Proof.ANONYMOUS, address)
        return self._checked(evidence, address)

    def _checked(self, evidence: Evidence, address: str) -> "Deferred[Subject]":
        """Ask the checkers in their order; the first that knows the peer decides."""
        credentials = credentials_of(evidence, address)
        checkers = [
            authentication.checker
            for authentication in self._authentications
            if any(
                i.providedBy(credentials) for i in authentication.checker.credentialInterfaces
            )
        ]

        failures: list[Failure] = []
        return self._ask(None, checkers, credentials, failures)

    def _ask(
        self,
        failure: Failure | None,
        checkers: list[Any],
        credentials: object,
        failures: list[Failure],
    ) -> "Deferred[Subject]":
        """Ask the next one; `failures` is what those before it have said."""
        if failure is not None:
            failures.append(failure)
        if not checkers:
            return maybeDeferred(_none, failures)
        first, *others = checkers
        asked: Deferred[Subject] = maybeDeferred(first.requestAvatarId, credentials)
        return asked.addErrback(self._ask, others, credentials, failures)

    def _settled(self, subject: object, connection: Connection) -> None:
        if not isinstance(subject, Subject):
            connection.abort("its checker's answer is no subject")
            return
        if connection.ended:
            return
        if subject.proven:
            objection = self._allowance.entered(subject.key)
            if objection:
                self.on_event("session.refused", subject, objection)
                connection.abort(objection)
                return
            self._counted.add(connection)
        if self._protocol is Protocol.ENRP:
            self._log.info(
                "registrar {name} has called from {peer}", name=subject.name, peer=connection
            )
        self._enter(connection, subject)
        connection.release()

    def _enter(
        self,
        connection: Connection,
        subject: Subject,
        dialled: str | None = None,
        reaches: tuple[bytes, int] | None = None,
    ) -> None:
        if self._protocol is Protocol.ENRP:
            connection.unasked = True
            connection.unsent = MAXIMUM_UNSENT_TO_REGISTRAR
        channel = Channel(
            self._protocol,
            subject,
            _addresses(connection),
            connection.port,
            local=_own_address(connection),
            dialled=dialled,
            reaches=reaches,
            rtt=connection.rtt,
            sctp=connection.sctp,
            own=_own_addresses(connection),
        )
        connection.on_addresses = lambda: _look_again(channel, connection)
        self._channels[connection] = channel
        if self._ends is not None:
            self._ends.put(subject.valid_until, connection)
        self.uses.opened(subject)
        self.on_event("session.opened", subject, _secured(connection.evidence))
        self._core.opened(channel, connection)

    def _refused(self, failure: Failure, connection: Connection) -> None:
        self._log.info(
            "{peer}: not let in: {why}", peer=connection, why=failure.getErrorMessage()
        )
        shown = "" if connection.evidence is None else connection.evidence.identity
        nobody = Subject(shown or "anonymous", Proof.ANONYMOUS, connection.address)
        self.on_event("session.refused", nobody, failure.getErrorMessage())
        connection.abort("not authenticated")


def _nobody(what: str, subject: Subject, why: str) -> None:
    """Tell nobody."""


def _ending(connection: Connection, reason: Failure) -> str:
    """Why a session has ended: in our words if we have ended it."""
    if connection.farewell:
        return connection.farewell
    return "" if reason.check(ConnectionDone) else reason.getErrorMessage()


def _secured(evidence: Evidence | None) -> str:
    """What TLS a session has."""
    return "plain" if evidence is None else f"{evidence.version} {evidence.cipher}".strip()


def _addresses(connection: Connection) -> frozenset[IPv4Address | IPv6Address]:
    """The peer's addresses."""
    return frozenset(ip_address(plain_address(host)) for host in connection.addresses)


def _look_again(channel: Channel, connection: Connection) -> None:
    """The peer has answered at other addresses than before."""
    channel.addresses = _addresses(connection)
    channel.contact = b""


def _own_addresses(connection: Connection) -> tuple[IPv4Address | IPv6Address, ...]:
    """
    Our own ends of an association, as others are told of them.

    On a socket that is bound to all addresses those of the host alone are among them, where
    nobody else can call it.
    """
    found = [ip_address(plain_address(host)) for host in connection.own_addresses]
    others = [one for one in found if not (one.is_loopback or one.is_link_local)]
    return tuple(others or found)


def _own_address(connection: Connection) -> IPv4Address | IPv6Address | None:
    """Our own address of a connection; of an association, one that others can call."""
    for own in _own_addresses(connection):
        return own
    try:
        return ip_address(plain_address(connection.transport.getHost().host))
    except (AttributeError, ValueError):
        return None


def _changes(authentication: IAuthentication) -> Iterable[float]:
    """When it may answer otherwise than now, as far as it can tell."""
    changes: Callable[[], Iterable[float]] = getattr(authentication, "changes", tuple)
    return changes()


def _none(failures: list[Failure]) -> Subject:
    """Refuse, with what each checker has said."""
    if not failures:
        raise ValueError("nothing is configured that could authenticate it")
    words = dict.fromkeys(failure.getErrorMessage() for failure in failures)
    raise UnauthorizedLogin("; ".join(words))
