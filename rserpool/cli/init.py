"""``rserpool init DIR``: everything that first registrars and first elements need."""

import argparse
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from rserpool.cli import scope
from rserpool.cli.outcome import DONE, Failure, tell
from rserpool.security.certificate import index, make
from rserpool.security.psk import keyfile
from rserpool.security.psk.entry import check_identity

_REGISTRAR = """\
# A registrar of Reliable Server Pooling; every key is described in etc/registrar.toml.
# Run it:  twistd -n --pidfile= rserpool-enrp --config {dir}/registrar.toml

[registrar]
security = "required"
server-id = {server_id}
asap-tls = ["tcp:{port}{interface}"]
auth = ["psk:{dir}/elements.psk"]
certificate = "{dir}/registrar.pem"
private-key = "{dir}/registrar.key"
rules = "{dir}/rules.toml"

# Who did what and who was denied; check it with: rserpool audit verify {dir}/audit.log
[audit]
file = "{dir}/audit.log"
"""

_ELEMENT = """\
# A pool element; every key is described in etc/pe.toml.
# Run it beside your server:  twistd -n --pidfile= rserpool-pe --config {dir}/pe.toml

[element]
pool = "{pool}"
service = "tcp:127.0.0.1:8080"
registrar = [{registrars}]
psk = "{dir}/{file}"
check = "tcp"
"""

_RULES = """\
# Who may do what; etc/rules.toml explains it.

[roles.all]
rules = ["asap.resolve", "asap.unreachable"]

[roles.psk]
rules = ["asap.register", "asap.deregister"]
"""


def init(args: argparse.Namespace) -> int:
    """Make an authority, the registrar's certificate, keys, rules and configurations."""
    directory = Path(args.dir).absolute()
    names = args.name or ["localhost", _hostname(), "127.0.0.1", "::1"]
    names = list(dict.fromkeys(names))
    host = args.name[0] if args.name else "127.0.0.1"
    try:
        if directory.exists() and any(directory.iterdir()):
            raise Failure(f"{directory} isn't empty; give another directory, or empty it first")
        elements = _files(args)
        found = scope.places(directory, args, host)
        with _whole(directory):
            _make(directory, args, elements, found, names)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise Failure(str(error)) from None
    if args.registrars > 1:
        _say_scope(directory, args, found, elements)
    else:
        _say(directory, args, names, elements)
    return DONE


def _files(args: argparse.Namespace) -> dict[str, str]:
    """
    Each element, and the name of its key file.

    :raise ValueError: what is asked for can't be made; nothing has been made yet.
    """
    if args.registrars < 1:
        raise ValueError("--registrars: at least one")
    if not str(Path(args.dir).absolute()).isprintable():
        raise ValueError(f"{args.dir!r}: give a directory whose name can be printed")
    if args.interface:
        ip_address(args.interface)
    files: dict[str, str] = {}
    for element in dict.fromkeys(args.element or ["web-1", "web-2", "web-3"]):
        check_identity(element)
        file = f"{element.replace('/', '_')}.psk"
        if file in {*files.values(), "elements.psk", f"{scope.ADMINISTRATOR}.psk"}:
            raise ValueError(f"--element {element}: {file} is another key file's name already")
        files[element] = file
    return files


@contextmanager
def _whole(directory: Path) -> Iterator[None]:
    """Take everything away again when not all of it could be made."""
    there = directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except BaseException:
        for path in directory.iterdir() if directory.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if directory.is_dir() and not there:
            directory.rmdir()
        raise


def _make(
    directory: Path,
    args: argparse.Namespace,
    elements: dict[str, str],
    found: list[scope.Place],
    names: list[str],
) -> None:
    authority = make.authority("rserpool authority")
    make.write(authority, str(directory / "ca.pem"), str(directory / "ca.key"))
    for element, file in elements.items():
        secret = os.urandom(32)
        for each in ("elements.psk", file):
            keyfile.add(str(directory / each), element, secret)
    if args.registrars > 1:
        _scope(directory, found, authority, names, args)
    else:
        _single(directory, authority, names, args)
    text = _ELEMENT.format(
        dir=scope.quoted(directory), file=scope.quoted(next(iter(elements.values()))),
        pool="web", registrars=", ".join(f'"{place.asap}"' for place in found),
    )  # fmt: skip
    (directory / "pe.toml").write_text(text)


def _single(
    directory: Path, authority: make.Issued, names: list[str], args: argparse.Namespace
) -> None:
    registrar = make.issue(authority, names)
    index.record(directory, registrar.certificate, "registrar")
    make.write(registrar, str(directory / "registrar.pem"), str(directory / "registrar.key"))
    text = _REGISTRAR.format(
        dir=scope.quoted(directory), port=args.port, interface=_interface(args),
        server_id=f"{int.from_bytes(os.urandom(4), 'big') or 1:#010x}",
    )  # fmt: skip
    (directory / "registrar.toml").write_text(text)
    (directory / "rules.toml").write_text(_RULES)


def _scope(
    directory: Path,
    found: list[scope.Place],
    authority: make.Issued,
    names: list[str],
    args: argparse.Namespace,
) -> None:
    scope.write(found, authority, names, _RULES, _interface(args))
    for place in found:
        # Each directory has all that its registrar needs, so that it can go to its host.
        keys = place.directory / "elements.psk"
        keys.touch(mode=0o600)
        keys.write_bytes((directory / "elements.psk").read_bytes())


def _interface(args: argparse.Namespace) -> str:
    # A colon is escaped for the endpoint, and the backslash once more for TOML.
    address = (args.interface or "").replace(":", r"\\:")
    return f":interface={address}" if address else ""


def _say(
    directory: Path, args: argparse.Namespace, names: list[str], elements: dict[str, str]
) -> None:
    value = {
        "directory": str(directory),
        "names": names,
        "elements": list(elements),
        "files": sorted(path.name for path in directory.iterdir()),
    }
    host = names[0]
    resolve = f"rserpool resolve web --registrar tcp:{host}:{args.port}"
    tell(
        value,
        args.json,
        f"Made in {directory}:",
        _file("ca.pem, ca.key", "an authority; users get ca.pem, ca.key stays here"),
        _file("registrar.pem, registrar.key", f"the certificate for {', '.join(names)}"),
        _file("elements.psk", f"the keys of {', '.join(elements)}, for the registrar"),
        *(
            _file(file, f"the key of {one}: take it to its host")
            for one, file in elements.items()
        ),
        _file("rules.toml", "who may do what"),
        _file("registrar.toml, pe.toml", "ready to run"),
        "",
        "Next:",
        f"  twistd -n --pidfile= rserpool-enrp --config {directory}/registrar.toml",
        f"  twistd -n --pidfile= rserpool-pe --config {directory}/pe.toml "
        "--service tcp:ADDRESS:PORT",
        f"  {resolve} --ca {directory}/ca.pem",
    )


def _say_scope(
    directory: Path,
    args: argparse.Namespace,
    found: list[scope.Place],
    elements: dict[str, str],
) -> None:
    value = {
        "directory": str(directory),
        "registrars": [
            {"name": place.name, "directory": str(place.directory), "asap": place.asap,
             "enrp": place.enrp}
            for place in found
        ],
        "elements": list(elements),
        "files": sorted(str(p.relative_to(directory)) for p in directory.rglob("*.*")),
    }  # fmt: skip
    first = found[0]
    tell(
        value,
        args.json,
        f"Made in {directory}:",
        _file("ca.pem, ca.key", "an authority; users get ca.pem, ca.key stays here"),
        *(
            _file(f"{place.name}/", f"registrar {place.name} at {place.asap}: for its host")
            for place in found
        ),
        _file("  registrars.psk", "in each: its keys with the others, and with admin"),
        _file("admin.psk", "the keys to look at all of them: rserpool dump"),
        _file("elements.psk", f"the keys of {', '.join(elements)}; each registrar has a copy"),
        *(
            _file(file, f"the key of {one}: take it to its host")
            for one, file in elements.items()
        ),
        _file("pe.toml", "an element's configuration, which knows all registrars"),
        "",
        "Next:",
        *(
            f"  twistd -n --pidfile= rserpool-enrp --config {place.directory}/registrar.toml"
            for place in found
        ),
        f"  twistd -n --pidfile= rserpool-pe --config {directory}/pe.toml "
        "--service tcp:ADDRESS:PORT",
        f"  rserpool resolve web --registrar {first.asap} --ca {directory}/ca.pem",
        f"  rserpool dump --registrar {first.enrp} --psk {directory}/admin.psk "
        f"--identity {scope.ADMINISTRATOR}@{first.name}",
    )


def _file(name: str, about: str) -> str:
    return f"  {name:<29}  {about}"


def _hostname() -> str:
    return socket.gethostname() or "localhost"
