"""What can be said of a model from some rows: estimates with intervals, in numpy and scipy; nothing here is drawn."""
