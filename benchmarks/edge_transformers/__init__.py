"""Transformers on small devices: rows of `python -m benchmarks.edge_transformers ROW`, on real models and real data."""
