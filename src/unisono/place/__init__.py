"""Where a model is placed: what a place costs in time and energy."""
