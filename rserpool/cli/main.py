"""The ``rserpool`` command."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from rserpool.cli.options import (
    REASONS,
    add_announcements,
    add_doctor,
    add_options,
    add_signers,
)
from rserpool.cli.outcome import FAILED, INTERRUPTED, Failure

#: A command, once it is chosen.
Run = Callable[[argparse.Namespace], int]

_ABOUT = """\
Reliable Server Pooling: servers register in a pool under a handle, clients resolve the
handle and are given servers that live.

Exit status: 0 done; 1 the answer is no (unknown pool, denied, something is wrong); 2 could
not ask (usage, no connection, not authenticated): the message says what, and what to do.
"""
_EXAMPLES = """\
examples:
  rserpool init ~/pool                      keys, certificates, ready-to-run configurations
  rserpool resolve web --registrar tcp:registrar.example:3864 --ca ~/pool/ca.pem
  rserpool init ~/scope --registrars 3      the same for three registrars, r1 to r3
  rserpool dump --registrar tcp:localhost:9902 --psk ~/scope/admin.psk --identity admin@r1
  rserpool watch web --json                 (with RSERPOOL_REGISTRAR set)
  rserpool psk add ~/pool/elements.psk web-4 --to web-4.psk
  rserpool psk rotate ~/pool/elements.psk web-4 --to web-4.new
  rserpool doctor --config ~/pool/registrar.toml
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    args = _parser().parse_args(arguments)
    try:
        return chosen(args)(args)
    except Failure as failure:
        print(f"rserpool: {failure}", file=sys.stderr)
        return failure.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (like head): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def chosen(args: argparse.Namespace) -> Run:
    """Import the command that was chosen, and nothing of the others."""
    module, _, function = args.run.partition(":")
    run: Run = getattr(import_module(f"rserpool.cli.{module}"), function)
    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rserpool",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_pools(commands)
    _add_dump(commands)
    _add_init(commands)
    _add_psk(commands)
    _add_certificate(commands)
    _add_explain(commands)
    _add_doctor(commands)
    _add_audit(commands)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: str,
    about: str,
) -> argparse.ArgumentParser:
    """
    Declare a command.

    :param run: ``MODULE:FUNCTION`` in this package.
    """
    parser = commands.add_parser(
        name, help=about, description=f"{about[0].upper()}{about[1:]}."
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run)
    return parser


def _add_pools(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    resolve = _command(commands, "resolve", "pools:resolve", "print who is in a pool")
    watch = _command(
        commands, "watch", "pools:watch", "print who is in a pool at every change, until Ctrl-C"
    )
    report = _command(
        commands, "report", "pools:report",
        "tell the registrar that an element can't be reached",
    )  # fmt: skip
    for parser in (resolve, watch, report):
        parser.add_argument("pool", metavar="POOL", help="the pool handle; octets as hex:HEX")
        add_options(parser)
        add_announcements(parser)
    for parser in (resolve, watch):
        add_signers(parser)
    resolve.add_argument(
        "--items", metavar="N", type=_items, help="how many elements are wanted"
    )
    report.add_argument("pe_id", metavar="PE-ID", help="the element, decimal or 0x")


def _add_dump(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands, "dump", "dump:dump",
        "print all that a registrar knows, asked where other registrars call it (ENRP)",
    )  # fmt: skip
    add_options(parser)


def _add_init(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands, "init", "init:init",
        "make an authority, certificates, keys and ready-to-run configurations",
    )  # fmt: skip
    parser.add_argument("dir", metavar="DIR", help="a new or empty directory")
    parser.add_argument(
        "--name", metavar="HOSTNAME", action="append",
        help="a name or address of the registrar; may be repeated (default: this host's name, "
        "localhost and its addresses)",
    )  # fmt: skip
    parser.add_argument(
        "--element", metavar="NAME", action="append",
        help="an element to make a key for; may be repeated (default: web-1, web-2, web-3)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=3864, help="of the registrar (default: 3864)"
    )
    parser.add_argument("--interface", metavar="ADDRESS", help="listen on this address only")
    parser.add_argument(
        "--registrars", type=int, default=1, metavar="N",
        help="make a scope of N registrars, r1 to rN, each in a directory of its own",
    )  # fmt: skip
    parser.add_argument(
        "--host", metavar="HOSTNAME", action="append",
        help="with --registrars: where each runs, in order; else all run here, their ports "
        "10 apart",
    )  # fmt: skip
    parser.add_argument(
        "--enrp-port", type=int, default=9902,
        help="with --registrars: where registrars call each other (default: 9902)",
    )  # fmt: skip


def _add_psk(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "add, rotate, list and remove pre-shared keys"
    group = commands.add_parser("psk", help=about, description=f"{about.capitalize()}.")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _command(actions, "add", "psk:add", "add an identity with a new key to a key file")
    listed = _command(actions, "list", "psk:show", "list the identities of a key file")
    removed = _command(actions, "remove", "psk:remove", "take an identity out of a key file")
    rotated = _command(
        actions, "rotate", "rotate:rotate",
        "add the next generation of a key; run again, retire the old one when nobody uses it",
    )  # fmt: skip
    for parser in (add, listed, removed, rotated):
        parser.add_argument("file", metavar="FILE", help="the key file")
    for parser in (add, removed, rotated):
        parser.add_argument("identity", metavar="IDENTITY", help="like web-4, or web-4~2")
    listed.add_argument("identity", metavar="IDENTITY", nargs="?", help="this one alone")
    _add_rotate(rotated)
    for parser in (listed, rotated):
        parser.add_argument(
            "--status", metavar="URL", action="append", default=[],
            help="ask this registrar which keys are used, like http://localhost:8080, or "
            "tcp:8080; may be repeated",
        )  # fmt: skip
    for option, metavar, about in (
        ("--pool", "HANDLE", "good for this pool only; may be repeated"),
        ("--pe-id", "N", "good for this PE identifier only; may be repeated"),
        ("--address", "CIDR", "may also register these addresses; may be repeated"),
    ):
        add.add_argument(option, metavar=metavar, action="append", default=[], help=about)
    add.add_argument("--not-before", metavar="TIME", help="like 2027-01-31T12:00:00Z")
    add.add_argument("--not-after", metavar="TIME", help="like 2027-01-31T12:00:00Z")
    add.add_argument("--to", metavar="FILE", help="write the same key there, for the element")
    add.add_argument("--show", action="store_true", help="print the key")


def _add_rotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", metavar="FILE", help="write the new key there alone, for the element's host"
    )
    parser.add_argument("--show", action="store_true", help="print the new key")
    parser.add_argument("--not-before", metavar="TIME", help="when the new key begins")
    parser.add_argument(
        "--not-after", metavar="TIME|never", help="when the new key ends, if not as the old one"
    )
    parser.add_argument(
        "--retire", action="store_true", help="retire the old generation, and never add one"
    )
    parser.add_argument(
        "--force", action="store_true", help="retire it although it may be used still"
    )


def _add_certificate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "issue, revoke and show certificates"
    group = commands.add_parser("certificate", help=about, description=f"{about.capitalize()}.")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    issue = _command(
        actions, "issue", "certificate:issue", "issue a certificate by the authority of DIR"
    )
    issue.add_argument("dir", metavar="DIR", help="what 'rserpool init DIR' made")
    issue.add_argument(
        "--name", action="append", required=True, help="DNS name, address or URI; repeatable"
    )
    issue.add_argument("--client", action="store_true", help="for a client, not a registrar")
    issue.add_argument(
        "--pool", metavar="HANDLE", action="append", default=[],
        help="for an element that signs what it registers in this pool (Ed25519); repeatable",
    )  # fmt: skip
    issue.add_argument(
        "--days", type=_days, default=825, help="how long it is valid (default: 825)"
    )
    issue.add_argument("--out", metavar="BASE", help="write BASE.pem and BASE.key")
    show = _command(
        actions, "show", "certificate:show", "show certificates and revocation lists in a file"
    )
    show.add_argument("file", metavar="FILE", help="PEM")
    _add_revoke(actions)


def _add_revoke(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        actions, "revoke", "revoke:revoke",
        "put certificates into the revocation list of DIR; without any, make it anew",
    )  # fmt: skip
    parser.add_argument("dir", metavar="DIR", help="what 'rserpool init DIR' made")
    parser.add_argument("certificate", metavar="CERTIFICATE", nargs="*", help="PEM")
    parser.add_argument(
        "--serial", metavar="HEX", action="append", default=[],
        help="a serial number, as 'certificate show' has it; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--name", action="append", default=[],
        help="all certificates that were issued for this name; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--reason", choices=REASONS, default="unspecified", help="why, for who reads it"
    )
    parser.add_argument(
        "--days", type=_days, default=30, help="how long the list is good (default: 30)"
    )
    parser.add_argument("--out", metavar="FILE", help="the list, if not DIR/crl.pem")
    parser.add_argument(
        "--force", action="store_true", help="also a serial that nobody has written down"
    )


def _items(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < value <= 0xFFFFFFFF:
        raise argparse.ArgumentTypeError("must be a whole number from 1, of 32 bits")
    return value


def _days(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3650:
        raise argparse.ArgumentTypeError("must be more than 0, and 3650 at most")
    return value


def _add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands, "explain", "explain:explain", "tell which rule decides, and whether it allows"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--rules", metavar="FILE", help="a rules file")
    source.add_argument("--authorizer", metavar="KIND:ARGS", help="a plugin's, instead")
    parser.add_argument("principal", metavar="PRINCIPAL", help="web-1, dns:NAME, anonymous")
    parser.add_argument(
        "permission",
        metavar="PERMISSION",
        help="like asap.register.join, or asap.register for all of it",
    )
    parser.add_argument("gate", metavar="GATE", nargs="?", help="pool:HANDLE or peer:NAME")


def _add_audit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "check audit logs"
    group = commands.add_parser("audit", help=about, description=f"{about.capitalize()}.")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    parser = _command(
        actions, "verify", "audit:verify", "tell whether a line was changed or taken out since"
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="+",
        help="the audit file (those rotated from it are found), or several, the oldest first",
    )  # fmt: skip
    parser.add_argument(
        "--status", metavar="URL", help="the registrar's status page, which knows the last line"
    )
    parser.add_argument("--head", metavar="SEQ:CHAIN", help="the last line, kept elsewhere")


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands, "doctor", "doctor:doctor",
        "look what is listening, how it is secured, and what is about to end",
    )  # fmt: skip
    add_doctor(parser)


if __name__ == "__main__":
    sys.exit(main())
