"""Bytes to rows and answers to bytes: one file a format."""
