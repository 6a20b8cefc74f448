"""The serving benchmark: its workload, the servers that are compared, and how they are loaded and measured."""
