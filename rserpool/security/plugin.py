"""
Plugins: named in ``twisted/plugins``, imported when a configuration asks for them.

:func:`twisted.plugin.getPlugins` skips a drop-in that can't be imported.  So a plugin is
looked up by its name, and a missing one stops the start.
"""

import pkgutil
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import cast

import attrs
from twisted.plugin import IPlugin, getPlugins
from zope.interface import Invalid, implementer
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

import twisted.plugins
from rserpool.security.interfaces import (
    IAuthentication,
    IAuthorizer,
    IPeerAuthentication,
    IRateLimit,
    ISecurityPlugin,
)


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
        """
        Import the maker and let it make.

        :raise ValueError: (or OSError) the arguments are wrong.
        :raise ImportError: or whatever else: the plugin is broken, and a traceback says where.
        """
        made: object = self._imported()(args)
        if not self.interface.providedBy(made):
            raise TypeError(f"{self.maker} doesn't make an {self.interface.__name__}")
        try:
            verifyObject(self.interface, made)
        except Invalid as error:  # a ValueError of some versions, and nobody's arguments
            raise TypeError(f"{self.maker}: {error}") from error
        return made

    def _imported(self) -> Callable[[str], object]:
        module, _, name = self.maker.rpartition(".")
        try:
            found: Callable[[str], object] = getattr(import_module(module), name)
        except (ValueError, OSError) as error:
            # As such it would pass for wrong arguments, and lose its traceback.
            words = f"{module} can't be imported: {type(error).__name__}: {error}"
            raise ImportError(words) from error
        return found


def find(name: str, interface: InterfaceClass) -> ISecurityPlugin:
    """
    Return the plugin of this name.

    :raise ValueError: there is none, and the message lists those there are; or more than one:
        which of them it were would be chance.
    """
    known = [one for one in getPlugins(ISecurityPlugin) if one.interface is interface]
    # One that is found by two paths is one all the same.
    found = list({id(one): one for one in known if one.name == name}.values())
    what = f"{name!r} that provides {interface.__name__}"
    if not found:
        names = ", ".join(sorted({one.name for one in known})) or "none"
        words = f"there is no security plugin {what}; known: {names}"
        raise ValueError("\n".join([words, *_broken()]))
    if len(found) > 1:
        makers = ", ".join(str(getattr(one, "maker", one)) for one in found)
        raise ValueError(f"there is more than one security plugin {what}: {makers}")
    return found[0]


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


def make_peer_authentication(text: str, name: str | None) -> IAuthentication:
    """
    Make what ``--enrp-auth KIND:ARGS`` names: what works both ways, or else one way.

    :param name: under which this registrar calls others.
    :raise ValueError: (or OSError) what is wrong with it.
    """
    kind, _, args = text.partition(":")
    both_ways = {p.name for p in getPlugins(ISecurityPlugin) if _is_for_peers(p)}
    if kind not in both_ways or not args:
        return make_authentication(text)
    made = cast("IPeerAuthentication", find(kind, IPeerAuthentication).make(args))
    made.introduce(name)
    return made


def _is_for_peers(plugin: ISecurityPlugin) -> bool:
    return plugin.interface is IPeerAuthentication


def make_authorizer(text: str) -> IAuthorizer:
    """Make the authorizer that ``KIND:ARGS`` names."""
    kind, _, args = text.partition(":")
    return cast("IAuthorizer", find(kind, IAuthorizer).make(args))


def make_rate_limit(text: str) -> IRateLimit:
    """Make the limit that ``KIND:ARGS`` names."""
    kind, _, args = text.partition(":")
    return cast("IRateLimit", find(kind, IRateLimit).make(args))
