"""Looking at one listener from outside: does it listen, what does it take and show."""

from collections.abc import Iterator
from typing import Any

import attrs
from cryptography import x509

from rserpool.cli.doctor import handshake, plain
from rserpool.cli.doctor.finding import Finding, error, note, warning
from rserpool.cli.doctor.handshake import NoConnection, Seen
from rserpool.cli.doctor.place import Place
from rserpool.client.security import PreSharedKey
from rserpool.security.certificate.name import names, valid_until, when
from rserpool.security.psk.outcome import no_tls

_PROTECTED = ("GCM", "CHACHA20", "CCM")
_SECRET_FOR_EVER = ("ECDHE", "DHE", "TLS_")


@attrs.define
class Report:
    """
    What is known of one listener.

    :ivar suites: by the version of TLS, the favourite first.
    :ivar keys: whether it takes pre-shared keys; None: nobody knows.
    """

    place: Place
    state: str = "open"
    suites: dict[str, list[str]] = attrs.field(factory=dict)
    keys: bool | None = None
    certificate: x509.Certificate | None = None
    plain: str = ""
    findings: list[Finding] = attrs.field(factory=list)

    def value(self) -> dict[str, Any]:
        """Return it for JSON."""
        place, shown = self.place, self.certificate
        return {
            "protocol": place.protocol, "endpoint": place.description, "host": place.host,
            "port": place.port, "tls": place.secure, "where": place.where, "state": self.state,
            "versions": self.suites, "keys": self.keys, "plain": self.plain or None,
            "certificate": None if shown is None else {
                "names": names(shown), "valid-until": when(valid_until(shown)),
                "serial": f"{shown.serial_number:x}",
            },
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Return it for people."""
        yield f"{self.place.name}: {self.state}{', ' if self.plain else ''}{self.plain}"
        for version, suites in self.suites.items():
            yield f"  {version}: {', '.join(suites)}"
        if self.keys is not None:
            yield f"  pre-shared keys: {'yes' if self.keys else 'no'}"
        if self.certificate is not None:
            shown = self.certificate
            until = when(valid_until(shown))
            yield f"  certificate: for {', '.join(names(shown)) or 'nobody'}, until {until}"


def look(place: Place, required: bool, open_plain: bool, key: PreSharedKey | None) -> Report:
    """
    Look at a listener.

    :param required: its registrar is one whose security is required.
    :param open_plain: it answers resolutions on plain listeners, and is meant to.
    :param key: one that it ought to know; None: there is none to try.
    """
    report = Report(place)
    try:
        if place.secure:
            _look_secure(report, key)
        else:
            _look_plain(report, required, open_plain)
    except NoConnection as fault:
        report.state = "closed"
        report.findings.append(
            error(
                "not-listening", f"{place.name}: {fault}", place.where,
                "is the registrar running, with this configuration? Its log says why not",
            )
        )  # fmt: skip
    return report


def _look_plain(report: Report, required: bool, open_plain: bool) -> None:
    place = report.place
    answer = plain.probe(place.host, place.port, place.protocol)
    report.plain = answer.words
    if required and answer is plain.Answer.SERVED:
        found = (
            warning(
                "plain-resolution", f"{place.name} answers resolutions: anybody on the way may "
                "change such an answer (RFC 5352 section 9.3)", place.where,
                "set plain-resolution to false, and let users call the TLS listener",
            ) if open_plain else
            error(
                "plain-served", f"{place.name} serves without TLS, though security is required",
                place.where, "is that this registrar, with this configuration?",
            )
        )  # fmt: skip
        report.findings.append(found)
    elif required and answer is plain.Answer.REFUSED:
        report.findings.append(
            note("plain-refused", f"{place.name} refuses with 0x0a, as it should", place.where)
        )
    elif answer is plain.Answer.REFUSED:
        report.findings.append(
            error(
                "plain-refused", f"{place.name} refuses whoever comes without TLS", place.where,
                "call its TLS listener, with --ca or --psk instead of --security none",
            )
        )  # fmt: skip
    elif answer is not plain.Answer.SERVED:
        report.findings.append(
            error(
                "plain-strange", f"{place.name}: {answer.words}", place.where,
                "is that this registrar, and this protocol?",
            )
        )  # fmt: skip


def _look_secure(report: Report, key: PreSharedKey | None) -> None:
    place = report.place
    host, port = place.host, place.port
    first = handshake.shake(host, port, handshake.by_certificate_13())
    if no_tls(first.words):
        report.state = "open, and speaks no TLS"
        report.findings.append(
            error("no-tls", f"{place.name} speaks no TLS", place.where,
                  "is that the port for TLS?")
        )  # fmt: skip
        return
    report.certificate = first.certificate
    if first.suite:
        _take(report, "TLSv1.3", handshake.chosen(
            host, port, handshake.by_certificate_13, handshake.all_13()))  # fmt: skip
    _keys_13(report, key)
    _take(report, "TLSv1.2", handshake.chosen(
        host, port, handshake.by_certificate_12, handshake.all_12()))  # fmt: skip
    _take(report, "TLSv1.2", handshake.chosen(
        host, port, handshake.by_key_12, handshake.all_keys_12()))  # fmt: skip
    report.keys = bool(report.keys) or any("PSK" in one for one in _of(report, "TLSv1.2"))
    _judge(report)


def _take(report: Report, version: str, seen: Iterator[Seen]) -> None:
    for one in seen:
        known = report.suites.setdefault(version, [])
        if one.suite not in known:
            known.append(one.suite)
        report.certificate = report.certificate or one.certificate


def _of(report: Report, version: str) -> list[str]:
    return report.suites.get(version, [])


def _keys_13(report: Report, key: PreSharedKey | None) -> None:
    """Whether keys are taken, and, if there is one to try, whether it is the right one."""
    place = report.place
    seen = handshake.shake(place.host, place.port, handshake.by_key_13(key))
    proven = seen.error is None and seen.certificate is None and bool(seen.suite)
    # Who has keys, but not this one, says so by refusing it; who has none, by another word.
    report.keys = proven or "decrypt error" in seen.words
    if proven and seen.suite not in _of(report, "TLSv1.3"):
        report.suites.setdefault("TLSv1.3", []).append(seen.suite)
    if key is None:
        return
    if proven:
        report.findings.append(
            note("key-proven", f"{place.name} has the key of {key.identity!r}", place.where)
        )
    else:
        report.findings.append(
            error(
                "key-refused", f"{place.name} refuses identity {key.identity!r}: it doesn't "
                "know it, or has another key for it", place.where,
                "has the registrar had SIGHUP since the key was made? Its log says which it is",
            )
        )  # fmt: skip


def _judge(report: Report) -> None:
    place, old = report.place, _of(report, "TLSv1.2")
    if not report.suites and not report.keys:
        report.findings.append(
            error("no-handshake", f"{place.name}: no handshake succeeds, neither by "
                  "certificate nor by key", place.where, "its log says why")
        )  # fmt: skip
    if old:
        report.findings.append(
            warning("tls-1.2", f"{place.name} takes TLS 1.2, which shows who asks to anybody "
                    "on the way", place.where,
                    "set tls-minimum to 1.3 when no client needs 1.2 any more")
        )  # fmt: skip
    weak = [one for one in old if not any(word in one for word in _PROTECTED)]
    weak += [one for one in old if one not in weak and not one.startswith(_SECRET_FOR_EVER)]
    if weak:
        report.findings.append(
            warning("weak-suites", f"{place.name} takes {', '.join(weak)}: CBC, or no forward "
                    "secrecy, so that who learns a key can read recorded connections",
                    place.where, "set legacy-suites to false, and tls-minimum to 1.3")
        )  # fmt: skip
