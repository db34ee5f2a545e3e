"""
What the commands that ask a registrar can be told: whom, how, and for how long.

Nothing of what asks is imported here, nor anything else that takes its time: every command
declares its options, and one of them runs.
"""

import argparse

#: Where registrars stand that aren't given.
ENVIRONMENT = "RSERPOOL_REGISTRAR"
#: The same as in :mod:`rserpool.client`, which takes half a second to import; a test compares.
PROFILES = ("rfc", "rsplib")
SILENT = ("sctp", "tcp")
#: The same as in :mod:`rserpool.security.certificate.revoking`.
REASONS = (
    "unspecified",
    "key-compromise",
    "affiliation-changed",
    "superseded",
    "cessation-of-operation",
    "privilege-withdrawn",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which registrar to ask, and how it proves itself."""
    group = parser.add_argument_group("which registrar, and how it is believed")
    group.add_argument(
        "--registrar",
        metavar="ENDPOINT",
        action="append",
        help=f"like tcp:registrar.example:3864; may be repeated; else ${ENVIRONMENT}",
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
        choices=PROFILES,
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


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add what the doctor can be told."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a registrar.toml: look at it, and at all that it names",
    )
    parser.add_argument(
        "--status", metavar="URL", action="append", default=[],
        help="ask this registrar which keys are used (default: the one in FILE)",
    )  # fmt: skip
    parser.add_argument(
        "--offline", action="store_true", help="with --config: call nobody, look at files only"
    )
    add_options(parser)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(
            "must be a number of seconds: more than 0, a day at most"
        )
    return value
