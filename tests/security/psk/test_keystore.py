"""The keys in force."""

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.interfaces import IKeyStore
from rserpool.security.psk.keystore import KeyStore, secrets_of

A, B = "aa" * 32, "bb" * 32


class Store(SynchronousTestCase):
    """A key file, and a clock in the test's hand."""

    def setUp(self) -> None:
        """Start at second 1000."""
        self.now = 1000.0
        self.path = self.mktemp()

    def store(self, text: str, own: tuple[str, ...] = ()) -> KeyStore:
        """Write the file and read it."""
        self.write(text)
        return KeyStore(self.path, own, lambda: self.now)

    def write(self, text: str) -> None:
        """Write the file."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path, 0o600)

    def test_lookup(self) -> None:
        """A key is found by its exact identity."""
        store = self.store(f"pe-1:{A}\npe-1~2:{B}\n")
        verifyObject(IKeyStore, store)
        self.assertEqual(store.lookup("pe-1").secret, bytes.fromhex(A))
        self.assertEqual(store.lookup("pe-1~2").secret, bytes.fromhex(B))
        for identity in ("pe-1~1", "PE-1", "pe-1 ", "", "pe"):
            self.assertIsNone(store.lookup(identity))
        self.assertEqual(len(store), 2)

    def test_generations(self) -> None:
        """All generations of a name in the file are in force side by side."""
        store = self.store(f"pe-1:{A}\npe-1~2:{B}\n")
        self.assertEqual({store.lookup(i).principal for i in ("pe-1", "pe-1~2")}, {"pe-1"})

    def test_time(self) -> None:
        """A key isn't in force before its beginning, nor from its end on."""
        store = self.store(
            f"a:{A};not-before=1970-01-01T00:20:00;not-after=1970-01-01T00:25:00\n"
        )
        for now, known in (
            (0, False),
            (1199, False),
            (1200, True),
            (1499, True),
            (1500, False),
        ):
            self.now = now
            self.assertEqual(store.lookup("a") is not None, known, now)

    def test_own(self) -> None:
        """Nobody may show us an identity that we show to others (RFC 9257 section 4.1)."""
        store = self.store(f"a@b:{A}\nb@a:{B}\n", own=("a@b",))
        self.assertIsNone(store.lookup("a@b"))
        self.assertIsNotNone(store.lookup("b@a"))
        store.own = frozenset({"b@a"})
        self.assertIsNone(store.lookup("b@a"))

    def test_reload(self) -> None:
        """A good file replaces the keys, a bad or missing one leaves the last good ones."""
        store = self.store(f"a:{A}\n")
        self.write(f"b:{'bb' * 16}\n")
        self.assertEqual(len(store.reload()), 1)
        self.assertEqual(len(store.warnings), 1)
        self.assertIsNone(store.lookup("a"))
        for spoil in (lambda: self.write("b:\n"), lambda: os.unlink(self.path)):
            spoil()
            self.assertRaises((ValueError, OSError), store.reload)
            self.assertIsNotNone(store.lookup("b"))

    def test_secrets_of(self) -> None:
        """Of several stores the first that has the identity is believed."""
        first, second = self.store(f"a:{A}\n"), self.store(f"a:{B}\nb:{B}\n")
        lookup = secrets_of(first, second)
        self.assertEqual(lookup("a"), bytes.fromhex(A))
        self.assertEqual(lookup("b"), bytes.fromhex(B))
        self.assertIsNone(lookup("c"))

    def test_no_secret_in_repr(self) -> None:
        """Keys don't show their secret."""
        self.assertNotIn("aaaa", repr(self.store(f"a:{A}\n").lookup("a")))
