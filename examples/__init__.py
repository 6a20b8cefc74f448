"""Worked examples; run from the root of a clone, e.g. `python -m examples.flights.demo`."""
