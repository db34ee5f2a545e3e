"""The check of what was sent in the lab; on any host that has tshark."""

import struct
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap
from tests.interop.captures import check, main
from tests.programs import requires

RESOLUTION = asap.encode(asap.HandleResolution(handle=b"web"))
ECHOED = b"hello"


class Captures(SynchronousTestCase):
    """Frames that nobody in the lab has sent."""

    skip = requires("tshark")

    def capture(self, *messages):
        """The path of a capture of these: port, payload protocol identifier, octets."""
        directory = tempfile.TemporaryDirectory(prefix="rserpool-test-")
        self.addCleanup(directory.cleanup)
        data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)  # raw IP
        for number, (port, identifier, message) in enumerate(messages):
            chunk = struct.pack(
                "!BBHIHHI", 0, 3, 16 + len(message), number, 0, number, identifier
            )
            chunk += message + bytes(-len(message) % 4)
            packet = struct.pack("!HHII", 40_000, port, 1, 0) + chunk
            packet = struct.pack(
                "!BBHHHBBH4s4s", 0x45, 0, 20 + len(packet), 0, 0, 64, 132, 0,
                bytes((10, 1, 1, 1)), bytes((10, 1, 1, 2)),
            ) + packet  # fmt: skip
            data += struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
        path = Path(directory.name, "scene.pcap")
        path.write_bytes(data)
        return path

    def test_right(self):
        """What is as it should be, the data of an application included."""
        counted, wrong = check(
            self.capture((3863, 11, RESOLUTION), (5000, 33, ECHOED), (5000, 11, RESOLUTION))
        )
        self.assertEqual(wrong, [])
        self.assertEqual((counted["frames"], counted["11"], counted["33"]), (3, 2, 1))

    def test_identifiers(self):
        """Another identifier than that of the port."""
        for port, identifier in ((3863, 12), (3863, 0), (9901, 11)):
            capture = self.capture((3863, 11, RESOLUTION), (port, identifier, RESOLUTION))
            [fault] = [f for f in check(capture)[1] if f"of port {port}" in f]
            self.assertIn("frame 2", fault)

    def test_malformed(self):
        """A parameter that says it is longer than its message."""
        broken = bytearray(RESOLUTION)
        broken[7] = 200
        [fault] = check(self.capture((3863, 11, RESOLUTION), (3863, 11, bytes(broken))))[1]
        self.assertIn("frame 2", fault)
        self.assertIn("malformed", fault)

    def test_nothing(self):
        """A capture without a message of ASAP proves nothing."""
        capture = self.capture((5000, 33, ECHOED))
        self.assertEqual(check(capture)[1], ["there is no message of ASAP in it"])
        self.assertEqual(main(str(capture.parent)), 1)
