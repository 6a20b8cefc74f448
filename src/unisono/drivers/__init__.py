"""Places that run things. Each feeds the kernel and the graph; none does arithmetic."""
