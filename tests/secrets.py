"""
Keys that tests use, searched for where none may stand: ``python -m tests.secrets LOG...``.

Each test with real processes searches its own logs.  What it used is remembered in
build/secrets.txt, so that the log of the whole suite can be searched at its end, too.
"""

import base64
import re
import sys
from pathlib import Path

REMEMBERED = Path(__file__).parent.parent / "build" / "secrets.txt"
_ENTRY = re.compile(rb"(?m)^([^#\n:][^\n:]*):([0-9a-fA-F]{32,128})(?:;|\s|$)")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END", re.DOTALL)
#: Octets of a private key in PEM that tell it from others: its end, not what all begin with.
_TELLING = slice(-48, None)


def of(directory):
    """The keys in the files of a directory: whose it is, and its octets."""
    found = {}
    for path in directory.rglob("*"):
        if not path.is_file() or path.suffix not in (".psk", ".key", ".old", ".wrong"):
            continue
        data = path.read_bytes()
        for name, digits in _ENTRY.findall(data):
            if len(set(digits)) > 4:  # the test's own, not ab repeated
                found[f"{name.decode(errors='replace')} of {path.name}"] = bytes.fromhex(
                    digits.decode()
                )
        for body in _PRIVATE.findall(data):
            found[path.name] = base64.b64decode(body)[_TELLING]
    return found


def remember(keys):
    """Keep them for the search at the end."""
    REMEMBERED.parent.mkdir(exist_ok=True)
    with REMEMBERED.open("a") as file:
        file.writelines(f"{key.hex()} {name}\n" for name, key in keys.items())


def leaked(keys, data):
    """The name of a key that stands in `data`: as it is, in hexadecimal, base64 or Python."""
    folded = data.lower()
    for name, key in keys.items():
        for form in (key, repr(key)[2:-1].encode(), base64.b64encode(key)[:-4]):
            if form in data:
                return name
        if key.hex().encode() in folded:
            return name
    return ""


def main(paths):
    """Search these files for all that were remembered."""
    keys = {}
    for line in REMEMBERED.read_text().splitlines():
        digits, _, name = line.partition(" ")
        keys[f"{name} {digits[:4]}"] = bytes.fromhex(digits)
    if not keys:
        sys.exit("no key was remembered: has the suite run?")
    for path in paths:
        found = leaked(keys, Path(path).read_bytes())
        if found:
            sys.exit(f"{path} has the key of {found}")
    print(f"none of {len(keys)} keys stands in {', '.join(paths)}")


if __name__ == "__main__":
    main(sys.argv[1:])
