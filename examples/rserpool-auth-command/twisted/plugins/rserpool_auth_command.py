# Names only: the plugin is imported when a configuration asks for it.
from rserpool.security.interfaces import IAuthentication
from rserpool.security.plugin import SecurityPlugin

authentication = SecurityPlugin(
    "command",
    IAuthentication,
    "rserpool_auth_command.authentication.make",
    "COMMAND:KIND:ARGS: ask COMMAND about whoever KIND:ARGS lets in",
)
