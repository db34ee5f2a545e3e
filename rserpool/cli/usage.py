"""What registrars tell about the use of credentials: ``/status.json``, asked over HTTP."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

import attrs

from rserpool.cli.outcome import Failure

#: Seconds until a registrar that doesn't answer is given up.
TIMEOUT = 10.0
#: Octets of an answer: a status has 1,000 credentials and 500 pools at most.
MAXIMUM_ANSWER = 16 * 1024 * 1024
#: Credentials that a registrar remembers (:mod:`rserpool.service.uses`): when it tells of so
#: many, one that is missing may have been forgotten.
REMEMBERED = 1000


@attrs.frozen
class Usage:
    """The use of one identity, at one registrar."""

    where: str
    open: int
    last: str  # ``now``, or a time


@attrs.frozen
class Status:
    """What one registrar tells."""

    where: str
    values: dict[str, Any] = attrs.field(repr=False)

    def usage(self, identity: str, proof: str = "psk") -> Usage | None:
        """Who has come in by this identity; None: nobody that it remembers."""
        found = [
            one for one in self.values["credentials"]
            if one["identity"] == identity and one["proof"] == proof
        ]  # fmt: skip
        if not found:
            return None
        # The same identity may have come in by different principals, or both protocols.
        count = sum(int(one["open"]) for one in found)
        last = "now" if count else max(str(one["last"]) for one in found)
        return Usage(self.where, count, last)

    @property
    def forgetful(self) -> bool:
        """Whether it may have forgotten some."""
        return len(self.values["credentials"]) >= REMEMBERED


def url_of(text: str) -> str:
    """
    Return the address of a status page: a URL, an endpoint, or ``HOST:PORT``.

    :raise ValueError: it is none of them.
    """
    if re.match(r"https?://", text):
        base = text.removesuffix("status.json").rstrip("/")
        return f"{base}/status.json"
    from rserpool.transport import endpoints  # brings Twisted, and few ask

    description = text if text.startswith("tcp") else f"tcp:{text}"
    if re.fullmatch(r"tcp[46]?:[0-9]+", description):  # as the registrar's own setting has it
        host, port = "127.0.0.1", int(description.rpartition(":")[2])
    else:
        endpoints.client(None, description, TIMEOUT)
        host, port = endpoints.host_of(description) or "", endpoints.port_of(description) or 0
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/status.json"


def ask(text: str) -> Status:
    """
    Ask one registrar.

    :raise Failure: it can't be asked, with why.
    """
    try:
        url = url_of(text)
    except ValueError as error:
        raise Failure(f"--status: {error}") from None
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as page:  # noqa: S310 - checked above
            data = page.read(MAXIMUM_ANSWER + 1)
        values: Any = json.loads(data) if len(data) <= MAXIMUM_ANSWER else None
    except (OSError, ValueError) as error:
        raise Failure(f"{url}: no status there: {_words(error)}") from None
    if not _sound(values):
        raise Failure(f"{url}: that is no registrar's status")
    return Status(url, values)


def ask_all(texts: Iterable[str]) -> list[Status]:
    """Ask them all; one that can't be asked is the end of it."""
    return [ask(text) for text in texts]


def _sound(values: Any) -> bool:
    """Whether it has what is read of it."""
    try:
        return all(
            isinstance(one["identity"], str)
            and isinstance(one["proof"], str)
            and isinstance(one["open"], int)
            and isinstance(one["last"], str)
            for one in values["credentials"]
        )
    except (TypeError, KeyError):
        return False


def _words(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"it answers {error.code}"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)
