"""
The status page: HTML for people, ``/status.json`` for programs, ``/metrics`` for Prometheus.

Read-only, over HTTP, on loopback unless its endpoint says otherwise: it tells which pools
there are.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import NoResource, Resource
from twisted.web.server import Request, Site

from rserpool.handlespace.handlespace import Handlespace
from rserpool.registrar.enrp import PeerState
from rserpool.security.audit import described
from rserpool.service.kinds import local_endpoint
from rserpool.service.options import release
from rserpool.service.uses import Use
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance

if TYPE_CHECKING:
    from rserpool.service.maker import RegistrarService

#: Pools listed: a page of all 10,000 would stop the registrar while it is made.
MAXIMUM_POOLS = 500


class Status:
    """What the registrar tells about itself."""

    def __init__(self, service: "RegistrarService") -> None:
        self._service = service
        self._since = time.monotonic()
        self._port: IListeningPort | None = None
        self._endpoint = local_endpoint(service.config.registrar.status)

    @property
    def where(self) -> str:
        """Its address for browsers; the endpoint before it listens."""
        if self._port is None:
            return self._endpoint
        address: Any = self._port.getHost()
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"http://{host}:{address.port}/"

    def listen(self, reactor: Any) -> "Deferred[None]":
        """Start."""
        root = Resource()
        root.putChild(b"", _Page(self.page, "text/html; charset=utf-8"))
        root.putChild(b"status.json", _Page(self.json, "application/json"))
        root.putChild(b"digest.json", _Page(self.digest, "application/json"))
        root.putChild(b"metrics", _Page(self.metrics, "text/plain; version=0.0.4"))
        site: Any = Site(root, timeout=30)
        site.log = lambda request: None  # who watches asks every few seconds
        site.noisy = False
        site.displayTracebacks = False
        endpoint = endpoints.server(reactor, self._endpoint)
        return endpoint.listen(site).addCallback(self._listening)

    def stop(self) -> "Deferred[Any]":
        """Listen no more."""
        port = self._port
        return maybeDeferred(port.stopListening) if port else maybeDeferred(lambda: None)

    def values(self) -> dict[str, Any]:
        """Everything that is told, as JSON has it."""
        service = self._service
        registrar = service.driver.registrar
        pools = registrar.handlespace.pools
        return {
            "version": release(),
            "server-id": f"{registrar.server_id:#010x}",
            "security": service.config.registrar.security,
            "uptime": round(time.monotonic() - self._since, 1),
            "checksum": f"{registrar.handlespace.checksum(registrar.server_id):#06x}",
            "listeners": [
                {"endpoint": text, "address": listener.where,
                 "protocol": "enrp" if (text, listener) in service.enrp_listeners else "asap",
                 "tls": listener.creator is not None,
                 "connections": len(listener.connections)}
                for text, listener in service.listeners
            ],
            "connections": _connections(service.allowance),
            "peer-connections": _connections(service.peer_allowance),
            "limits": self._limits(),
            "audit": {
                "head": str(service.audit.journal.head), "lost": service.audit.journal.lost,
                "file": service.config.audit.file,
            },
            "sessions": {
                proof.value: count for proof, count in service.sessions.uses.by_proof.items()
            },
            "credentials": [
                _use(use)
                for sessions in (service.sessions, service.peer_sessions)
                for use in sessions.uses
            ],
            "serving": registrar.serving,
            "peers": [_peer(one, time.monotonic()) for one in registrar.peers],
            "pools": len(pools),
            "elements": len(registrar.handlespace),
            "pool-list": [
                {**described(pool.handle), "elements": len(pool.elements),
                 "policy": type(pool.policy).__name__}
                for _, pool in zip(range(MAXIMUM_POOLS), pools.values(), strict=False)
            ],
            "counters": attrs.asdict(registrar.counters),
        }  # fmt: skip

    def _limits(self) -> dict[str, Any]:
        """How much was over a limit, or would have been denied."""
        service = self._service
        gate = service.gate
        # Each of them from the start, with 0: what begins at 1 alarms nobody who watches rates.
        over = Counter(gate.over_limit)
        for allowance in (service.allowance, service.peer_allowance):
            over.update(allowance.over_limit)
        over["keep-alives"] = service.driver.registrar.counters.keep_alives_over_limit
        return {
            "mode": service.config.limits.mode,
            "over": dict(over),
            "authorization": service.config.registrar.authorization,
            "would-deny": dict(gate.reported),
        }

    def digest(self) -> bytes:
        """``/digest.json``: a hash of all pools and elements; equal ones hold the same."""
        return json.dumps(digest(self._service.driver.registrar.handlespace)).encode() + b"\n"

    def json(self) -> bytes:
        """``/status.json``."""
        return json.dumps(self.values(), indent=1).encode() + b"\n"

    def metrics(self) -> bytes:
        """``/metrics``."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Metrics(self.values()))
        text: bytes = generate_latest(registry)
        return text

    def page(self) -> bytes:
        """``/``."""
        values = self.values()
        rows = "".join(
            f"<tr><td>{escape(str(pool.get('pool', pool.get('pool-hex'))))}</td>"
            f"<td>{escape(pool['policy'])}</td><td>{pool['elements']}</td></tr>"
            for pool in values["pool-list"]
        )
        told = {**values, "uptime": f"{values['uptime']:.0f} s"}
        facts = "".join(
            f"<tr><th>{escape(key)}</th><td>{escape(str(told[key]))}</td></tr>"
            for key in ("version", "security", "uptime", "pools", "elements", "checksum")
        )
        listeners = "".join(
            f"<tr><td>{escape(one['address'] or one['endpoint'])}</td>"
            f"<td>{'TLS' if one['tls'] else 'plain'}</td><td>{one['connections']}</td></tr>"
            for one in values["listeners"]
        )
        peers = "".join(
            f"<tr><td>{escape(str(one['name'] or one['server-id']))}</td>"
            f"<td>{escape(str(one['address']))}</td><td>{escape(str(one['state']))}</td>"
            f"<td>{'yes' if one['synchronized'] else 'no'}</td><td>{one['elements']}</td></tr>"
            for one in values["peers"]
        )
        counters = "".join(
            f"<tr><th>{escape(key.replace('_', ' '))}</th><td>{value}</td></tr>"
            for key, value in values["counters"].items()
        )
        return _HTML.format(
            id=escape(values["server-id"]), facts=facts, listeners=listeners, pools=rows,
            counters=counters, peers=peers,
        ).encode()  # fmt: skip

    def _listening(self, port: IListeningPort) -> None:
        self._port = port


def _connections(allowance: Allowance) -> dict[str, int]:
    """How many there are, and how many weren't let in."""
    return {
        "open": len(allowance),
        "refused": allowance.refused,
        "failed-handshakes": allowance.failed_handshakes,
    }


def digest(handlespace: Handlespace) -> dict[str, object]:
    """
    A hash over what every element says, in the order of handles and identifiers.

    Nothing of it depends on how often, or by which way, elements were registered.
    """
    found = sha256()
    for handle in sorted(handlespace.pools):
        elements = handlespace.pools[handle].elements
        for identifier in sorted(elements):
            for octets in (handle, elements[identifier].blob):
                found.update(len(octets).to_bytes(4, "big") + octets)
    return {"digest": found.hexdigest(), "elements": len(handlespace)}


def _use(use: Use) -> dict[str, object]:
    """Tell who has come in by a credential, and when last."""
    last = datetime.fromtimestamp(use.last, UTC).isoformat(timespec="seconds")
    return {
        "principal": use.subject.name,
        "identity": use.subject.identity,
        "proof": use.subject.proof.value,
        "open": use.open,
        "last": "now" if use.open else last,
    }


def _peer(peer: PeerState, now: float) -> dict[str, object]:
    """Tell what is known of another registrar; checksums as RFC 5353 section 3.6.1 has them."""
    return {
        "name": peer.name,
        "server-id": f"{peer.identifier:#010x}",
        "address": peer.address,
        "last-heard": round(now - peer.heard, 1),
        "checksum-theirs": None if peer.theirs is None else f"{peer.theirs:#06x}",
        "checksum-ours": f"{peer.ours:#06x}",
        "synchronized": peer.synchronized,
        "state": peer.state,
        "elements": peer.elements,
    }


_HTML = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Registrar {id}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto }}
table {{ border-collapse: collapse; margin-bottom: 2rem }}
th, td {{ text-align: left; padding: .2rem 1.5rem .2rem 0; border-bottom: 1px solid #8884 }}
th {{ font-weight: 500 }}
</style></head><body>
<h1>Registrar {id}</h1>
<table>{facts}</table>
<h2>Listeners</h2>
<table><tr><th>address</th><th>how</th><th>connections</th></tr>{listeners}</table>
<h2>Other registrars</h2>
<table><tr><th>registrar</th><th>address</th><th>state</th><th>synchronized</th><th>elements</th></tr>{peers}</table>
<h2>Pools</h2>
<table><tr><th>handle</th><th>policy</th><th>elements</th></tr>{pools}</table>
<h2>Since the start</h2>
<table>{counters}</table>
<p><a href="status.json">status.json</a> · <a href="metrics">metrics</a></p>
</body></html>
"""


class _Page(Resource):
    """One page, made anew for each request."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, make: Any, content_type: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._make = make
        self._type = content_type

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        """Render it."""
        if request.postpath:
            return NoResource().render(request)  # type: ignore[no-any-return]
        request.setHeader("content-type", self._type)
        request.setHeader("cache-control", "no-store")
        request.setHeader(
            "content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"
        )
        made: bytes = self._make()
        return made


class _Metrics(Collector):
    """The values as metrics."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        """Give one metric after the other."""
        values = self._values
        for name in ("pools", "elements"):
            yield GaugeMetricFamily(f"rserpool_{name}", f"{name} now", value=values[name])
        yield GaugeMetricFamily(
            "rserpool_connections", "open connections", value=values["connections"]["open"]
        )
        sessions = GaugeMetricFamily(
            "rserpool_sessions", "sessions, by how the peer has proven itself", labels=["proof"]
        )
        for proof, count in values["sessions"].items():
            sessions.add_metric([proof], count)
        yield sessions
        states = GaugeMetricFamily(
            "rserpool_peers", "other registrars, by their state", labels=["state"]
        )
        counted = Counter(str(one["state"]) for one in values["peers"])
        for state, count in counted.items():
            states.add_metric([state], count)
        yield states
        agreed = GaugeMetricFamily(
            "rserpool_peer_synchronized", "whether its checksum is ours", labels=["peer"]
        )
        for one in values["peers"]:
            agreed.add_metric([one["server-id"]], int(one["synchronized"]))
        yield agreed
        yield GaugeMetricFamily(
            "rserpool_peer_connections",
            "open connections of other registrars",
            value=values["peer-connections"]["open"],
        )
        for key in ("connections", "peer-connections"):
            for name in ("refused", "failed-handshakes"):
                yield CounterMetricFamily(
                    f"rserpool_{key}_{name}".replace("-", "_"),
                    f"{key.replace('-', ' ')}: {name}",
                    value=values[key][name],
                )
        for family, words, key in (
            ("over_limit", "requests and connections over a limit, by limit", "over"),
            ("would_deny", "what rules deny, where they only report", "would-deny"),
        ):
            metric = CounterMetricFamily(f"rserpool_{family}", words, labels=["limit"])
            for name, count in values["limits"][key].items():
                metric.add_metric([name], count)
            yield metric
        for name, value in values["counters"].items():
            yield CounterMetricFamily(f"rserpool_{name}", name.replace("_", " "), value=value)
