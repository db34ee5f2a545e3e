"""Where the tests of SCTP run, and where they don't."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import inside


class Lab(SynchronousTestCase):
    """The kernel under these tests."""

    if not inside():
        skip = "the tests of SCTP aren't run on this host: make interop runs them in the lab"

    def test_sctp(self) -> None:
        """The lab's kernel speaks SCTP, over IPv4 and IPv6."""
        for family in (socket.AF_INET, socket.AF_INET6):
            with socket.socket(family, socket.SOCK_STREAM, 132) as made:
                self.assertEqual(made.proto, 132)
