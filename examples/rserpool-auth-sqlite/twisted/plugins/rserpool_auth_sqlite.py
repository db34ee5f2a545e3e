# Names only: the plugin is imported when a configuration asks for it.
from rserpool.security.interfaces import IAuthentication, IAuthorizer
from rserpool.security.plugin import SecurityPlugin

authentication = SecurityPlugin(
    "sqlite",
    IAuthentication,
    "rserpool_auth_sqlite.authentication.SQLiteKeys",
    "FILE: pre-shared keys in a SQLite database",
)
authorizer = SecurityPlugin(
    "sqlite",
    IAuthorizer,
    "rserpool_auth_sqlite.authorizer.SQLiteRules",
    "FILE: rules in a SQLite database",
)
