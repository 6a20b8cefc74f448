"""What is behind the paths: one file a first part."""
