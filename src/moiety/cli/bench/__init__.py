"""Benchmarks: JSON lines, each with its sizes, beside named peers in the same run."""
