"""The rserpool command."""
