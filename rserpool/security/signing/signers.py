"""Whose signatures a pool user believes: of a site's authority, or those in a list of keys."""

from collections.abc import Mapping

from rserpool.security.signing.authorized import Authorized
from rserpool.security.signing.entitled import Signers
from rserpool.security.signing.listed import Listed

__all__ = ["KINDS", "Signers", "signers"]

#: By what `--signers` calls them.
KINDS: Mapping[str, type[Listed] | type[Authorized]] = {
    "certificate": Authorized,
    "keys": Listed,
}


def signers(text: str) -> Signers:
    """
    Read ``certificate:CA-FILE[;crl=FILE]`` or ``keys:FILE``, and the files.

    :raise ValueError: (or OSError) they can't be used.
    """
    kind, colon, rest = text.partition(":")
    if kind not in KINDS or not colon or not rest:
        raise ValueError(f"{text!r} isn't certificate:CA-FILE, or keys:FILE")
    return KINDS[kind](rest)
