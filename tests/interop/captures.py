"""
What was sent in the lab, read by somebody else: tshark.

.. code-block:: console

    $ python -m tests.interop.captures build/interop

No frame may be malformed, and each user message must have the payload protocol identifier that
its port asks for.  This runs on the host: tshark takes ten seconds to start in the lab.
"""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

#: By port: ASAP and ENRP (RFC 5352 and 5353, registered with IANA).
IDENTIFIERS = {"3863": "11", "9901": "12"}
#: Whatever the port: ASAP is the control channel on associations of applications, too.
ASAP, ENRP = "11", "12"
_FIELDS = (
    "frame.number", "frame.protocols", "sctp.srcport", "sctp.dstport",
    "sctp.data_payload_proto_id", "_ws.malformed", "_ws.short", "sctp.retransmission",
)  # fmt: skip


def read(capture: Path) -> Iterator[list[str]]:
    """What tshark says of each frame."""
    words = ["tshark", "-n", "-r", str(capture), "-T", "fields"]
    for field in _FIELDS:
        words += ["-e", field]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode:
        raise RuntimeError(f"{capture.name}: tshark: {ran.stderr.strip()}")
    for line in ran.stdout.splitlines():
        yield line.split("\t")


def faults(frame: Sequence[str]) -> Iterator[str]:
    """What is wrong with a frame."""
    number, protocols, source, destination, identifiers, malformed, short, again = frame
    if malformed or short:
        yield f"frame {number} ({protocols}) is malformed"
    found = identifiers.split(",") if identifiers else []
    for port in (source, destination):
        if port in IDENTIFIERS and set(found) - {IDENTIFIERS[port]}:
            yield f"frame {number} of port {port} has the identifier {identifiers}"
    for identifier, name in ((ASAP, "asap"), (ENRP, "enrp")):
        # tshark reads each message once: not in a frame that repeats it.
        if identifier in found and not again and name not in protocols.split(":"):
            yield f"frame {number} has identifier {identifier}, but isn't {name.upper()}"


def check(capture: Path) -> tuple[Counter[str], list[str]]:
    """How many messages of which identifier a capture has, and what is wrong with it."""
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    for frame in read(capture):
        counted["frames"] += 1
        counted.update(frame[4].split(",") if frame[4] else ())
        wrong += faults(frame)
    if not counted[ASAP]:
        wrong.append("there is no message of ASAP in it")
    return counted, wrong


def main(directory: str) -> int:
    """Read all captures there; 1 if something is wrong with one."""
    if shutil.which("tshark") is None:
        print("captures: tshark is missing. On Debian: apt-get install tshark", file=sys.stderr)
        return 1
    captures = sorted(Path(directory).glob("*.pcap"))
    status = 0
    for capture in captures:
        counted, wrong = check(capture)
        print(
            f"{capture.name}: {counted['frames']} frames, {counted[ASAP]} messages of ASAP, "
            f"{counted[ENRP]} of ENRP, {len(wrong)} faults"
        )
        for fault in wrong[:20]:
            print(f"{capture.name}: {fault}", file=sys.stderr)
        status |= bool(wrong)
    if not captures:
        print("no captures: the tests that were chosen take none")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
