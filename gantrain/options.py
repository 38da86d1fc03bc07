"""What a user can choose: the groups and their options, as files. No Hydra here: help answers at once.

An option that was made for one choice elsewhere, such as the loss of one data set, has a header line that says which
group chooses it, `# @chosen_by dataset`. It can be chosen by name as any other, but is not shown among the choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CONFIGS = next(p for p in (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs") if p.is_dir())


def options_of(group: str) -> list[str]:
    """The names of a group's options, in order; none where there is no such group."""
    return sorted(file.stem for file in (CONFIGS / group).glob("*.yaml"))


def listed(group: str, options: Iterable[str], folder: Path | None = None) -> list[str]:
    """Those of a group's options that are a user's to choose, in order.

    Args:
        folder: of the user's own configs, whose files go before gantrain's of the same name.
    """
    places = [place / group for place in (folder, CONFIGS) if place is not None]
    return [option for option in sorted(options) if "chosen_by" not in _header(f"{option}.yaml", places)]


def is_group(name: str) -> bool:
    """Whether one of several options is chosen under this name, such as `optimizer/schedule`."""
    return (CONFIGS / name).is_dir()


def _header(name: str, places: Iterable[Path]) -> set[str]:
    """The keys of the header of a config, which are Hydra's `# @key value` before anything else."""
    file = next((place / name for place in places if (place / name).is_file()), None)
    keys = set()
    for line in file.read_text(errors="replace").splitlines() if file is not None else ():
        found = re.match(r"\s*#\s*@(\w+)\s", line)
        if found is None and line.strip():
            break
        keys |= {found.group(1)} if found else set()
    return keys
