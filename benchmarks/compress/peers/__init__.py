"""Other tools on the same work, in environments of their own."""
