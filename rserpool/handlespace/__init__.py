"""The database of pools and their elements, pure."""
