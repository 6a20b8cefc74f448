"""Who may ask what, and how often: tokens, and the gate that requests pass."""
