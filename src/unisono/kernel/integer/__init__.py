"""Encoders in whole numbers: what one computes (`network`, decided by `reference`), and the kernel that computes it."""
