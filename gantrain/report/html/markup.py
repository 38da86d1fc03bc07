"""HTML by small pieces. Text is escaped wherever it is put in, so that a stranger's names cannot become markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = {"input", "img", "br"}
"""Elements that hold nothing and have no end tag."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: object) -> Html:
    """An element around its children: markup stays, anything else is text and is escaped.

    Args:
        attributes: by name, with a `_` behind those that are Python's words and within those that have a hyphen;
            True stands without a value, None and False are left out.
    """
    words = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(key)
        elif value is not None and value is not False:
            words.append(f'{key}="{escape(str(value))}"')
    head = f"<{' '.join(words)}>"
    return Html(head) if name in VOID else Html(f"{head}{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Html:
    """Pieces one after the other; None is nothing."""
    return Html(
        "".join(child if isinstance(child, Html) else escape(str(child)) for child in children if child is not None)
    )


def section(title: str, *children: object, note: str | None = None) -> Html:
    """A part of the page under its heading, which is the address of it too."""
    explained = tag("p", note, class_="note") if note else None
    return tag("section", tag("h2", title), explained, *children, id=title.lower().replace(" ", "-"))


def folded(title: str, *children: object, opened: bool = False) -> Html:
    """A part that is closed until it is clicked."""
    return tag("details", tag("summary", title), *children, open=opened)


def table(columns: Iterable[object], rows: Iterable[Iterable[object]], **attributes: object) -> Html:
    """A table that scrolls sideways where the screen is narrow. Cells that are no `<td>` or `<th>` get one."""
    head = tag("thead", tag("tr", *(_cell(cell, "th") for cell in columns)))
    body = tag("tbody", *(tag("tr", *(_cell(cell, "td") for cell in row)) for row in rows))
    return tag("div", tag("table", head, body, **attributes), class_="scroll", tabindex=0)


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Names beside values, without those that are None."""
    return tag("dl", *(joined((tag("dt", name), tag("dd", value))) for name, value in pairs if value is not None))


def _cell(cell: object, kind: str) -> Html:
    if isinstance(cell, Html) and cell.startswith(("<td", "<th")):
        return cell
    return tag(kind, cell)
