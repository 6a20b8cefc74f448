"""Attention whose cost grows with the length of what is read, not with its square."""
