"""Compression: rows of `python -m benchmarks.compress ROW`, on real data and real models."""
