"""The wiring of each role, in a module of its own: a process loads what its own part needs, and no other's."""
