"""Settings that name something outside."""

import os

from twisted.trial.unittest import SynchronousTestCase

from rserpool.service.kinds import endpoint, file, local_endpoint, provider


class Kinds(SynchronousTestCase):
    """Endpoints, files, providers."""

    def test_endpoints(self):
        """Where one can listen, in Twisted's ways of writing it."""
        for good in (
            "tcp:0", "tcp:65535", "tcp:3864:interface=127.0.0.1", r"tcp:1:interface=\:\:1",
            "tcp6:1", "tcp:port=1", "tcp:backlog=5:port=1", r"tcp:interface=\:\:1:port=1",
            "tcp:1:interface=[::1]", "tcp:interface=[::1]:port=1",
        ):  # fmt: skip
            self.assertEqual(endpoint(good), good)

    def test_no_endpoints(self):
        """What can't be listened on is refused when it is read, not when it is bound."""
        for bad in ("", 7, "3864", "tcp:", "tcp:http", "tcp:-1", "tcp:65536", "tcp:port=99999",
                    "tcp:1:2:3:4", "sctp:", "sctp:65536", "sctp:1:2", "unix:/x",
                    "tcp:1:nonsense=2"):  # fmt: skip
            with self.assertRaises(ValueError, msg=bad):
                endpoint(bad)

    def test_local(self):
        """Without an interface it is this host's own; with one it is as it says."""
        for given, expected in (
            ("tcp:80", "tcp:80:interface=127.0.0.1"),
            ("tcp6:80", r"tcp6:80:interface=\:\:1"),
            ("tcp:80:interface=", "tcp:80:interface="),
            ("tcp:80:interface=192.0.2.1", "tcp:80:interface=192.0.2.1"),
        ):
            self.assertEqual(local_endpoint(given), expected)
            self.assertEqual(local_endpoint(expected), expected)

    def test_local_by_position(self):
        """An interface that isn't named could be overlooked: it is refused."""
        with self.assertRaisesRegex(ValueError, "interface=ADDRESS"):
            local_endpoint("tcp:80:0.0.0.0")

    def test_files(self):
        """A path is made absolute; what can't be one is refused."""
        self.assertEqual(file("x/y"), os.path.abspath("x/y"))
        self.assertEqual(file("/x"), "/x")
        for bad in ("", 1, "a\nb", "a\0b"):
            with self.assertRaises(ValueError):
                file(bad)

    def test_providers(self):
        """The files of our own kinds are made absolute; a plugin's arguments are its own."""
        self.assertEqual(provider("psk:x"), f"psk:{os.path.abspath('x')}")
        self.assertEqual(provider("certificate:/x"), "certificate:/x")
        both = f"certificate:{os.path.abspath('x')};crl={os.path.abspath('y')};crl=/z"
        self.assertEqual(provider("certificate:x;crl=y;crl=/z"), both)
        for bad in ("certificate:x;crl=", "certificate:;crl=y"):
            self.assertRaises(ValueError, provider, bad)
        for same in ("psk:", "psk", "ldap:x", "refuse-all:", "other:a:b"):
            self.assertEqual(provider(same), same)
