"""How the documentation is built: make docs."""

project = "rserpool"
copyright = "2026, the rserpool maintainers"  # noqa: A001 - Sphinx's name
extensions: list[str] = []
html_theme = "furo"
html_title = "rserpool"
exclude_patterns: list[str] = []
nitpicky = True
