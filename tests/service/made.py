"""A registrar's service, made for tests."""

from rserpool.service.config import Config
from rserpool.service.maker import RegistrarService
from rserpool.service.material import Material
from rserpool.service.tables import LimitsTable, RegistrarTable, TimersTable

#: Where tests listen: on a port that the kernel chooses.
ANYWHERE = "tcp:0:interface=127.0.0.1"


def service(reactor, **table):
    """Make a service of these keys of ``[registrar]``; nothing of it runs yet."""
    config = Config(
        registrar=RegistrarTable(**table), timers=TimersTable(), limits=LimitsTable()
    )
    material = Material(config)
    assert material.faults == [], material.faults
    return RegistrarService(config, material, reactor)
