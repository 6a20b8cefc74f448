"""What is kept: states of features, versions of predictors, what was predicted."""
