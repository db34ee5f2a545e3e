"""``rserpool certificate issue|show``: certificates and lists of one's own authority."""

import argparse
import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rserpool.cli import shown
from rserpool.cli.outcome import DONE, Failure, tell
from rserpool.security.certificate import index, lists, make, revoking
from rserpool.security.certificate.name import (
    names,
    pools,
    principal,
    valid_from,
    valid_until,
    when,
    whom,
)
from rserpool.security.psk.entry import parse_entry

_NOBODY = (
    "a client's certificate needs a DNS name (not a wildcard) or a URI, by which rules can "
    "name its holder: who shows this one would not be let in"
)


def issue(args: argparse.Namespace) -> int:
    """Issue a certificate by the authority that ``rserpool init`` has made."""
    base = args.out or args.name[0].replace("/", "_").replace(":", "_").replace("*", "_")
    certificate, key = f"{base}.pem", f"{base}.key"
    for path in (certificate, key):
        if os.path.exists(path):
            raise Failure(f"{path} is there already; give another --out")
    kind = "element" if args.pool else "client" if args.client else "registrar"
    whose = "an element's" if args.pool else f"a {kind}'s"
    try:
        authority = make.load(f"{args.dir}/ca.pem", f"{args.dir}/ca.key")
        handles = [shown.handle_of(text) for text in args.pool]
        issued = make.issue(
            authority, args.name, days=args.days, client=args.client, pools=handles
        )
        made = x509.load_pem_x509_certificate(issued.certificate)
        who = principal(made)
        if kind != "registrar" and who is None:
            raise ValueError(_NOBODY)
        make.write(issued, certificate, key)
        index.record(args.dir, issued.certificate, kind)
    except OSError as error:
        within = str(error.filename).startswith(f"{args.dir}/")
        hint = "; DIR is what 'rserpool init DIR' made" if within else ""
        raise Failure(f"{error.filename}: {error.strerror}{hint}") from None
    except ValueError as error:
        raise Failure(str(error)) from None
    end = when(valid_until(made))
    tell(
        {
            "certificate": certificate, "private-key": key, "names": args.name, "for": kind,
            "principal": who, "valid-until": end,
        },
        args.json,
        f"{certificate}: {whose} certificate for {', '.join(args.name)}, until {end}",
        *([f"Who shows it is {who!r} in rules."] if kind != "registrar" else []),
        f"{key}: its private key; keep it where nobody else reads it",
    )  # fmt: skip
    return DONE


def show(args: argparse.Namespace) -> int:
    """Show what is in a file of certificates and revocation lists."""
    try:
        pem = Path(args.file).read_bytes()
        crls = lists.load(pem, args.file)
    except OSError as error:
        raise Failure(f"{args.file}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(str(error)) from None
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        found = []
    if not found and not crls:
        raise Failure(
            f"{args.file}: there is no certificate and no revocation list (PEM) in it"
        )
    values = [_described(certificate) for certificate in found]
    lines = [line for value in values for line in _lines(value)]
    listed = [_described_list(crl) for crl in crls]
    lines += [line for value in listed for line in _lines_of_list(value)]
    tell({"file": args.file, "certificates": values, "lists": listed}, args.json, *lines)
    return DONE


#: Entries of a revocation list that are printed for people; JSON has them all.
MANY = 20


def _described_list(crl: x509.CertificateRevocationList) -> dict[str, Any]:
    end = crl.next_update_utc
    return {
        "issuer": whom(crl.issuer),
        "number": lists.number(crl),
        "valid-from": when(crl.last_update_utc.timestamp()),
        "valid-until": None if end is None else when(end.timestamp()),
        "revoked": [
            {
                "serial": f"{entry.serial_number:x}",
                "since": when(entry.revocation_date_utc.timestamp()),
                "reason": revoking.reason_of(entry),
            }
            for entry in crl
        ],
    }


def _lines_of_list(value: dict[str, Any]) -> list[str]:
    revoked = value["revoked"]
    more = [f"           and {len(revoked) - MANY} more"] if len(revoked) > MANY else []
    return [
        f"revocation list of {value['issuer']}, number {value['number']}",
        f"  valid    {value['valid-from']} to {value['valid-until']}",
        f"  revoked  {len(revoked)}",
        *(
            f"           serial {one['serial']}  since {one['since']}  {one['reason']}"
            for one in revoked[:MANY]
        ),
        *more,
    ]


def _described(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "subject": whom(certificate.subject),
        "issuer": whom(certificate.issuer),
        "names": names(certificate),
        "serial": f"{certificate.serial_number:x}",
        "valid-from": when(valid_from(certificate)),
        "valid-until": when(valid_until(certificate)),
        "fingerprint": certificate.fingerprint(SHA256()).hex(":"),
        "signs-for": _signs_for(certificate),
    }


def _signs_for(certificate: x509.Certificate) -> str | None:
    """
    Return the line for a list of keys, of an element that signs what it registers.

    None: it signs nothing, or for a pool whose handle can't stand in a list.
    """
    key, handles = certificate.public_key(), sorted(pools(certificate))
    if not handles or not isinstance(key, Ed25519PublicKey):
        return None
    name = (principal(certificate) or "").partition(":")[2].replace(":", "_")
    options = "".join(f";pool={handle.decode(errors='replace')}" for handle in handles)
    line = f"{name}:{key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()}{options}"
    try:
        same = parse_entry(line).restrictions.pools == set(handles)
    except ValueError:
        same = False
    return line if same else None


def _lines(value: dict[str, Any]) -> list[str]:
    return [
        value["subject"],
        f"  for      {', '.join(value['names']) or 'no name'}",
        f"  by       {value['issuer']}",
        f"  serial   {value['serial']}",
        f"  valid    {value['valid-from']} to {value['valid-until']}",
        f"  SHA-256  {value['fingerprint']}",
        *([f"  signs    {value['signs-for']}"] if value["signs-for"] else []),
    ]
