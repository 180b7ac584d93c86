"""Benchmarks: what the exchange does beside what the machine could do, in one run."""
