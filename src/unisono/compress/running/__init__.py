"""Carries recipes out: the data are split, each step is a stage that is kept, and what comes out is a graph."""
