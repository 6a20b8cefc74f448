"""Benchmarks with peers in the same run: frame, stream, read, batch, engines, registry, imports.

    python -m benchmarks.frame    [--values decimal|float] [--events N] [--runs N] [--peers polars,duckdb] [--json]
    python -m benchmarks.stream   [--values decimal|float] [--events N] [--runs N] [--batch N] [--json]
    python -m benchmarks.read     [--values decimal|float] [--events N] [--runs N] [--reads N] [--json]
    python -m benchmarks.batch    [--rows N] [--runs N] [--json]
    python -m benchmarks.engines  [--rows N] [--runs N] [--json]
    python -m benchmarks.registry [--predictors N] [--runs N] [--json]
    python -m benchmarks.imports  [--runs N] [--json]
    python -m benchmarks                         # all of them, then the tables of benchmarks/README.md

Results are checked equal before anything is timed. Run from the repository's root.
"""
