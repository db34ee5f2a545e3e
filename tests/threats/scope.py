"""What an attacker has among registrars: two that run, and all that belongs to a third."""

import contextlib
import json
import urllib.request

from rserpool.security.psk.tls import PSKClientCreator
from rserpool.wire import enrp
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import RoundRobin
from tests.fleet import HERE
from tests.site import until
from tests.test_scope import ScopeSite
from tests.threats.middle import Middle
from tests.threats.scene import Attacked

#: The server ID under which r3 speaks.
ROGUE = 0x00000BAD


def described(identifier, home, port=None):
    """An element, as its home describes it."""
    return PoolElement(
        identifier=identifier,
        home=home,
        life=300,
        policy=RoundRobin(),
        user_transport=TCPTransport(port=port or 1000 + identifier, addresses=(HERE,)),
    )


def update(sender, element, action=enrp.ADD_PE, handle=b"web", **fields):
    """An ENRP_HANDLE_UPDATE."""
    return enrp.HandleUpdate(
        sender=sender, action=action, handle=handle, element=element, **fields
    )


def said_by_peers():
    """All that a registrar may say, in the name of r3."""
    element = described(1, ROGUE)
    return (
        enrp.Presence(sender=ROGUE, reply_required=True, checksum=0xFFFF),
        enrp.ListRequest(sender=ROGUE),
        enrp.ListResponse(sender=ROGUE),
        enrp.HandleTableRequest(sender=ROGUE),
        enrp.HandleTableResponse(sender=ROGUE),
        update(ROGUE, element),
        update(ROGUE, element, enrp.DEL_PE),
        enrp.InitTakeover(sender=ROGUE, target=0xDEAD),
        enrp.InitTakeoverAck(sender=ROGUE, target=0xDEAD),
        enrp.TakeoverServer(sender=ROGUE, target=0xDEAD),
    )


class Scoped(Attacked):
    """r1 and r2 are a scope; r3 is whoever the test makes of it: its keys are known."""

    running = ("r1", "r2")

    def setUp(self):
        self.site = ScopeSite(self)
        self.site.port = self.site.port_of("r1")
        self.site.status_port = self.site.status_ports["r1"]
        self.site.files = self.site.scope
        self.audit_file = self.site.scratch / "r1.audit"
        self.prepare()
        for name in self.running:
            file = self.site.scratch / f"{name}.audit"
            self.site.start(name, "--set", f"audit.file={file}", *self.settings)
        self.registrar = self.site.processes["r1"]
        others = len(self.running) - 1
        until(lambda: all(self.agrees(name, others) for name in self.running))

    def between(self, caller, called):
        """Let a registrar meet a man in the middle when it calls another one."""
        middle = Middle(self, self.site.enrp_port_of(called))
        config = self.site.scope / caller / "registrar.toml"
        text = config.read_text()
        real = f"tcp:127.0.0.1:{self.site.enrp_port_of(called)}"
        self.assertIn(real, text)
        config.write_text(text.replace(real, f"tcp:127.0.0.1:{middle.port}"))
        return middle

    def agrees(self, name, others):
        """Whether this registrar serves and agrees with so many others."""
        status = self.site.status_of(name)
        return status["serving"] and others == sum(p["synchronized"] for p in status["peers"])

    def server_id(self, name):
        """Of a registrar that runs."""
        return int(self.site.status_of(name)["server-id"], 16)

    def digest_of(self, name):
        """The digest at a registrar."""
        where = f"http://127.0.0.1:{self.site.status_ports[name]}/digest.json"
        with urllib.request.urlopen(where, timeout=5) as page:
            return json.load(page)

    def secret_between(self, caller, called):
        """The key with which one registrar calls another."""
        file = self.site.scope / called / "registrars.psk"
        for line in file.read_text().splitlines():
            identity, _, rest = line.partition(":")
            if identity == f"{caller}@{called}":
                return bytes.fromhex(rest.partition(";")[0])
        raise KeyError(caller)

    def peer_key(self, caller="r3", called="r1", **how):
        """TLS as a registrar has it that calls another."""
        secret = self.secret_between(caller, called)
        return PSKClientCreator(f"{caller}@{called}", secret, **how)

    def peer(self, called="r1", **how):
        """Call a registrar as another one: r3, if it isn't said otherwise."""
        how.setdefault("port", self.site.enrp_port_of(called))
        if "creator" not in how:
            how["creator"] = self.peer_key(called=called)
        return self.line(decode=enrp, **how)

    def no_errors(self):
        """All live, and no log has a traceback."""
        for name in self.running:
            self.assertIsNone(self.site.processes[name].poll(), name)
            self.assertNotIn("Traceback", self.site.log(name))

    @contextlib.contextmanager
    def unchanged(self):
        """What is done meanwhile must leave no state, at any registrar."""
        before = {name: self.digest_of(name) for name in self.running}
        yield
        self.assertEqual({name: self.digest_of(name) for name in self.running}, before)
