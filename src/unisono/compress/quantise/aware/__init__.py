"""Training that knows of the quantisation to come."""
