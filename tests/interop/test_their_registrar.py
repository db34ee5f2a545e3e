"""Our pool elements and users at a registrar of rsplib."""

import json
import signal
import sys

from tests.interop import only_in_the_lab
from tests.interop.stage import HERE, Staged, members
from tests.site import BIN, until

test_suite = only_in_the_lab(__name__)

PORT, STAYING, OTHER, THEIRS = 8000, 0x41, 0x42, 0x43


class Theirs(Staged):
    """Our wrapper and our commands, with the profile."""

    @classmethod
    def begin(cls, stage):
        """Their registrar, an element of ours that stays, and one of theirs beside it."""
        stage.theirs("-endpointkeepalivetransmissioninterval=2000", "-maxbadpereports=3")
        stage.start("server", sys.executable, "-m", "http.server", str(PORT), "--bind", HERE)
        cls.wrapper(stage, STAYING, "web")
        until(lambda: STAYING in members("web"), 60)

    @staticmethod
    def wrapper(stage, identifier, pool):
        """Start our wrapper, which renews each second; its name."""
        name = f"pe-{identifier:x}"
        stage.start(
            name, str(BIN / "twistd"), "-n", "--pidfile=", "rserpool-pe", "--pool", pool,
            "--service", f"tcp:{HERE}:{PORT}", "--registrar", f"sctp:{HERE}:3863",
            "--security", "none", "--profile", "rsplib", "--lifetime", "3",
            "--pe-id", f"{identifier:#x}",
        )  # fmt: skip
        return name

    def resolved(self, pool):
        """The elements of a pool, by the command; nothing when there is no such pool."""
        asked = self.stage.command("resolve", pool, "--json")
        if asked.returncode == 1:
            return {}
        self.assertEqual(asked.returncode, 0, asked.stderr)
        return {int(e["pe-id"], 16): e for e in json.loads(asked.stdout)["elements"]}

    def test_resolve(self):
        """Who is there: what our wrapper has registered, in seconds."""
        found = self.resolved("web")
        self.assertIn(STAYING, found)
        element = found[STAYING]
        self.assertEqual(element["lifetime"], 3)
        self.assertEqual(element["transport"]["port"], PORT)
        self.assertEqual(self.resolved("nobody"), {})

    def test_their_element(self):
        """Who is there: what an element of rsplib has registered."""
        self.stage.element("pe-theirs", "echo", "echo", f"-identifier={THEIRS:#x}")
        until(lambda: THEIRS in members("echo"), 60)
        found = self.resolved("echo")
        self.assertEqual(found[THEIRS]["transport"]["protocol"], "sctp")
        self.stage.finish("pe-theirs", signal.SIGINT)
        until(lambda: not self.resolved("echo"))

    def test_stays(self):
        """Our wrapper renews and answers keep-alives: three of its lives later it is there."""
        log = self.stage.log(f"pe-{STAYING:x}")
        before = log.count("renewed")
        until(lambda: self.stage.log(f"pe-{STAYING:x}").count("renewed") > before + 9, 60)
        self.assertIn(STAYING, members("web"))

    def test_comes_and_goes(self):
        """What somebody sees who watches: one more, and one less, as it ends."""
        self.stage.start(
            "watch", sys.executable, "-m", "rserpool.cli.main", "watch", "web", "--json",
            "--registrar", f"sctp:{HERE}:3863", "--security", "none", "--profile", "rsplib",
        )  # fmt: skip
        self.addCleanup(self.stage.finish, "watch", signal.SIGINT)
        until(lambda: self.watched() == [{STAYING}], 60)
        name = self.wrapper(self.stage, OTHER, "web")
        until(lambda: self.watched()[-1] == {STAYING, OTHER}, 60)
        self.stage.finish(name, signal.SIGTERM)
        self.assertIn("left pool web", self.stage.log(name))
        until(lambda: self.watched()[-1] == {STAYING}, 30)
        self.assertEqual(set(members("web")), {STAYING})

    def watched(self):
        """Who was there at each change."""
        lines = self.stage.log("watch").splitlines()
        return [{int(e["pe-id"], 16) for e in json.loads(line)["elements"]} for line in lines]

    def test_report(self):
        """At the third report an element of theirs is out; their registrar doesn't ask it."""
        self.stage.element(
            "pe-theirs", "echo", "reported", f"-identifier={THEIRS:#x}", "-rereginterval=600000"
        )
        self.addCleanup(self.stage.finish, "pe-theirs")
        until(lambda: THEIRS in members("reported"), 60)
        for _ in range(3):
            self.assertIn(THEIRS, members("reported"))
            told = self.stage.command("report", "reported", f"{THEIRS:#x}")
            self.assertEqual(told.returncode, 0, told.stderr)
        until(lambda: THEIRS not in members("reported"))

    def test_killed(self):
        """Our wrapper, killed, is out as soon as its association is."""
        name = self.wrapper(self.stage, OTHER, "killed")
        until(lambda: OTHER in members("killed"), 60)
        self.stage.finish(name)
        until(lambda: OTHER not in members("killed"), 20)
