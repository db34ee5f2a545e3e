"""
The audit log: one JSON line for each decision and each change of state.

Note [Repetition]

Changes of state are written each.  Decisions can be driven by whoever asks: the same refusal
of the same party is written once, and then counted, once a second; what the same party is
allowed from one address, pool by pool, and its sessions, once a minute.  The same is what has
the same words; a party that thinks of ever new ones gets so many lines, and one that counts
the rest of them.  All such lines together have a budget, too, because an attacker may be many
parties.  What is left out is counted: no decision is lost from the sum.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from twisted.logger import Logger

from rserpool.security.audit.journal import Journal
from rserpool.security.audit.repetition import MAXIMUM_REFUSALS, Key, Line, Repetition
from rserpool.security.budgets import Budget, Rate
from rserpool.security.decisions import LIMITS, Decision, Proof, Request, Subject

#: Of the module and not of the class, which would give it the class's name.
_log = Logger(namespace="rserpool.audit")

#: Seconds for which a repeated refusal, and a repeated allowance, is only counted.
QUIET, QUIET_ALLOWED = 1.0, 60.0
#: Lines that decisions may cause: stops filling the disk, from however many addresses.
LINES = Rate(200, 2000)

#: Both sides of a session: whoever connects again and again would have us write as often.
_SESSIONS = frozenset({"session.opened", "session.closed"})
#: What a rogue registrar could have us write down for each message of its own, and a man in
#: the middle for each connection.
_DRIVEN = frozenset({"element.claimed", "element.kept", "peer.error", "session.broken"})


def stamp() -> str:
    """The time, as it stands in lines."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class AuditLog:
    """
    Writes audit lines.

    :param seconds: the time, for counting repetitions.
    :param journal: binds the lines together; it must have been opened.
    :param stamp: gives the time that stands in lines.
    :param echo: the lines go to the program's log as well.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        journal: Journal | None = None,
        stamp: Callable[[], str] = stamp,
        *,
        echo: bool = True,
    ) -> None:
        self._seconds = seconds
        self._stamp = stamp
        self._echo = echo
        self.journal = journal or Journal(None, 0, 0, stamp)
        self._refused = Repetition(QUIET, self._write, MAXIMUM_REFUSALS)
        self._allowed = Repetition(QUIET_ALLOWED, self._write)
        self._lines = Budget(LINES, "audit lines")
        self._unwritten: dict[str, int] = {}
        self._ended = False
        self.journal.on_mark = self._echoed

    def write(
        self,
        what: str,
        subject: Subject | None = None,
        pool: bytes | None = None,
        identifier: int | None = None,
        outcome: str = "",
        *,
        action: str = "",
        rule: str = "",
        principal: str = "",
    ) -> None:
        """
        Write one line; a refusal that was written just now is only counted.

        :param principal: whose it is, where there is no subject: an element without connection.
        """
        line = _line(
            what, subject, pool, identifier,
            principal=principal, action=action, rule=rule, outcome=outcome,
        )  # fmt: skip
        if what in _SESSIONS:
            self._repeatable(self._allowed, _key(subject, what, outcome), line)
        elif what in _DRIVEN or (what.endswith("refused") and subject is not None):
            key = _key(subject, what, outcome, pool, identifier, action, rule)
            self._repeatable(self._refused, key, line)
        else:
            self._write(line)

    def session(self, what: str, subject: Subject, why: str) -> None:
        """Write down that a session was opened, closed, refused, revoked or broken."""
        self.write(what, subject, outcome=why)

    def handshake(self, address: str, reason: str, identity: str | None) -> None:
        """Write down a failed handshake."""
        nobody = Subject(identity or "anonymous", Proof.ANONYMOUS, address)
        self.write("handshake.refused", nobody, outcome=reason)

    def connection(self, address: str, why: str) -> None:
        """Write down that a connection was refused before it could say anything."""
        nobody = Subject("anonymous", Proof.ANONYMOUS, address)
        self.write("connection.refused", nobody, outcome=why, rule=LIMITS)

    def unproven(self, who: str, address: str, why: str) -> None:
        """Write down that who was called hasn't proven to be the registrar `who`."""
        line = _line("peer.unproven", Subject(who, Proof.ANONYMOUS, address), None, outcome=why)
        # By its name, which is ours to know: several may be behind one address.
        self._repeatable(self._refused, (who, "peer.unproven", None), line)

    def allowed(self, subject: Subject, request: Request, decision: Decision) -> None:
        """Something was allowed: this is on the hot path."""
        allowed = self._allowed
        key: Key = (subject.key, request.permission, request.pool, subject.address)
        if allowed.count(key):
            return
        if allowed.crowded(subject.key) and allowed.count(
            _general(subject.key, "decision.allowed", request.permission)
        ):
            return
        line = _decided("decision.allowed", subject, request, decision)
        self._repeatable(allowed, key, line)

    def reported(self, subject: Subject, request: Request, decision: Decision) -> None:
        """Something would have been denied, if that were enforced."""
        line = _decided("decision.reported", subject, request, decision)
        key = _key(subject, "decision.reported", request.permission, request.pool)
        self._repeatable(self._refused, key, line)

    def sweep(self) -> None:
        """Write what was only counted, when its time has come."""
        now = self._seconds()
        self._refused.sweep(now)
        self._allowed.sweep(now)
        self._write_unwritten()

    def close(self, what: str = "") -> None:
        """
        Write what was counted, and end; `what` is the last line.

        Connections end after it, and with it: a line for each would stand in no file, and its
        number would come again.
        """
        self._refused.end()
        self._allowed.end()
        self._write_unwritten()
        if what:
            self._write({"what": what})
        self._ended = True
        self.journal.close()

    def _write_unwritten(self) -> None:
        unwritten, self._unwritten = self._unwritten, {}
        for what, count in unwritten.items():
            self._write({"what": what, "outcome": "too many lines", "repeated": count})

    def _repeatable(self, repetition: Repetition, key: Key, line: Line) -> None:
        """Write a line, unless it was written just now: then count it."""
        if repetition.count(key):
            return
        if repetition.crowded(key[0]):
            line = _in_general(line)
            words = (str(line.get(name, "")) for name in ("what", "action", "rule"))
            key = _general(key[0], *words)
            if repetition.count(key):
                return
        now = self._seconds()
        if self._lines.spend("", now).allowed and repetition.begin(key, line, now):
            return
        what = str(line["what"])
        self._unwritten[what] = self._unwritten.get(what, 0) + 1

    def _write(self, line: Line) -> None:
        if not self._ended:
            self._echoed(self.journal.add({"time": self._stamp(), **line}))

    def _echoed(self, text: bytes) -> None:
        if self._echo:
            _log.info("{line}", line=text.decode(), audit=True)


def described(handle: bytes) -> dict[str, str]:
    """A pool handle for people: as text where it is UTF-8, else in hexadecimal."""
    try:
        return {"pool": handle.decode()}
    except UnicodeDecodeError:
        return {"pool-hex": handle.hex()}


def _key(subject: Subject | None, what: str, *more: str | bytes | int | None) -> Key:
    """What tells a line from others: whose, who it says it is and from where, and its words."""
    if subject is None:
        return ("", what, *more)
    return (subject.key, what, subject.name, subject.identity, subject.address, *more)


def _general(owner: str | bytes | int | None, what: str, action: str, rule: str = "") -> Key:
    """What tells the lines from others that only count one party's."""
    return (owner, what, action, rule)


def _in_general(line: Line) -> Line:
    """What many lines of one party have in common, when they are too many to be told apart."""
    proven = line.get("proof") in (Proof.PSK.value, Proof.CERTIFICATE.value)
    kept = ("what", "principal" if proven else "address", "proof", "action")
    common: Line = {key: line[key] for key in kept if key in line}
    if line.get("rule") == LIMITS:
        # It has taken all its budget: another thing than what it is refused for elsewhere.
        common["rule"] = LIMITS
    return common | {"outcome": "too many different ones: only counted"}


def _decided(what: str, subject: Subject, request: Request, decision: Decision) -> Line:
    return _line(
        what, subject, request.pool,
        action=request.permission, rule=decision.source, outcome=decision.reason,
    )  # fmt: skip


def _line(
    what: str,
    subject: Subject | None,
    pool: bytes | None,
    identifier: int | None = None,
    **words: str,
) -> Line:
    """A line, in the order in which it is read; words that are empty are left out."""
    line: Line = {"what": what}
    if subject is not None:
        line |= {
            "principal": subject.name,
            "proof": subject.proof.value,
            "address": subject.address,
        }
        if subject.identity and subject.identity != subject.name:
            line["identity"] = subject.identity
    elif words.get("principal"):
        line["principal"] = words["principal"]
    if pool is not None:
        line |= described(pool)
    if identifier is not None:
        line["pe-id"] = f"{identifier:#010x}"
    return line | {key: value for key, value in words.items() if value and key not in line}
