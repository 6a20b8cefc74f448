"""Nodes that are cut out."""
