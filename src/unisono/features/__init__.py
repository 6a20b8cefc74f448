"""The spec as plans for the kernel, and frames in and out of it."""
