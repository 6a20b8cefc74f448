"""Low rank: a layer becomes two narrow ones, whose product is nearly the same matrix."""
