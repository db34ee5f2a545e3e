"""Running and supervising the service itself."""

import os
import signal
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ProcessDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.service import spawn
from rserpool.service.spawn import LONGEST_LINE, LONGEST_PAUSE, Spawned, words_of


class Kept(Spawned):
    """Keeps what is logged, and tells when a line was said."""

    def __init__(self, command, died=lambda: None):
        super().__init__(reactor, command, died)
        self.lines = []
        self.waiting = []
        self._log = self
        self.logged = []

    def said(self, line):
        """Keep it."""
        self.lines.append(line.rstrip())
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one.callback(None)

    def info(self, form, **values):
        """Keep it."""
        self.logged.append(form.format(**values))

    warn = error = info

    @inlineCallbacks
    def until(self, line):
        """Wait for a line."""
        while line not in self.lines:
            waited = Deferred()
            self.waiting.append(waited)
            yield waited


@inlineCallbacks
def gone(pid):
    """Wait for the end of a process."""
    while alive(pid):
        yield deferLater(reactor, 0.02)


def alive(pid):
    """Whether there is such a process that isn't only a memory of one."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Supervising(TestCase):
    """Real programs."""

    timeout = 30

    def start(self, script, died=lambda: None):
        """Start a shell script."""
        self.spawned = Kept(f"/bin/sh -c '{script}'", died)
        self.addCleanup(self.spawned.stop)
        self.spawned.start()
        return self.spawned

    @inlineCallbacks
    def test_output(self):
        """What it writes, on either channel, goes to the log line by line."""
        spawned = self.start("echo one; echo two >&2; printf three; exec sleep 60 >&- 2>&-")
        yield spawned.until(b"one")
        yield spawned.until(b"two")

    @inlineCallbacks
    def test_stop(self):
        """It is ended by SIGTERM, and waited for."""
        spawned = self.start(
            'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'
        )
        yield spawned.until(b"up")
        yield spawned.stop()
        self.assertIn(b"bye", spawned.lines)
        self.assertFalse(spawned.running)

    @inlineCallbacks
    def test_kill(self):
        """One that doesn't listen to SIGTERM is killed after a while, and that is told."""
        self.patch(spawn, "PATIENCE", 0.3)
        spawned = self.start('trap "" TERM; echo up; while :; do sleep 0.05; done')
        yield spawned.until(b"up")
        yield spawned.stop()
        self.assertTrue(any("it is killed" in line for line in spawned.logged))

    @inlineCallbacks
    def test_whole_group(self):
        """What it has started is ended with it."""
        spawned = self.start("sleep 60 & echo $!; wait")
        while not spawned.lines:
            yield deferLater(reactor, 0.02)
        child = int(spawned.lines[0])
        self.assertTrue(alive(child))
        yield spawned.stop()
        yield gone(child)

    @inlineCallbacks
    def test_own_session(self):
        """It has a session of its own: Ctrl-C in our terminal isn't for it."""
        spawned = self.start("echo up; exec sleep 60")
        yield spawned.until(b"up")
        self.assertEqual(os.getsid(spawned._running.pid), spawned._running.pid)

    @inlineCallbacks
    def test_again(self):
        """When it ends it is started again, after a pause that doubles."""
        self.patch(spawn, "PAUSE", 0.01)
        deaths = []
        mark = os.path.abspath(self.mktemp())
        spawned = self.start(f"echo run >> {mark}; exit 3", lambda: deaths.append(1))
        while len(deaths) < 3:
            yield deferLater(reactor, 0.02)
        yield spawned.stop()
        with open(mark) as file:
            self.assertGreaterEqual(len(file.readlines()), 3)
        pauses = [line for line in spawned.logged if "started again in" in line]
        self.assertIn("exit status 3", pauses[0])
        self.assertIn("in 0.01 s", pauses[0])
        self.assertIn("in 0.02 s", pauses[1])

    @inlineCallbacks
    def test_killed(self):
        """Its death by a signal is noticed at once, and its remains are removed."""
        died = Deferred()
        spawned = self.start("sleep 60 & echo $!; wait", lambda: died.callback(None))
        while not spawned.lines:
            yield deferLater(reactor, 0.02)
        os.kill(spawned._running.pid, signal.SIGKILL)
        yield died
        yield gone(int(spawned.lines[0]))

    @inlineCallbacks
    def test_stop_between_runs(self):
        """Stopped in a pause, it isn't started again."""
        died = Deferred()
        spawned = self.start("exit 0", lambda: died.callback(None))
        yield died
        yield spawned.stop()
        self.assertFalse(spawned.running)

    @inlineCallbacks
    def test_stop_at_once(self):
        """Stopped in the moment of its start, it ends too."""
        spawned = self.start("exec sleep 60")
        yield spawned.stop()
        self.assertFalse(spawned.running)

    @inlineCallbacks
    def test_parent_dies(self):
        """When the wrapper is killed, the service doesn't live on unsupervised."""
        if not sys.platform.startswith("linux"):
            return
        script = (
            "import os, subprocess, sys\n"
            "from rserpool.service import launch\n"
            "run = subprocess.Popen([sys.executable, launch.__file__, str(os.getpid()),"
            " '/bin/sh', '-c', 'echo $$; exec sleep 60'], stdout=subprocess.PIPE)\n"
            "print(run.stdout.readline().decode(), end='', flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(script)
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        spawned = self.spawned = Kept(f"{sys.executable} {os.path.abspath(path)}")
        self.addCleanup(spawned.stop)
        spawned.start()
        while not spawned.lines:
            yield deferLater(reactor, 0.02)
        yield gone(int(spawned.lines[0]))


class Lines(SynchronousTestCase):
    """Its output, whatever it is."""

    def lines(self, *chunks):
        """What is logged of these."""
        spawned = Kept("true")
        process = spawn._Process(spawned)
        for channel, chunk in chunks:
            process.childDataReceived(channel, chunk)
        return spawned.lines

    def test_chunks(self):
        """Lines are whole however they come, each channel by itself."""
        chunks = (1, b"o"), (2, b"er"), (1, b"ne\ntw"), (2, b"ror\n"), (1, b"o\n")
        self.assertEqual(self.lines(*chunks), [b"one", b"error", b"two"])

    def test_no_end(self):
        """A line without end is cut into pieces, none of which is kept."""
        found = self.lines(*[(1, b"x" * 1000)] * 100)
        self.assertLessEqual(max(map(len, found)), LONGEST_LINE)

    def test_odd_bytes(self):
        """Bytes that are no text are shown as such, and harm nobody."""
        spawned = Spawned(None, "true")
        spawned.said(b"\xff\x00{x}\n")


class Commands(SynchronousTestCase):
    """What may be run."""

    def test_words(self):
        """A command is split as a shell would."""
        self.assertEqual(words_of("sh -c 'a b'"), ["sh", "-c", "a b"])

    def test_refused(self):
        """What can't be run is refused before anything is started."""
        for command in ("", "  ", "no-such-program-here --x", "sh 'unfinished"):
            self.assertRaises(ValueError, Spawned, None, command)

    def test_longest_pause(self):
        """The pause between runs is a minute at most."""
        spawned = Kept("true")
        spawned._reactor = Later()
        for _ in range(20):
            spawned.ended(Failure(ProcessDone(0)))
        self.assertEqual(spawned._reactor.pauses[-1], LONGEST_PAUSE)


class Later:
    """A reactor that remembers for how long it was to wait."""

    def __init__(self):
        self.pauses = []

    def seconds(self):
        """Time stands still."""
        return 0.0

    def callLater(self, seconds, call):
        """Remember."""
        self.pauses.append(seconds)
