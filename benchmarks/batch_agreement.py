"""Do two scorings of the table have the same bits?

`python -m benchmarks.batch_agreement REFERENCE ANSWER ROWS`: the reference may hold the first rows only; the answer has
all of them, in any order. Prints one JSON line.
"""

from __future__ import annotations

import json
import sys

import polars as pl

from benchmarks.scores import KEY, OUTPUTS


def compare(reference: str, answer: str, rows: int) -> dict[str, object]:
    """`equal`, and what it `says`."""
    expected = pl.read_parquet(reference)
    given = pl.scan_parquet(answer)
    count, distinct = given.select(pl.len(), pl.col(KEY).n_unique().alias("distinct")).collect().row(0)
    if (count, distinct) != (rows, rows):
        return {"equal": False, "says": f"{count} rows with {distinct} keys of {rows}"}
    same = given.filter(pl.col(KEY) < expected.height).sort(KEY).select(KEY, *OUTPUTS).collect()
    for name in (KEY, *OUTPUTS):
        ours, theirs = expected.get_column(name), same.get_column(name).cast(expected.schema[name])
        if not ours.equals(theirs):
            row = (ours != theirs).arg_true()[0]
            return {"equal": False, "says": f"{name}, row {row}: {ours[row]} and {theirs[row]}"}
    return {"equal": True, "says": f"the same bits in {expected.height:,} of {rows:,} rows"}


def main(reference: str, answer: str, rows: str) -> None:
    print(json.dumps(compare(reference, answer, int(rows))))


if __name__ == "__main__":
    main(*sys.argv[1:])
