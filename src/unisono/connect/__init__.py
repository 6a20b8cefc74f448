"""What lies outside: logs, tables and sinks. One adapter a file."""
