"""A registrar of Reliable Server Pooling, with the security that RFC 5355 asks for."""
