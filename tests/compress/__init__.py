"""Compression: steps, recipes, reports."""
