"""What the commands that ask a registrar have in common: whom, how, and for how long."""

import argparse
import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import ensureDeferred

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
from rserpool.client.listening import SILENT, UNNAMED, Announcements
from rserpool.security.decisions import Mode
from rserpool.service.groups import interface
from rserpool.transport import endpoints
from rserpool.transport.announce import asap_group

_ENVIRONMENT = "RSERPOOL_REGISTRAR"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which registrar to ask, and how it proves itself."""
    group = parser.add_argument_group("which registrar, and how it is believed")
    group.add_argument(
        "--registrar",
        metavar="ENDPOINT",
        action="append",
        help=f"like tcp:registrar.example:3864; may be repeated; else ${_ENVIRONMENT}",
    )
    group.add_argument(
        "--ca", metavar="FILE", help="authorities that registrars are believed by"
    )
    group.add_argument(
        "--crl", metavar="FILE", help="with --ca: what these authorities have revoked"
    )
    group.add_argument(
        "--name",
        metavar="HOSTNAME",
        help="the registrar's name, if not the host that is called",
    )
    group.add_argument("--psk", metavar="FILE", help="instead: prove and believe by a key file")
    group.add_argument("--identity", metavar="NAME", help="whose key of the file")
    group.add_argument("--certificate", metavar="FILE", help="show this client certificate")
    group.add_argument("--private-key", metavar="FILE", help="its private key")
    group.add_argument(
        "--security",
        choices=["required", "none"],
        default="required",
        help="none: without TLS, for an insecure scope (default: required)",
    )
    group.add_argument(
        "--tls-minimum", choices=["1.3", "1.2"], default="1.3", help="the oldest version of TLS"
    )
    group.add_argument(
        "--profile",
        choices=list(PROFILES),
        default="rfc",
        help="whose registrar it is, where implementations differ (default: rfc)",
    )
    group.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=10.0,
        help="give up after so long (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell what happens on the way"
    )


def add_announcements(parser: argparse.ArgumentParser) -> None:
    """Add the options that let registrars be found by what they announce."""
    group = parser.add_argument_group("registrars that announce themselves by multicast")
    group.add_argument(
        "--announce", metavar="GROUP", action="append", default=[],
        help="listen there: ADDRESS:PORT, iana, iana6, rsplib; may be repeated; those of "
        "--registrar come first",
    )  # fmt: skip
    group.add_argument(
        "--announce-interface", metavar="INTERFACE", help="by name, or by its IPv4 address"
    )
    group.add_argument(
        "--silent-transport", choices=SILENT, default=SILENT[0],
        help="how a registrar is called that announces no transport (default: sctp)",
    )  # fmt: skip


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
    found = args.registrar or os.environ.get(_ENVIRONMENT, "").split()
    if not found and not getattr(args, "announce", None):
        raise Failure(
            "which registrar? Give --registrar, like --registrar tcp:registrar.example:3864, "
            f"or set {_ENVIRONMENT}"
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


def add_signers(parser: argparse.ArgumentParser) -> None:
    """Add the options that say by whom elements must have signed what registrars tell."""
    parser.add_argument(
        "--signers", metavar="KIND:FILE",
        help="believe elements that have signed what the registrar tells: "
        "certificate:CA-FILE[;crl=FILE], or keys:FILE",
    )  # fmt: skip
    parser.add_argument(
        "--signatures", choices=["enforce", "report"], default="enforce",
        help="with --signers: leave the others out (default), or only tell of them",
    )  # fmt: skip


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


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError("must be more than 0, and a day at most")
    return value
