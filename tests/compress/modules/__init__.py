"""Training of modules."""
