"""Non-linear units of published integer transformers, against real numbers and against each other."""
