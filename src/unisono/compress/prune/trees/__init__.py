"""Ensembles of trees with fewer splits, and leaves that are fitted again to make up for them."""
