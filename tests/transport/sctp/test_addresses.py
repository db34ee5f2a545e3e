"""Addresses as the kernel takes and gives them."""

import socket
import struct
from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.transport.sctp import addresses


class Packing(SynchronousTestCase):
    """The layouts of ``sockaddr_in`` and ``sockaddr_in6``."""

    def test_both(self):
        """What is packed is read back, one after the other."""
        packed = addresses.pack(ip_address("192.0.2.1"), 3863)
        packed += addresses.pack(ip_address("2001:db8::7"), 3863)
        self.assertEqual(len(packed), 16 + 28)
        self.assertEqual(
            addresses.unpack(struct.pack("=iI", 0, 2) + packed),
            [("192.0.2.1", 3863), ("2001:db8::7", 3863)],
        )

    def test_mapped(self):
        """An IPv4 address in IPv6 clothes is given as IPv4."""
        packed = addresses.pack(ip_address("::ffff:192.0.2.1"), 1)
        self.assertEqual(addresses.read(packed), ("192.0.2.1", 1, 28))

    def test_bound(self):
        """However many the kernel says there are, no more are read than fit."""
        count = addresses.MAXIMUM_ADDRESSES
        packed = addresses.pack(ip_address("192.0.2.1"), 1) * (count + 5)
        found = addresses.unpack(struct.pack("=iI", 0, count + 5) + packed)
        self.assertEqual(len(found), count)

    def test_family(self):
        """One socket has addresses of both families if it is IPv6's."""
        four, six = ip_address("192.0.2.1"), ip_address("::1")
        self.assertEqual(addresses.family([four]), socket.AF_INET)
        self.assertEqual(addresses.family([four, six]), socket.AF_INET6)
