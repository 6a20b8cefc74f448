"""One row of the benchmark a file."""
