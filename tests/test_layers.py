"""Who may import whom, from the syntax tree."""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent / "rserpool"
#: What each package may import of ours, beside itself.
BELOW = {
    "wire": set(),
    "handlespace": {"wire"},
    "security": set(),
    "registrar": {"wire", "handlespace", "security.decisions", "security.interfaces"},
    "transport": {"wire.framing", "wire.errors", "security"},
    "client": {"wire", "transport", "security"},
    "cli": {"wire", "transport", "security", "client", "service"},
    "service": {"wire", "handlespace", "registrar", "transport", "security", "client"},
}
#: What the pure parts know nothing of: reactor, sockets, clocks, files, chance.
IMPURE = {"twisted", "OpenSSL", "socket", "ssl", "time", "random", "os", "pathlib", "select",
          "threading", "subprocess", "datetime", "asyncio", "secrets", "io"}  # fmt: skip
#: Pure modules of `client`; the others are its Twisted side.
PURE_CLIENT = {"effects", "element", "events", "hunt", "user", "reports", "resolution", "cache",
               "causes", "bucket", "floods", "failover", "visit", "announced", "dialect",
               "statement", "moving", "draw", "drawing", "fairness"}  # fmt: skip


def modules():
    """Package, module name and syntax tree of every module."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if len(parts) > 1:
            yield parts[0], path.stem, path, ast.parse(path.read_text())


def imported(tree, everywhere=True):
    """The full names of all modules that are imported, and of what is imported from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class Layers(SynchronousTestCase):
    """Each package imports only those below it."""

    def test_packages(self):
        """Every package has its place in the order."""
        found = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
        self.assertEqual(found, set(BELOW))

    def test_imports(self):
        """Nobody imports what is above or beside."""
        for package, _, path, tree in modules():
            for name in imported(tree):
                if name.startswith("rserpool."):
                    inner = name.removeprefix("rserpool.")
                    allowed = any(
                        inner == below or inner.startswith(f"{below}.")
                        for below in BELOW[package] | {package}
                    )
                    self.assertTrue(allowed, f"{path} imports {name}")

    def test_pure(self):
        """Codec, handlespace, registrar and the clients' machines import nothing impure."""
        for package, module, path, tree in modules():
            pure = package in ("wire", "handlespace", "registrar")
            if pure or (package == "client" and module in PURE_CLIENT):
                for name in imported(tree):
                    self.assertNotIn(name.partition(".")[0], IMPURE, f"{path} imports {name}")

    def test_reactor(self):
        """The reactor is never imported at the head of a module."""
        for _, _, path, tree in modules():
            for node in tree.body:
                if isinstance(node, ast.ImportFrom):
                    names = [alias.name for alias in node.names]
                    wrong = node.module == "twisted.internet" and "reactor" in names
                    self.assertFalse(wrong, path)

    def test_private_bindings(self):
        """Private names of pyOpenSSL are used in one module."""
        for _, module, path, _ in modules():
            if module != "tls_pyopenssl":
                text = path.read_text()
                for name in ("SSL._lib", "SSL._ffi", "._ssl)", "._context)"):
                    self.assertNotIn(name, text, path)
