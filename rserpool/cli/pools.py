"""``rserpool resolve``, ``watch`` and ``report``: what a pool user can ask and tell."""

import argparse
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rserpool.cli import shown
from rserpool.cli.asking import ask
from rserpool.cli.outcome import DONE, Failure, Negative, tell
from rserpool.client import PROFILES, NoAnswer, PoolUser, Resolution
from rserpool.client.element import in_words
from rserpool.security.psk.entry import pe_identifier
from rserpool.wire.causes import UnknownPoolHandle

#: Seconds given to a report, which has no answer, to be refused after it was sent.
_SETTLE = 0.3
#: What a registrar makes of a report.
_REPORTED = {
    "rfc": "the registrar asks the element whether it is there",
    "rsplib": "rsplib takes it out at the third report, or as it is set, without asking it",
}
#: Octets of a handle that a message has room for, beside the header of its parameter (RFC 5354
#: sections 2 and 4), its own, and the option for how many elements are wanted.
MAXIMUM_HANDLE = 0xFFFC - 4 - 4 - 8


def resolve(args: argparse.Namespace) -> int:
    """Print who is in a pool."""
    handle = _handle(args.pool, args)

    async def question(reactor: Any, user: PoolUser) -> int:
        found = await _resolved(user, handle, args)
        value = shown.resolution(found, PROFILES[args.profile])
        tell(value, args.json, *_lines(value))
        if found.distrusted and not found.elements:
            raise Negative(
                f"no element of pool {args.pool!r} has signed what the registrar tells"
            )
        return DONE

    return ask(args, question)


def watch(args: argparse.Namespace) -> int:
    """Print who is in a pool, now and at every change, until Ctrl-C."""
    handle, dialect = _handle(args.pool, args), PROFILES[args.profile]

    async def question(reactor: Any, user: PoolUser) -> int:
        ended: Deferred[int] = Deferred()
        seen: list[object] = []

        def changed(found: Resolution) -> None:
            if ended.called:
                return
            if found.refusal is not None:
                ended.errback(_refused(found.refusal, args.pool))
                return
            value = shown.resolution(found, dialect)
            # One that is asked again and again gives the same ones in another order.
            state = sorted(map(repr, found.elements))
            if found.updates or state not in seen:
                seen[:] = [state]
                tell(value, args.json, *_lines(value), "")
            if not found.updates and not dialect.polls:
                ended.errback(Failure("the registrar doesn't send updates of this pool"))

        user.watch(handle, changed)

        def too_long() -> None:
            if not seen and not ended.called:
                ended.errback(NoAnswer(user.troubles))

        reactor.callLater(args.timeout, too_long)
        try:
            return await ended
        except NoAnswer as error:
            raise Failure(_unasked(error)) from None

    return ask(args, question)


def report(args: argparse.Namespace) -> int:
    """Tell the registrar that an element can't be reached."""
    handle = _handle(args.pool, args)
    try:
        identifier = pe_identifier(args.pe_id)
    except ValueError as error:
        raise Failure(str(error)) from None

    async def question(reactor: Any, user: PoolUser) -> int:
        found = await _resolved(user, handle, args)
        if identifier not in [element.identifier for element in found.elements]:
            raise Negative(f"pool {args.pool!r} has no element {identifier:#010x}")
        user.report(handle, identifier)
        await deferLater(reactor, _SETTLE)
        value = {"pool": args.pool, "pe-id": f"{identifier:#010x}", "reported": True}
        tell(value, args.json, f"reported {identifier:#010x} of {args.pool} as unreachable; "
             + _REPORTED[args.profile])  # fmt: skip
        return DONE

    return ask(args, question)


async def _resolved(user: PoolUser, handle: bytes, args: argparse.Namespace) -> Resolution:
    try:
        items = getattr(args, "items", None)
        found = await user.resolve(handle, items, args.timeout)
    except NoAnswer as error:
        raise Failure(_unasked(error)) from None
    if found.refusal is not None:
        raise _refused(found.refusal, args.pool)
    return found


def _refused(cause: Any, pool: str) -> Negative:
    if isinstance(cause, UnknownPoolHandle):
        return Negative(f"there is no pool {pool!r} at this registrar")
    words = f"the registrar refuses: {in_words(cause)}"
    return Negative(f"{words}; ask its operator what its rules allow you")


def _unasked(error: NoAnswer) -> str:
    return f"no registrar could be asked:\n{error}"


def _handle(text: str, args: argparse.Namespace) -> bytes:
    try:
        handle = shown.handle_of(text)
    except ValueError:
        raise Failure(
            f"{text!r}: after hex: come the octets of the handle, two digits each"
        ) from (None)
    if not 0 < len(handle) <= MAXIMUM_HANDLE:
        raise Failure(
            f"a pool handle has 1 to {MAXIMUM_HANDLE} octets; this one has {len(handle)}"
        )
    objection = PROFILES[args.profile].objection(handle)
    if objection:
        raise Failure(f"{text!r}: {objection}")
    return handle


def _lines(value: dict[str, Any]) -> list[str]:
    count = len(value["elements"])
    name = value.get("pool") or f"hex:{value['pool-hex']}"
    head = f"{name}: {count} element{'s' * (count != 1)}, {value['policy']}"
    doubts = [
        f"  {one['pe-id']}  not believed ({one['doubt']}): {one['why']}"
        for one in value.get("distrusted", ())
    ]
    return [head, *(f"  {shown.line(one)}" for one in value["elements"]), *doubts]
