"""What the kernel tells of an association."""

import struct
from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.transport.sctp.addresses import pack
from rserpool.transport.sctp.notification import Notification, What, notification


class Reading(SynchronousTestCase):
    """The layouts of RFC 6458 section 6.1, as Linux has them."""

    def test_association(self):
        """Its end and its restart matter, its beginning doesn't."""
        for state, what in ((0, What.OTHER), (1, What.LOST), (2, What.RESTARTED)):
            data = struct.pack("=HHIHHHHi", 0x8001, 0, 20, state, 0, 1, 1, 7)
            self.assertEqual(notification(data), Notification(what))

    def test_address(self):
        """Which address it is of, and whether the peer is reached there."""
        packed = pack(ip_address("192.0.2.1"), 1).ljust(128, b"\0")
        for state, what in (
            (0, What.REACHED), (1, What.UNREACHED), (5, What.CONFIRMED), (3, What.OTHER),
        ):  # fmt: skip
            data = struct.pack("=HHI128siii", 0x8002, 0, 148, packed, state, 0, 7)
            self.assertEqual(notification(data), Notification(what, "192.0.2.1"))

    def test_partial(self):
        """A partial delivery that comes to nothing."""
        data = struct.pack("=HHIIiII", 0x8006, 0, 24, 0, 7, 0, 0)
        self.assertEqual(notification(data), Notification(What.GIVEN_UP))
