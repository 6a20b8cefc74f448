"""What a verification is made of: rows at the edges, differences in them, and what other machines may say."""
