"""What is promised: sources, views, transforms, predictors. Frozen values, no I/O, no arithmetic on data."""
