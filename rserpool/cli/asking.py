"""What the commands that ask a registrar have in common: whom, how, and for how long."""

import argparse
import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import ensureDeferred

from rserpool.cli.options import ENVIRONMENT
from rserpool.cli.outcome import Failure
from rserpool.client import (
    PROFILES,
    Certified,
    Notice,
    Plain,
    PoolUser,
    PreSharedKey,
    Security,
    Verifier,
    What,
    signers,
)
from rserpool.client.listening import UNNAMED, Announcements
from rserpool.security.decisions import Mode
from rserpool.service.groups import interface
from rserpool.transport import endpoints
from rserpool.transport.announce import asap_group


def announcements(args: argparse.Namespace) -> Announcements | None:
    """Where registrars announce themselves, if that shall be heard."""
    if not getattr(args, "announce", None):
        return None
    if args.security != "none" and not (args.psk or args.ca or args.name):
        raise Failure(f"--announce: {UNNAMED}")
    try:
        groups = tuple(asap_group(text) for text in args.announce)
        where = args.announce_interface
        where = None if where is None else interface(where)
    except ValueError as error:
        raise Failure(f"--announce: {error}") from None
    return Announcements(groups=groups, interface=where, silent=args.silent_transport)


def registrars(args: argparse.Namespace) -> list[str]:
    """The endpoints to call."""
    found = args.registrar or os.environ.get(ENVIRONMENT, "").split()
    if not found and not getattr(args, "announce", None):
        raise Failure(
            "which registrar? Give --registrar, like --registrar tcp:registrar.example:3864, "
            f"or set {ENVIRONMENT}"
        )
    for text in found:
        try:
            endpoints.client(None, text, 1.0)
        except ValueError as error:
            raise Failure(f"--registrar: {error}") from None
    return list(found)


def security(args: argparse.Namespace) -> Security:
    """How the registrar and we prove ourselves."""
    given = [name for name in ("ca", "psk", "certificate", "crl") if getattr(args, name)]
    if args.security == "none":
        if given:
            raise Failure(f"--security none and --{given[0]} contradict: leave one out")
        return Plain()
    if args.psk and args.certificate:
        raise Failure("--psk and --certificate contradict: give one of the two")
    if bool(args.certificate) != bool(args.private_key):
        raise Failure("--certificate and --private-key go together")
    if args.crl and not args.ca:
        raise Failure("--crl needs --ca: the authorities that have signed the list")
    try:
        if args.psk:
            return PreSharedKey.from_file(args.psk, args.identity, args.tls_minimum)
        if args.certificate:
            certified = Certified.with_files(
                args.ca,
                args.name,
                args.certificate,
                args.private_key,
                args.tls_minimum,
                crl=args.crl,
            )
        else:
            certified = Certified(args.ca, args.name, minimum=args.tls_minimum, crl=args.crl)
        certified.creator("localhost")
        return certified
    except OSError as error:
        raise Failure(f"{error.filename}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(str(error)) from None


def verifier(args: argparse.Namespace) -> Verifier | None:
    """What looks at the elements' signatures, if that is asked for."""
    text = getattr(args, "signers", None)
    if text is None:
        return None
    try:
        return Verifier(signers(text), Mode(args.signatures))
    except OSError as error:
        raise Failure(f"{error.filename}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(f"--signers: {error}") from None


Ask = Callable[[Any, PoolUser], Awaitable[int]]


def ask(args: argparse.Namespace, question: Ask) -> int:
    """
    Run the event loop until `question` has its answer, and return the exit status.

    :raise Failure: it could not be asked.
    """
    from twisted.internet import reactor

    loop: Any = reactor
    called, proof, groups = registrars(args), security(args), announcements(args)
    judge = verifier(args)
    outcome: list[Any] = []

    def tell(notice: Notice) -> None:
        if args.verbose and notice.what is not What.RENEWED:
            import sys

            print(f"{notice.what.value}: {notice.words}", file=sys.stderr)

    user = PoolUser(
        loop,
        called,
        proof,
        verifier=judge,
        notify=tell,
        announcements=groups,
        dialect=PROFILES[args.profile],
    )

    def stop(result: object) -> None:
        outcome.append(result)
        user.close()
        # One turn of the event loop, in which TLS says goodbye.
        loop.callLater(0, loop.stop)

    loop.callWhenRunning(lambda: ensureDeferred(question(loop, user)).addBoth(stop))  # type: ignore[arg-type]
    loop.run()
    [result] = outcome or [KeyboardInterrupt()]
    if isinstance(result, int):
        return result
    error = getattr(result, "value", result)
    raise error
