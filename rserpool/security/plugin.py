"""
Plugins: named in ``twisted/plugins``, imported when a configuration asks for them.

:func:`twisted.plugin.getPlugins` skips a drop-in that can't be imported.  So a plugin is
looked up by its name, and a missing one stops the start.
"""

import pkgutil
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import cast

import attrs
from twisted.plugin import IPlugin, getPlugins
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

import twisted.plugins
from rserpool.security.interfaces import IAuthentication, IAuthorizer, ISecurityPlugin


@implementer(IPlugin, ISecurityPlugin)
@attrs.frozen
class SecurityPlugin:
    """
    The name of something that provides one of the security layer's interfaces.

    :ivar maker: the dotted name of a callable that takes the ARGS of ``KIND:ARGS``.
    """

    name: str
    interface: InterfaceClass
    maker: str
    help: str = ""

    def make(self, args: str) -> object:
        """Import the maker and let it make."""
        module, _, name = self.maker.rpartition(".")
        made: object = getattr(import_module(module), name)(args)
        if not self.interface.providedBy(made):
            raise TypeError(f"{self.maker} doesn't make an {self.interface.__name__}")
        return made


def find(name: str, interface: InterfaceClass) -> ISecurityPlugin:
    """
    Return the plugin of this name.

    :raise ValueError: there is none; the message lists those there are.
    """
    known = {p.name: p for p in getPlugins(ISecurityPlugin) if p.interface is interface}
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        words = f"there is no security plugin {name!r} that provides {interface.__name__}; "
        raise ValueError("\n".join([f"{words}known: {names}", *_broken()]))
    return known[name]


def _broken() -> Iterator[str]:
    """The drop-ins that can't be imported, which `getPlugins` skips: it may be one of them."""
    for found in pkgutil.iter_modules(twisted.plugins.__path__, "twisted.plugins."):
        try:
            import_module(found.name)
        except Exception as error:  # whatever a stranger's module does
            yield (
                f"the drop-in {found.name} can't be imported: {type(error).__name__}: {error}\n"
                f"{traceback.format_exc().rstrip()}"
            )


def make_authentication(text: str) -> IAuthentication:
    """
    Make what ``--auth KIND:ARGS`` names.

    :raise ValueError: (or OSError) what is wrong with it.
    """
    kind, colon, args = text.partition(":")
    if not colon or not args:
        raise ValueError(f"{text!r} isn't KIND:ARGS, like psk:FILE or certificate:CA-FILE")
    return cast("IAuthentication", find(kind, IAuthentication).make(args))


def make_authorizer(text: str) -> IAuthorizer:
    """Make the authorizer that ``KIND:ARGS`` names."""
    kind, _, args = text.partition(":")
    return cast("IAuthorizer", find(kind, IAuthorizer).make(args))
