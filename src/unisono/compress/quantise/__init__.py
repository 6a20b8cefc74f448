"""Quantisation: weights and products of a graph in 8 bits or fewer, in a way that every machine computes alike."""
