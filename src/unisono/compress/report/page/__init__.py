"""Sections of the report's page, each HTML from the report as data."""
