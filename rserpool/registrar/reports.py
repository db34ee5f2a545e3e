"""
Unreachable reports (RFC 5352 section 3.5, RFC 5355 sections 2.13 and 2.14).

A report and the keep-alive that it causes are one coupled flood.  So at most one
keep-alive is outstanding for an element and answers all reports that wait for it; each
element has a budget of them; and each reporter has one, kept by the gate.

Note [Who may remove]

A report by somebody who has proven nothing makes us ask the element, and no more: else a few
addresses, which cost nothing, could take every healthy element out of the answers.  Where
security is none addresses are all there is, and they count.
"""

import attrs

from rserpool.handlespace.element import Element
from rserpool.registrar.events import Channel
from rserpool.registrar.keepalive import KeepAlive
from rserpool.registrar.membership import Membership
from rserpool.registrar.share import Share
from rserpool.security.decisions import UNREACHABLE, Proof, Request, Subject
from rserpool.wire import asap


@attrs.define(eq=False)
class Complaints:
    """Who has called one element unreachable, when, and what asking it has cost."""

    reporters: dict[str, float] = attrs.field(factory=dict)  # at most the limit, plus one
    paid_until: float = 0.0  # of the element's budget of keep-alives


class Reports:
    """Weighs ASAP_ENDPOINT_UNREACHABLE messages."""

    def __init__(self, share: Share, keep_alive: KeepAlive, membership: Membership) -> None:
        self._share = share
        self._keep_alive = keep_alive
        self._membership = membership

    def reported(
        self, channel: Channel, data: bytes, message: asap.EndpointUnreachable, now: float
    ) -> bytes:
        """Somebody calls an element unreachable; there is no answer to this."""
        share = self._share
        request = Request(UNREACHABLE, message.handle)
        decision = share.ask(channel, request, now)
        if not decision.allowed:
            share.counters.reports_refused += 1
            share.refused("report.refused", channel, request, decision, message.identifier)
            return b""
        share.counters.reports += 1
        element = share.handlespace.find(message.handle, message.identifier)
        if element is not None and element.home == share.server_id:
            self._weigh(element, channel.subject, now)
        return b""

    def _weigh(self, element: Element, reporter: Subject, now: float) -> None:
        if not isinstance(element.probe, Complaints):
            element.probe = Complaints()
        complaints = element.probe
        counts = reporter.proof is not Proof.ANONYMOUS  # see Note [Who may remove]
        if counts and self._too_many(complaints, reporter.key, now):
            self._share.counters.elements_reported += 1
            count = len(complaints.reporters)
            self._membership.dismiss(
                element, "element.reported", f"unreachable for {count} reporters", now
            )
        elif self._affordable(complaints, now):
            self._keep_alive.ask(element, now)

    def _too_many(self, complaints: Complaints, reporter: str, now: float) -> bool:
        settings = self._share.settings
        if not settings.max_bad_pe_reports:
            return False
        since = now - settings.report_window
        reporters = complaints.reporters
        for name in [name for name, when in reporters.items() if when < since]:
            del reporters[name]
        reporters[reporter] = now
        return len(reporters) > settings.max_bad_pe_reports

    def _affordable(self, complaints: Complaints, now: float) -> bool:
        settings = self._share.settings
        if not settings.keep_alives_per_second:
            return True
        each = 1.0 / settings.keep_alives_per_second
        start = max(complaints.paid_until, now)
        if start - now > each * (max(settings.keep_alives_burst, 1.0) - 1.0):
            self._share.counters.keep_alives_over_limit += 1
            return not settings.keep_alives_enforced
        complaints.paid_until = start + each
        return True
