"""The command itself: what to look at, in which order, and how it is told."""

import argparse
import os
from collections.abc import Iterator
from typing import Any

import attrs

from rserpool.cli import asking, usage
from rserpool.cli.doctor import handshake, keys, listener, place
from rserpool.cli.doctor.configuration import Configured
from rserpool.cli.doctor.finding import Finding, Severity, error, in_order
from rserpool.cli.doctor.handshake import NoConnection
from rserpool.cli.doctor.listener import Report
from rserpool.cli.doctor.place import Place
from rserpool.cli.outcome import DONE, NO, Failure, tell
from rserpool.cli.usage import Status
from rserpool.client.security import Certified, Plain, PreSharedKey, Security
from rserpool.security.certificate.refusal import explain
from rserpool.service.kinds import port_of

#: Twisted's protocol, which isn't there: ours ask it nothing.
_NOBODYS: Any = None


@attrs.define
class Examination:
    """What was looked at, and found."""

    reports: list[Report] = attrs.field(factory=list)
    findings: list[Finding] = attrs.field(factory=list)
    statuses: list[Status] = attrs.field(factory=list)


def doctor(args: argparse.Namespace) -> int:
    """Look, and tell."""
    by_name = args.registrar or (not args.config and os.environ.get("RSERPOOL_REGISTRAR"))
    if not args.config and not by_name:
        raise Failure("what to look at? Give --config registrar.toml, or --registrar ENDPOINT")
    found = Examination()
    configured = _read(args.config) if args.config else None
    _ask_status(found, args, configured)
    if configured is not None:
        _examine(found, configured, offline=args.offline)
    if by_name:
        _call(found, args, alone=configured is None)
    for report in found.reports:
        found.findings += report.findings
    return _tell(found, args)


def _read(path: str) -> Configured:
    try:
        with open(path, "rb"):
            pass
    except OSError as fault:
        raise Failure(f"{path}: can't be read: {fault.strerror}") from None
    return Configured.read(path)


def _ask_status(
    found: Examination, args: argparse.Namespace, configured: Configured | None
) -> None:
    """
    Ask who uses what, before anything is tried.

    An endpoint of the configuration isn't insisted on: that nobody listens is told already.
    """
    own = configured.config.registrar.status if configured and not args.offline else None
    for text in args.status or ([_callable(own)] if own else []):
        try:
            found.statuses.append(usage.ask(text))
        except Failure as fault:
            found.findings.append(
                error("status", str(fault), do="is the registrar running, with --status?")
            )


def _callable(description: str) -> str:
    """Where the status page of a configuration is called."""
    host = place.address_of(description)
    return f"http://{f'[{host}]' if ':' in host else host}:{port_of(description)}"


def _examine(found: Examination, configured: Configured, *, offline: bool) -> None:
    found.findings += configured.faults()
    config, reader = configured.config, configured.reader
    found.findings += place.unseen(config, reader)
    for one in [] if offline else place.configured(config, reader):
        key = _key(configured, one, found.statuses)
        if one.port:
            open_plain = config.registrar.plain_resolution
            found.reports.append(listener.look(one, config.required, open_plain, key))
    found.findings += configured.look(found.reports, found.statuses)


def _key(configured: Configured, one: Place, statuses: list[Status]) -> PreSharedKey | None:
    """A key that this listener ought to know."""
    asap = one.protocol == "asap"
    held, _ = keys.read(configured.key_files("auth" if asap else "enrp-auth"))
    own = None if asap else configured.config.registrar.identity
    chosen = keys.to_try(held, statuses, own)
    return None if chosen is None else PreSharedKey(chosen.key.identity, chosen.key.secret)


def _call(found: Examination, args: argparse.Namespace, *, alone: bool) -> None:
    """
    Look at registrars by their endpoints, and whether we would believe them.

    :raise Failure: none of them can be reached, and there is nothing else to tell of.
    """
    proof = asking.security(args)
    reports = [_called(text, proof) for text in asking.registrars(args)]
    if alone and all(report.state == "closed" for report in reports):
        raise Failure("\n".join(one.what for report in reports for one in report.findings))
    found.reports += reports


def _called(text: str, proof: Security) -> Report:
    one = place.called(text, not isinstance(proof, Plain))
    key = proof if isinstance(proof, PreSharedKey) else None
    report = listener.look(one, one.secure, False, key)
    if isinstance(proof, Certified) and report.state == "open":
        report.findings += _believed(one, proof)
    return report


def _believed(one: Place, proof: Certified) -> Iterator[Finding]:
    """Whether its certificate is one that we believe, for the name by which it was called."""
    connection = proof.creator(one.host).clientConnectionForTLS(_NOBODYS)
    try:
        seen = handshake.shake(one.host, one.port, connection)
    except NoConnection as fault:
        yield error("not-listening", f"{one.name}: {fault}", one.where)
        return
    if seen.error is not None:
        wanted = proof.name or one.host
        yield error(
            "certificate-refused",
            f"{one.name}: {explain(seen.error, wanted, seen.certificate)}", one.where,
            "call it by a name in its certificate (--name), and believe its authority (--ca)",
        )  # fmt: skip


def _tell(found: Examination, args: argparse.Namespace) -> int:
    findings = in_order(found.findings)
    counts = {one.value: sum(each.severity is one for each in findings) for one in Severity}
    lines = [line for report in found.reports for line in report.lines()]
    lines += ["", *(line for one in findings for line in one.lines()), ""] if findings else [""]
    total = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts.items())
    wrong = any(one.wrong for one in findings)
    tell(
        {
            "well": not wrong,
            "listeners": [report.value() for report in found.reports],
            "findings": [one.value() for one in findings],
            **counts,
        },
        args.json,
        *lines,
        f"{'something is wrong' if wrong else 'all is well'}: {total}",
    )
    return NO if wrong else DONE
