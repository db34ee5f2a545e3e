"""Error causes (RFC 5354 section 3.12) for people, and for the registrar."""

from collections.abc import Iterable

from rserpool.client.effects import Effect, Send, Tell
from rserpool.client.events import Notice, What
from rserpool.wire import asap, causes
from rserpool.wire.parameters import OperationError

_WORDS: dict[type, str] = {
    causes.Unspecified: "it gives no reason",
    causes.UnrecognizedParameter: "it doesn't know a parameter",
    causes.UnrecognizedMessage: "it doesn't know a message",
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


def all_in_words(error: OperationError | None) -> str:
    """All causes of an error, or that there is none."""
    found = () if error is None else error.causes
    return ", ".join(in_words(cause) for cause in found) or in_words(causes.Unspecified())


def complained(message: asap.Error) -> list[Effect]:
    """Pass on an ASAP_ERROR of the registrar (RFC 5352 section 2.2.14)."""
    return [Tell(Notice(What.COMPLAINED, all_in_words(message.error)))]


def reported(decoded: asap.Decoded) -> list[Effect]:
    """Report what was not understood to its sender, but never an error by an error."""
    found: Iterable[causes.Cause] = decoded.report
    if not found or isinstance(decoded.message, asap.Error):
        return []
    told = asap.Error(error=OperationError(causes=tuple(found)))
    return [Send(asap.encode(told))]
