"""The eye: turns what vision measured into sealed halves and signed statements, and forgets it."""
