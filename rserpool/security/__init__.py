"""Who may do what: interfaces, decisions, the gate, and the plugins behind it."""
