"""The versions that a worker answers with: which are loaded, and which of them answers whom."""
