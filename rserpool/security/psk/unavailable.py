"""What is raised where TLS with pre-shared keys can't be had."""


class PSKUnavailable(ImportError):
    """This installation lacks something that pre-shared keys need; the message says what."""
