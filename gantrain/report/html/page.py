"""The page around a report: one file with all that it needs, which reads nothing from elsewhere."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from gantrain.report.html.markup import Html, tag


def page(title: str, body: Html, data: Mapping[str, Any], footer: str) -> str:
    """The whole text of a report.

    Args:
        body: what is read; the charts fill it in.
        data: what the page's script draws: plain values, in which no finite number is null.
        footer: a last line.
    """
    parts = {
        "title": tag("title", title),
        "style": _own("style.css"),
        "body": body,
        "footer": tag("footer", footer),
        "data": _packed(json.dumps(plain(data), separators=(",", ":")).encode()),
        "plotly": _plotly(),
        "script": _own("page.js"),
    }
    text = _own("page.html")
    head, *pieces = text.split("<!--{")
    filled = (f"{parts[name]}{rest}" for name, _, rest in (piece.partition("}-->") for piece in pieces))
    return head + "".join(filled)


def plain(value: Any) -> Any:
    """A tree of plain values with what JSON does not know replaced: numbers that are not finite by null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _packed(content: bytes) -> str:
    """Bytes as base64 of gzip: a third of the size, and letters only, so that nothing in them ends a script."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


@cache
def _plotly() -> str:
    """Plotly's own script, packed; the page unpacks it when the first chart comes into view."""
    return _packed(resources.files("plotly").joinpath("package_data/plotly.min.js").read_bytes())


@cache
def _own(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
