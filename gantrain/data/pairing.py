"""Which files belong together: where a folder of pairs keeps them, and what is wrong where they do not match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gantrain.data.pictures import pictures_below
from gantrain.errors import UserError
from gantrain.untrusted import printable

Part = Literal["train", "test"]
TRAIN, HELD_OUT = "train", ("test", "val")
"""Sub-folders of the sets that Isola et al. 2017 and Zhu et al. 2017 published."""
NAMED = 3
"""Files without a partner that are named."""


@dataclass(frozen=True)
class Pairs:
    """Files of pairs in a stable order: `first` holds both pictures side by side where there is no `second`."""

    top: Path
    first: list[Path]
    second: list[Path] | None = None

    @property
    def files(self) -> list[Path]:
        return [*self.first, *(self.second or [])]

    def every(self, step: int, at: bool) -> Pairs:
        """Every step-th pair, or all the others."""
        kept = [k for k in range(len(self.first)) if (k % step == step - 1) == at]
        return Pairs(self.top, [self.first[k] for k in kept], self.second and [self.second[k] for k in kept])


def find_pairs(path: Path, folders: Sequence[str], part: Part, held_out: float, single: bool) -> Pairs:
    """The pairs of a part: of sub-folders train/ and test/ or val/ where they are there, else a share of all.

    Both pictures lie in files of one name in two folders, such as A and B (also A/train and train/A, trainA and testA),
    or side by side in one file.

    Args:
        folders: the names of the two.
        held_out: the share of the pairs that is kept from training where no folder says which.
        single: each file is a picture of its own.

    Raises:
        UserError: there are none, a folder is missing or empty, or files do not match.
    """
    train, kept = (_places(path, folders, name, single) for name in ("train", "test"))
    if kept is not None:
        if train is None:
            raise UserError(f"{path} says which pairs are kept from training ({kept[0]}), but has no {TRAIN}: add it")
        return _matched(*(train if part == "train" else kept))
    whole = _matched(*(train or _whole(path, folders, single)))
    if not held_out:
        return whole
    step = max(round(1 / held_out), 2)
    if len(whole.first) < step:
        raise UserError(
            f"{path} holds {len(whole.first)} pairs, too few to keep a share of {held_out:g} from training: set "
            "dataset.held_out=0, or add pictures"
        )
    return whole.every(step, at=part == "test")


def has_parts(path: Path, folders: Sequence[str], single: bool) -> bool:
    """Whether folders say which pairs are held out."""
    return _places(path, folders, "test", single) is not None


def _places(path: Path, folders: Sequence[str], part: str, single: bool) -> tuple[Path, Path | None] | None:
    """The folders of a part, or the one where pictures lie side by side; None where folders do not tell parts."""
    for name in (TRAIN,) if part == "train" else HELD_OUT:
        inside = path / name
        forms = (
            [(inside, None)]
            if single
            else [
                (inside / folders[0], inside / folders[1]),
                (path / folders[0] / name, path / folders[1] / name),
                (path / f"{name}{folders[0]}", path / f"{name}{folders[1]}"),
                (inside, None),
            ]
        )
        for first, second in forms:
            if first.is_dir() or (second is not None and second.is_dir()):
                return first, second
    return None


def _whole(path: Path, folders: Sequence[str], single: bool) -> tuple[Path, Path | None]:
    first, second = path / folders[0], path / folders[1]
    return (path, None) if single or not (first.is_dir() or second.is_dir()) else (first, second)


def _matched(first: Path, second: Path | None) -> Pairs:
    """The pairs of two folders, or of one whose files hold both pictures.

    Raises:
        UserError: a folder is missing or empty, or holds a file without a partner in the other.
    """
    if second is None:
        return Pairs(first, pictures_below(first))
    for there, missing in ((first, second), (second, first)):
        if not missing.is_dir():
            raise UserError(f"there is {there}, but no {missing} with the other pictures of the pairs: add it")
    sides = [_by_name(folder) for folder in (first, second)]
    lacking = [sorted(sides[k].keys() - sides[1 - k].keys()) for k in (0, 1)]
    if any(lacking):
        k = 0 if lacking[0] else 1
        named = ", ".join(printable(name) for name in lacking[k][:NAMED]) + (" …" if len(lacking[k]) > NAMED else "")
        more = f", and {len(lacking[1]):,} of {len(sides[1]):,} there none here" if all(lacking) else ""
        raise UserError(
            f"{len(lacking[k]):,} of {len(sides[k]):,} pictures in {(first, second)[k]} have no partner of the same "
            f"name in {(second, first)[k]} ({named}){more}: give both pictures of a pair the same name"
        )
    names = sorted(sides[0])
    return Pairs(first.parent, [sides[0][name] for name in names], [sides[1][name] for name in names])


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names from it on, without endings.

    Raises:
        UserError: there are none, or two have one name.
    """
    found: dict[str, Path] = {}
    for file in pictures_below(folder):
        name = str(file.relative_to(folder).with_suffix(""))
        if name in found:
            raise UserError(f"{found[name]} and {file} have one name, so that their partner is not known: rename one")
        found[name] = file
    return found
