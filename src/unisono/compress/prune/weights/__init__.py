"""Weights that become zero, and graphs that store zeros in less room."""
