"""
The audit log: one JSON line for each decision against somebody and each change of state.

A flood of the same refusal is counted and written once a second, so that an attacker
can't fill the disk with it.
"""

import json
from collections.abc import Callable

from twisted.logger import Logger

from rserpool.security.decisions import Proof, Subject

#: Of the module and not of the class, which would give it the class's name.
_log = Logger(namespace="rserpool.audit")

#: Different refusals remembered for counting; beyond it the count starts anew.
MAXIMUM_REMEMBERED = 10_000
#: Seconds for which a repeated refusal is only counted.
QUIET = 1.0


#: What a rogue registrar could have us write down for each message of its own.
_DRIVEN = frozenset({"element.claimed", "element.kept", "peer.error"})


class AuditLog:
    """
    Writes audit lines.

    :param seconds: the time, for counting repetitions.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._written: dict[tuple[str, str], float] = {}
        self._repeated: dict[tuple[str, str], int] = {}

    def write(
        self,
        what: str,
        subject: Subject | None = None,
        pool: bytes | None = None,
        identifier: int | None = None,
        outcome: str = "",
    ) -> None:
        """Write one line; a refusal that was written just now is only counted."""
        line: dict[str, object] = {"what": what}
        if subject is not None:
            line |= {
                "principal": subject.name,
                "proof": subject.proof.value,
                "address": subject.address,
            }
        if pool is not None:
            line |= described(pool)
        if identifier is not None:
            line["pe-id"] = f"{identifier:#010x}"
        if outcome:
            line["outcome"] = outcome
        if what.endswith("refused") or what in _DRIVEN:
            repeated = self._repetitions(what, subject)
            if repeated is None:
                return
            if repeated:
                line["repeated"] = repeated
        _log.info("{line}", line=json.dumps(line, ensure_ascii=True), audit=line)

    def handshake(self, address: str, reason: str, identity: str | None) -> None:
        """Write down a failed handshake."""
        nobody = Subject(identity or "anonymous", Proof.ANONYMOUS, address)
        self.write("handshake.refused", nobody, outcome=reason)

    def _repetitions(self, what: str, subject: Subject | None) -> int | None:
        """How often this was left unwritten before; None: leave it once more."""
        now = self._seconds()
        # Without the outcome: whoever is refused may have chosen the words in it.
        key = (what, subject.key if subject else "")
        if now - self._written.get(key, -QUIET) < QUIET:
            self._repeated[key] = self._repeated.get(key, 0) + 1
            return None
        if len(self._written) >= MAXIMUM_REMEMBERED:
            self._written.clear()
            self._repeated.clear()
        self._written[key] = now
        return self._repeated.pop(key, 0)


def described(handle: bytes) -> dict[str, str]:
    """A pool handle for people: as text where it is UTF-8, else in hexadecimal."""
    try:
        return {"pool": handle.decode()}
    except UnicodeDecodeError:
        return {"pool-hex": handle.hex()}
