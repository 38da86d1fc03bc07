"""Tables as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def aligned(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Lines of columns as wide as what stands in them, under their names; what a row lacks stays empty."""
    shown = [columns, *([short(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(cells[k]) for cells in shown) for k in range(len(columns))]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) for cells in shown)
    return "\n".join(line.rstrip() for line in lines)


def short(value: Any) -> str:
    """A value in a cell: numbers to four digits, nothing for None."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
