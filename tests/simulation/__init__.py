"""
A scope of registrars, with elements and users, on one simulated clock and network.

Note [What is real]

The cores are: `Registrar`, and the pool element and pool user with their link, hunt and call.
Clock, connections, machines and their faults are simulated; nothing here opens a socket, and
every choice comes from the seed, so that a failure happens again when its seed is run again.
"""
