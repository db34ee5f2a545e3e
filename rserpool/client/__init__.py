"""Pool elements and pool users: pure state machines and their Twisted side."""
