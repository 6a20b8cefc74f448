"""Modules of PyTorch as a recipe sees them: what feeds them, how they are trained, how they become a graph."""
