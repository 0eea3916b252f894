"""Commands for operators; the only place that wires the parts together."""
