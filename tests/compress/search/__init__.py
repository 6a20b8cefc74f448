"""The search for recipes."""
