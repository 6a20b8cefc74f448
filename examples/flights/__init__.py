"""A year of flights out of New York, through every route."""
