"""
Registration and de-registration (RFC 5352 sections 3.1 and 3.2).

An element belongs to the principal that registered it: nobody else renews or removes
it.  On an insecure registrar it belongs to nobody, and whoever knows its handle and
identifier may, as RFC 5352 has it.
"""

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from rserpool.handlespace.element import Element
from rserpool.handlespace.handlespace import How, Registered
from rserpool.registrar import distance, interop, replica
from rserpool.registrar.events import Channel
from rserpool.registrar.membership import Cause as By
from rserpool.registrar.membership import Membership
from rserpool.registrar.share import Share
from rserpool.security.decisions import (
    DEREGISTER,
    REGISTER_JOIN,
    REGISTER_NEW,
    REGISTER_RENEW,
    Decision,
    Proof,
    Request,
    Subject,
)
from rserpool.wire import asap
from rserpool.wire.causes import (
    Cause,
    InvalidValues,
    LackOfResources,
    NonUniquePEIdentifier,
    RejectedForSecurity,
)
from rserpool.wire.parameters import OperationError, PoolElement

_HEADER = struct.Struct("!BBH")
_HANDLE = b"\x00\x09"  # types of parameters
_ELEMENT = b"\x00\x0a"
_IDENTIFIER = b"\x00\x0e\x00\x08"
_SECURITY = RejectedForSecurity()


class Registration:
    """Answers ASAP_REGISTRATION and ASAP_DEREGISTRATION."""

    def __init__(self, share: Share, membership: Membership) -> None:
        self._share = share
        self._pools = share.handlespace.pools
        self._membership = membership
        #: whether another registrar is there: set when there are others
        self.alive: Callable[[int], bool] = lambda home: False

    def renewed(self, channel: Channel, data: bytes, now: float) -> bytes | None:
        """
        The answer if `data` registers again, octet for octet, what came by this channel.

        None: it doesn't, so decode it.  Nearly all registrations are of this kind; the
        element came through the gate as it is, and the gate is asked once more.
        """
        element = self._same(channel, data)
        if element is None:
            return None
        pool = element.pool
        if pool.renewal is None:
            pool.renewal = Request(REGISTER_RENEW, pool.handle)
        assert isinstance(pool.renewal, Request)
        decision = self._share.gate.ask(channel.subject, pool.renewal, now)
        if not decision.allowed:
            # Here, and not on the slow path: asked twice, it would be counted twice.
            identifier = element.identifier
            return self._refused(channel, pool.renewal, decision, identifier, _SECURITY)
        self._share.handlespace.renew(element, now)
        self._membership.renewed(element)
        self._share.counters.registrations_renewed += 1
        return _granted(element)

    def _same(self, channel: Channel, data: bytes) -> Element | None:
        """The element of this channel that `data` describes just as it is stored."""
        if data[4:6] != _HANDLE or len(data) < 28:
            return None
        end = 4 + (data[6] << 8 | data[7])
        at = (end + 3) & ~3
        pool = self._pools.get(data[8:end])
        if pool is None or data[at : at + 2] != _ELEMENT:
            return None
        element = pool.elements.get(int.from_bytes(data[at + 4 : at + 8], "big"))
        if element is None or element.channel is not channel:
            return None
        if distance.asked(element.policy):
            return None  # it may be nearer or farther now
        blob = element.blob
        # All but the home (octets 8 to 11), which the element may not know yet.
        if data[at + 12 :] != blob[12:] or data[at + 2 : at + 4] != blob[2:4]:
            return None
        return element

    def register(
        self, channel: Channel, data: bytes, message: asap.Registration, now: float
    ) -> bytes:
        """Admit the element, or say why not."""
        request = self._request(channel.subject, message)
        decision = self._share.ask(channel, request, now)
        offered = message.element
        if self._share.settings.interop.usable_addresses:
            offered = _narrowed(channel, offered)
        why, cause = self._objection(channel, decision, data, offered)
        if cause is None and request.permission == REGISTER_JOIN:
            known = self._share.handlespace.find(message.handle, message.element.identifier)
            if known is not None:
                why = "the element belongs to another principal"
                cause = NonUniquePEIdentifier()
        if cause is None:
            former = self._share.handlespace.find(message.handle, message.element.identifier)
            home = 0 if former is None else former.home
            result = self._share.handlespace.register(
                message.handle,
                _placed(offered, channel),
                home=self._share.server_id,
                principal=_principal(channel.subject),
                now=now,
            )
            if isinstance(result, Registered):
                self._count(result.how)
                result.element.contact = replica.contact(channel, message.element)
                self._membership.admitted(
                    result.element,
                    result.how,
                    channel,
                    now,
                    former=home,
                    cause=By(channel.subject, request.permission, decision.source),
                )
                return _granted(result.element)
            why, cause = _why(message, result), result
        return self._refused(channel, request, why, message.element.identifier, cause)

    def deregister(
        self, channel: Channel, data: bytes, message: asap.Deregistration, now: float
    ) -> bytes:
        """Remove the element; one that isn't there counts as removed (section 3.2)."""
        share, subject = self._share, channel.subject
        request = Request(DEREGISTER, message.handle)
        decision = share.ask(channel, request, now)
        element = share.handlespace.find(message.handle, message.identifier)
        why: Decision | str = ""
        if not decision.allowed:
            why = decision
        elif subject.proof is Proof.ANONYMOUS:
            why = "only who has proven a name may de-register"
        elif element is not None and self._foreign(element, subject):
            why = "the element belongs to another principal"
        if why:
            share.counters.deregistrations_refused += 1
            share.refused("deregistration.refused", channel, request, why, message.identifier)
            return _deregistered(message, RejectedForSecurity())
        share.counters.deregistrations += 1
        if element is not None:
            self._membership.claim(element)
            who = subject.name if subject.proven else subject.address
            by = By(subject, DEREGISTER, decision.source)
            self._membership.remove(element, "element.deregistered", f"by {who}", now, by)
        return _deregistered(message, None)

    def _request(self, subject: Subject, message: asap.Registration) -> Request:
        pool = self._pools.get(message.handle)
        if pool is None:
            return Request(REGISTER_NEW, message.handle)
        element = pool.elements.get(message.element.identifier)
        mine = element is not None and not self._foreign(element, subject)
        return Request(REGISTER_RENEW if mine else REGISTER_JOIN, message.handle)

    def _objection(
        self, channel: Channel, decision: Decision, data: bytes, element: PoolElement
    ) -> tuple[Decision | str, Cause | None]:
        """What speaks against it before the handlespace is asked, and the cause to give."""
        if not decision.allowed:
            return decision, RejectedForSecurity()
        breach = _breach(channel, element)
        if breach:
            return breach, RejectedForSecurity()
        if len(data) > self._share.settings.registration_bytes:
            return "the registration is too long", LackOfResources()
        if self._share.settings.interop.readable_only:
            return interop.unreadable(element) or ("", None)
        return "", None

    def _refused(
        self,
        channel: Channel,
        request: Request,
        why: Decision | str,
        identifier: int,
        cause: Cause,
    ) -> bytes:
        """Count a refusal, write it down, and say no more than its cause."""
        self._share.counters.registrations_refused += 1
        self._share.refused("registration.refused", channel, request, why, identifier)
        return asap.encode(
            asap.RegistrationResponse(
                rejected=True,
                handle=request.pool or b"",
                identifier=identifier,
                error=_error(cause),
            )
        )

    def _foreign(self, element: Element, subject: Subject) -> bool:
        """
        Whether it belongs to somebody else.

        One whose home hasn't said to whom belongs, as long as that home is there, to nobody
        here who has proven a name: it could be anybody's.
        """
        if element.principal is not None:
            return element.principal != _principal(subject)
        elsewhere = element.home != self._share.server_id
        return subject.proven and elsewhere and self.alive(element.home)

    def _count(self, how: How) -> None:
        counters = self._share.counters
        if how is How.NEW:
            counters.registrations_new += 1
        elif how is How.JOINED:
            counters.registrations_joined += 1
        elif how in (How.CHANGED, How.REHOMED):
            counters.registrations_changed += 1
        else:
            counters.registrations_renewed += 1


def _why(message: asap.Registration, cause: Cause) -> str:
    """What the handlespace objects to, in words."""
    if isinstance(cause, InvalidValues) and cause.parameter[:2] == _HANDLE:
        return f"a pool handle of {len(message.handle)} octets; handle-bytes allows fewer"
    return type(cause).__name__


def _placed(element: PoolElement, channel: Channel) -> PoolElement:
    """The element, its policy knowing how far away it is."""
    policy = distance.measured(element.policy, channel)
    if policy is element.policy:
        return element
    known: Any = element
    placed: PoolElement = attrs.evolve(known, policy=policy)
    return placed


def _narrowed(channel: Channel, element: PoolElement) -> PoolElement:
    """The element with those of its addresses alone that it may have, if it has any of them."""
    known: Any = element.user_transport
    kept = tuple(a for a in getattr(known, "addresses", ()) if _its_own(channel, a))
    if not kept or kept == known.addresses:
        return element
    owner: Any = element
    narrowed: PoolElement = attrs.evolve(
        owner, user_transport=attrs.evolve(known, addresses=kept)
    )
    return narrowed


def _its_own(channel: Channel, address: IPv4Address | IPv6Address) -> bool:
    """Whether an element may have this address: its connection's, or its key's."""
    networks = channel.subject.restrictions.networks
    return address in channel.addresses or any(address in network for network in networks)


def _principal(subject: Subject) -> str | None:
    return subject.name if subject.proven else None


def _breach(channel: Channel, element: PoolElement) -> str:
    """
    Which invariant the registration breaks; no rule of the authorizer can lift one.

    The addresses must be among those of the connection (RFC 5352 section 2.2.1), unless
    the key of the element speaks for others, too.
    """
    subject = channel.subject
    if subject.proof is Proof.ANONYMOUS:
        return "only who has proven a name may register"
    allowed = subject.restrictions
    if allowed.pe_ids and element.identifier not in allowed.pe_ids:
        return "the key is for other element identifiers"
    addresses: tuple[IPv4Address | IPv6Address, ...] = getattr(
        element.user_transport, "addresses", ()
    )
    for address in addresses:
        if not _its_own(channel, address):
            return f"{address} is not an address of the connection"
    return ""


def _granted(element: Element) -> bytes:
    """A positive ASAP_REGISTRATION_RESPONSE, from what is encoded already."""
    handle = element.pool.handle_tlv
    header = _HEADER.pack(3, 0, 12 + len(handle))
    return b"".join((header, handle, _IDENTIFIER, element.blob[4:8]))


def _deregistered(message: asap.Deregistration, cause: Cause | None) -> bytes:
    return asap.encode(
        asap.DeregistrationResponse(
            handle=message.handle, identifier=message.identifier, error=_error(cause)
        )
    )


def _error(cause: Cause | None) -> OperationError | None:
    return None if cause is None else OperationError(causes=(cause,))
