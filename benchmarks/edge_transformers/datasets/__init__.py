"""Data that rows are measured on."""
