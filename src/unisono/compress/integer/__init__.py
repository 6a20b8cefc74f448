"""A transformer of torch as a network of whole numbers."""
