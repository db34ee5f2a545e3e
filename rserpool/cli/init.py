"""``rserpool init DIR``: everything that a first registrar and a first element need."""

import argparse
import os
import socket
from pathlib import Path

from rserpool.cli.outcome import DONE, Failure, tell
from rserpool.security.certificate import make
from rserpool.security.psk import keyfile

_REGISTRAR = """\
# A registrar of Reliable Server Pooling; every key is described in etc/registrar.toml.
# Run it:  twistd -n rserpool-enrp --config {dir}/registrar.toml

[registrar]
security = "required"
server-id = {server_id}
asap-tls = ["tcp:{port}{interface}"]
auth = ["psk:{dir}/elements.psk"]
certificate = "{dir}/registrar.pem"
private-key = "{dir}/registrar.key"
rules = "{dir}/rules.toml"
"""

_ELEMENT = """\
# A pool element; every key is described in etc/pe.toml.
# Run it beside your server:  twistd -n rserpool-pe --config {dir}/pe.toml

[element]
pool = "{pool}"
service = "tcp:127.0.0.1:8080"
registrar = ["tcp:{host}:{port}"]
psk = "{dir}/{element}.psk"
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
    if directory.exists() and any(directory.iterdir()):
        raise Failure(f"{directory} isn't empty; give another directory, or empty it first")
    names = args.name or ["localhost", _hostname(), "127.0.0.1", "::1"]
    elements = args.element or ["web-1", "web-2", "web-3"]
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _certificates(directory, list(dict.fromkeys(names)))
        for element in elements:
            secret = os.urandom(32)
            for file in ("elements", element.replace("/", "_")):
                keyfile.add(str(directory / f"{file}.psk"), element, secret)
        _configurations(directory, args, elements[0])
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise Failure(str(error)) from None
    _say(directory, args, names, elements)
    return DONE


def _certificates(directory: Path, names: list[str]) -> None:
    authority = make.authority("rserpool authority")
    make.write(authority, str(directory / "ca.pem"), str(directory / "ca.key"))
    registrar = make.issue(authority, names)
    make.write(registrar, str(directory / "registrar.pem"), str(directory / "registrar.key"))


def _configurations(directory: Path, args: argparse.Namespace, element: str) -> None:
    # A colon is escaped for the endpoint, and the backslash once more for TOML.
    address = (args.interface or "").replace(":", r"\\:")
    interface = f":interface={address}" if address else ""
    facts = {
        "dir": directory,
        "port": args.port,
        "interface": interface,
        "host": args.name[0] if args.name else "127.0.0.1",
        "pool": "web",
        "element": element,
        "server_id": f"{int.from_bytes(os.urandom(4), 'big') or 1:#010x}",
    }
    (directory / "registrar.toml").write_text(_REGISTRAR.format(**facts))
    (directory / "pe.toml").write_text(_ELEMENT.format(**facts))
    (directory / "rules.toml").write_text(_RULES)


def _say(
    directory: Path, args: argparse.Namespace, names: list[str], elements: list[str]
) -> None:
    value = {
        "directory": str(directory),
        "names": names,
        "elements": elements,
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
        *(_file(f"{name}.psk", f"the key of {name}: take it to its host") for name in elements),
        _file("rules.toml", "who may do what"),
        _file("registrar.toml, pe.toml", "ready to run"),
        "",
        "Next:",
        f"  twistd -n rserpool-enrp --config {directory}/registrar.toml",
        f"  twistd -n rserpool-pe --config {directory}/pe.toml --service tcp:ADDRESS:PORT",
        f"  {resolve} --ca {directory}/ca.pem",
    )


def _file(name: str, about: str) -> str:
    return f"  {name:<29}  {about}"


def _hostname() -> str:
    return socket.gethostname() or "localhost"
