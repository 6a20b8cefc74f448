"""A search for recipes: which steps, ranks, shares, bits and runtime give the best models for their size and speed."""
