"""``rserpool init DIR --registrars N``: a scope, each registrar in a directory of its own."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from rserpool.security.certificate import make
from rserpool.security.certificate.index import record
from rserpool.security.certificate.make import Issued
from rserpool.security.psk import keyfile

#: Between the ports of registrars that share a host.
STEP = 10
#: Who may look at the handlespace of every registrar (``rserpool dump``), and nothing else.
ADMINISTRATOR = "admin"

_REGISTRAR = """\
# Registrar {name} of a scope of {count}; every key is described in etc/registrar.toml.
# Run it:  twistd -n --pidfile= rserpool-enrp --config {dir}/registrar.toml

[registrar]
security = "required"
server-id = {server_id}
asap-tls = ["tcp:{port}{interface}"]
auth = ["psk:{dir}/elements.psk"]
certificate = "{dir}/registrar.pem"
private-key = "{dir}/registrar.key"
rules = "{dir}/rules.toml"

# The other registrars: where they call, where they are called, and the keys of each pair.
identity = "{name}"
enrp-tls = ["tcp:{enrp_port}{interface}"]
enrp-auth = ["psk:{dir}/registrars.psk"]
peer = [{peers}]

# Who did what and who was denied; check it with: rserpool audit verify {dir}/audit.log
[audit]
file = "{dir}/audit.log"
"""

RULES = """
# Registrars tell each other everything; each has keys with the others (enrp-auth).
[roles.registrars]
rules = ["enrp"]
{users}
# Whoever has its key may look at all pools and elements: rserpool dump.
[users.admin]
rules = ["enrp.list", "enrp.table"]
"""


@attrs.frozen
class Place:
    """One registrar, and where it is."""

    name: str
    host: str
    port: int
    enrp_port: int
    directory: Path

    @property
    def asap(self) -> str:
        """Where pool elements and users call it."""
        return f"tcp:{_bracketed(self.host)}:{self.port}"

    @property
    def enrp(self) -> str:
        """Where registrars call it."""
        return f"tcp:{_bracketed(self.host)}:{self.enrp_port}"


def places(directory: Path, args: argparse.Namespace, host: str) -> list[Place]:
    """
    Where the registrars are: on hosts of their own, or on one host with different ports.

    :raise ValueError: the options don't fit together.
    """
    count: int = args.registrars
    hosts: list[str] = args.host or []
    if hosts and len(hosts) != count:
        raise ValueError(f"--host is given {len(hosts)} times, for {count} registrars")
    found = []
    for index in range(count):
        step = 0 if hosts else index * STEP
        name = f"r{index + 1}"
        place = Place(
            name, hosts[index] if hosts else host, args.port + step, args.enrp_port + step,
            directory / name,
        )  # fmt: skip
        for port in (place.port, place.enrp_port):
            if not 0 < port < 65536:
                raise ValueError(f"registrar {name} would have port {port}")
        found.append(place)
    ports = {(place.host, port) for place in found for port in (place.port, place.enrp_port)}
    if len(ports) != 2 * count:
        raise ValueError("the ports of two registrars would be the same; change --enrp-port")
    return found


def write(
    found: list[Place], authority: Issued, names: list[str], rules: str, interface: str
) -> None:
    """Make certificates, keys and configurations of all of them."""
    pairs = list(_pairs(found))
    users = "".join(f'[users.{place.name}]\nroles = ["registrars"]\n' for place in found)
    admin = found[0].directory.parent / f"{ADMINISTRATOR}.psk"
    for place in found:
        place.directory.mkdir(mode=0o700)
        own = [place.host, *(name for name in names if name != place.host)]
        issued = make.issue(authority, own)
        record(place.directory.parent, issued.certificate, "registrar")
        base = place.directory / "registrar"
        make.write(issued, f"{base}.pem", f"{base}.key")
        (place.directory / "rules.toml").write_text(rules + RULES.format(users=users))
        keys = place.directory / "registrars.psk"
        for caller, called, secret in pairs:
            if place.name in (caller, called):
                keyfile.add(str(keys), f"{caller}@{called}", secret)
        secret = os.urandom(32)
        for file in (keys, admin):
            keyfile.add(str(file), f"{ADMINISTRATOR}@{place.name}", secret)
        peers = ", ".join(
            f'"{other.name}={other.enrp}"' for other in found if other is not place
        )
        text = _REGISTRAR.format(
            name=place.name, count=len(found), dir=quoted(place.directory), port=place.port,
            enrp_port=place.enrp_port, interface=interface, peers=peers,
            server_id=f"{int.from_bytes(os.urandom(4), 'big') or 1:#010x}",
        )  # fmt: skip
        (place.directory / "registrar.toml").write_text(text)


def quoted(text: object) -> str:
    """Return what stands for it between the quotes of a TOML string."""
    return str(text).replace("\\", "\\\\").replace('"', '\\"')


def _pairs(found: list[Place]) -> Iterator[tuple[str, str, bytes]]:
    for caller in found:
        for called in found:
            if caller is not called:
                yield caller.name, called.name, os.urandom(32)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
