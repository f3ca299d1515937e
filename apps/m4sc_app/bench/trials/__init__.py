"""Trials behind the benchmarks: each runs an experiment and returns its figures."""
