"""What an attacker has: a registrar process, and connections of every kind."""

import contextlib
import json
import socket
import time
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.security import Certified
from rserpool.security.psk.tls import PSKClientCreator
from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from tests.site import Site, until

TLS_RECORD = 16 * 1024


class Line:
    """
    A connection of somebody's own making: TCP, with TLS over it or without.

    :param creator: makes the client's side of TLS; None: plain.
    :ivar sent, received: the octets on the wire, as an eavesdropper has them.
    """

    def __init__(self, port, creator=None, source="127.0.0.1", host="127.0.0.1", decode=asap):
        self.socket = socket.create_connection((host, port), 10, (source, 0))
        self.sent, self.received = [], []
        self._splitter = Splitter()
        self._decode = decode.decode
        self._encode = decode.encode
        self.tls = None
        if creator is not None:
            self.tls = creator.clientConnectionForTLS(None)
            self.tls.set_connect_state()
            try:
                self._drive(self.tls.do_handshake)
            except BaseException:
                self.close()  # nobody else ever has it
                raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Hang up."""
        self.socket.close()

    def put(self, data):
        """Put octets on the wire, as they are."""
        self.sent.append(bytes(data))
        self.socket.sendall(data)

    def write(self, data):
        """Send octets, in TLS where there is TLS."""
        if self.tls is None:
            self.put(data)
            return
        while data:  # one record at a time
            sent = self._drive(lambda data=data: self.tls.send(data))
            self._flush()
            data = data[sent or len(data) :]

    def read(self):
        """What comes next; empty: the other side has hung up."""
        if self.tls is None:
            data = self.socket.recv(65536)
            self.received.append(data)
            return data
        return self._drive(lambda: self.tls.recv(65536))

    def tell(self, *messages, want=1, patience=5.0):
        """
        Send messages (values, or octets), and give back what is answered.

        :param want: how many answers are waited for; fewer where the other side hangs up, or
            says nothing in time.
        """
        self.write(b"".join(m if isinstance(m, bytes) else self._encode(m) for m in messages))
        found, end = [], time.monotonic() + patience
        try:
            while len(found) < want and time.monotonic() < end:
                self.socket.settimeout(max(end - time.monotonic(), 0.01))
                data = self.read()
                if not data:
                    break
                found += [self._decode(one).message for one in self._splitter.feed(data)]
        except (TimeoutError, OSError):
            pass
        finally:
            with contextlib.suppress(OSError):
                self.socket.settimeout(10)
        return found

    def closed(self, patience=10.0):
        """Whether the other side hangs up in time."""
        self.socket.settimeout(patience)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def _flush(self):
        from OpenSSL import SSL

        with contextlib.suppress(SSL.WantReadError):
            while True:
                self.put(self.tls.bio_read(TLS_RECORD))

    def _drive(self, step):
        """Do a step of TLS, feeding it what comes; raises what TLS raises."""
        from OpenSSL import SSL

        while True:
            try:
                return step()
            except SSL.WantReadError:
                self._flush()
                data = self.socket.recv(65536)
                self.received.append(data)
                if not data:
                    raise ConnectionError("the other side has hung up") from None
                self.tls.bio_write(data)
            except (SSL.ZeroReturnError, SSL.SysCallError):
                return b""
            except SSL.Error:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert
                raise


class Attacked(SynchronousTestCase):
    """
    A secure registrar process, with keys of web-1, web-2 and web-3, and whoever attacks it.

    A subclass sets `settings` (words of the command line) or writes into `self.site.files`
    in `prepare`.
    """

    timeout = 120
    settings = ()
    registrars = 1

    def setUp(self):
        self.site = Site(self)
        self.audit_file = self.site.scratch / "audit.log"
        self.prepare()
        self.registrar = self.site.registrar(
            "--set", f"audit.file={self.audit_file}", *self.settings
        )

    def prepare(self):
        """Change what `rserpool init` has made, before anything runs."""

    def secret(self, name="web-1"):
        """The key of an identity."""
        for line in (self.site.files / "elements.psk").read_text().splitlines():
            identity, _, rest = line.partition(":")
            if identity == name:
                return bytes.fromhex(rest.partition(";")[0])
        raise KeyError(name)

    def key(self, name="web-1", secret=None, **how):
        """TLS with a pre-shared key; of another's name or a wrong one, if that is wanted."""
        return PSKClientCreator(name, secret or self.secret(name), **how)

    def anonymous(self):
        """TLS as pool users have it: the registrar is verified, and they prove nothing."""
        return Certified(str(self.site.files / "ca.pem")).creator("127.0.0.1")

    def line(self, creator=None, **how):
        """Connect to the registrar."""
        line = Line(how.pop("port", self.site.port), creator, **how)
        self.addCleanup(line.close)
        return line

    def digest(self):
        """A hash of the whole handlespace, and how many elements there are."""
        where = f"http://127.0.0.1:{self.site.status_port}/digest.json"
        with urllib.request.urlopen(where, timeout=5) as page:
            return json.load(page)

    @contextlib.contextmanager
    def unchanged(self):
        """What is done meanwhile must leave no state."""
        before = self.digest()
        yield
        self.assertEqual(self.digest(), before)

    def audited(self, patience=30.0, **wanted):
        """The lines of the audit log that have all this; waits for the first."""

        def found():
            lines = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
            return [
                line
                for line in lines
                if all(line.get(k.replace("_", "-")) == v for k, v in wanted.items())
            ]

        return until(found, patience)

    def refused(self, answer):
        """The answer is cause 0x0a, and tells nothing else."""
        from rserpool.wire.causes import RejectedForSecurity

        self.assertEqual(answer.error.causes, (RejectedForSecurity(),), answer)

    def no_errors(self):
        """The registrar lives, and its log has no traceback."""
        self.assertIsNone(self.registrar.poll())
        self.assertNotIn("Traceback", self.site.log("registrar"))
