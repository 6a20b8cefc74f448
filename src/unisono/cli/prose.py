"""Help texts, written as prose."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence


def flowing(text: str | None) -> str:
    """Paragraphs without the line breaks of the source, so that a terminal can break them; indented lines stay.

    >>> flowing("One thing, said at\\nsome length.\\n\\nAnother.\\n  kept as it is")
    'One thing, said at some length.\\n\\nAnother.\\n  kept as it is'
    """
    lines: list[str] = []
    for line in inspect.cleandoc(text or "").splitlines():
        if lines and lines[-1] and line and not line.startswith(" ") and not lines[-1].startswith(" "):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def table(rows: Iterable[Sequence[object]]) -> str:
    """Columns, indented, each but the last as wide as its widest entry.

    >>> print(table([(0, "done"), (70, "not done")]))
      0   done
      70  not done
    """
    shown = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join(f"  {'  '.join(map(str.ljust, row, widths))}".rstrip() for row in shown)


def examples(commands: Iterable[str]) -> str:
    """The end of a command's help."""
    lines = [f"  {command}" for command in commands]
    return "\n".join(["Example:" if len(lines) == 1 else "Examples:", *lines])
