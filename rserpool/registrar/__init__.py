"""The registrar's procedures, pure: (event, now) to effects."""
