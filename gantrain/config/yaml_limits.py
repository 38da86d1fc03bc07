"""A YAML text of a stranger's, looked at before it is read: what would take all memory or time is refused at once."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

LONGEST = 2**20
"""Signs; a run's config has some ten thousand."""
DEEPEST = 40
"""Levels; a run's config has seven."""
MOST = 50_000
"""Values, with every alias counted as all that it stands for."""
READER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C where it was built


@dataclass
class _Node:
    """A list or mapping in the reading, or what an anchor stands for: its values and levels, itself among them."""

    anchor: str | None = None
    values: int = 1
    levels: int = 1


def check_yaml(text: str) -> None:
    """Whether a YAML text is of the size that a config may have.

    Raises:
        ValueError: it is larger, nests more deeply, or becomes so where its aliases are followed.
        yaml.YAMLError: it is no YAML.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST:,} signs")
    anchored: dict[str, _Node] = {}
    outer: list[_Node] = []
    total = 0
    for event in yaml.parse(text, Loader=READER):  # as it comes, so that what is refused is not read to its end
        if isinstance(event, yaml.CollectionStartEvent):
            outer.append(_Node(event.anchor))
            if len(outer) > DEEPEST:
                raise ValueError(f"it nests more than {DEEPEST} levels deep")
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:
                raise ValueError("it holds an alias of what it stands in, or of nothing")
            done = anchored[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            done = _Node(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = outer.pop()
        else:
            continue
        total += 1 if isinstance(event, yaml.CollectionEndEvent) else done.values  # what is in it was counted
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent) and done.anchor:
            anchored[done.anchor] = done
        if outer:
            outer[-1].values += done.values
            outer[-1].levels = max(outer[-1].levels, done.levels + 1)
        if total > MOST:
            raise ValueError(f"it holds more than {MOST:,} values")
        if len(outer) + done.levels > DEEPEST:
            raise ValueError(f"it nests more than {DEEPEST} levels deep")
