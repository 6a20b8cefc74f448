"""Data that come inside packages, made into frames once."""
