"""Elements sign what registrars tell of them: see ``README.rst``."""
