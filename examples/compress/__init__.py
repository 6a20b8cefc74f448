"""Models made smaller, by recipes."""
