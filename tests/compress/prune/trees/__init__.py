"""Pruning of trees."""
