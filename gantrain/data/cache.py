"""The cache of packs: where one lies, and which are removed when another is made."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gantrain.errors import UserError
from gantrain.locks import locked

LIMIT = 64 * 2**30
"""So many bytes may lie in the cache before packs that were not used lately are removed."""

ABANDONED = 24 * 3600
"""A pack in the making in which so many seconds nothing was written belongs to a process that was killed."""


def cache_folder() -> Path:
    """Where packed data lies: `GANTRAIN_CACHE`, else ~/.cache/gantrain."""
    return Path(os.environ.get("GANTRAIN_CACHE") or Path.home() / ".cache" / "gantrain").expanduser()


@contextlib.contextmanager
def made_once(cache: Path, name: str, say: Callable[[str], None]) -> Iterator[None]:
    """Within, no other process makes what the cache is to hold under this name: whoever comes later finds it there.

    In a cache that can only be read nobody waits for anybody.

    Args:
        say: is told where another process has to be waited for.
    """
    folder = cache / ".locks"
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError, UserError):
            folder.mkdir(parents=True, exist_ok=True)
            if not held.enter_context(locked(folder / name, wait=False)):
                say(f"waiting for another process that makes {name}")
                held.enter_context(locked(folder / name))
            held.callback(_let_go, folder, name)
        yield


def _let_go(folder: Path, name: str) -> None:
    """Removes a lock that is held: who waits for it has the file open, and finds what was made."""
    with contextlib.suppress(OSError):
        (folder / name).unlink()
        folder.rmdir()


def pack_folder(cache: Path, facts: Mapping[str, Any]) -> Path:
    """The folder of the pack with these facts: its name holds a hash of them."""
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return cache / f"{facts['name']}-{key}"


def mark_used(folder: Path) -> None:
    """Notes that a pack is in use now."""
    with contextlib.suppress(OSError):  # another's cache, which can only be read
        os.utime(folder / "facts.json")


def tidy(cache: Path, made: Path, say: Callable[[str], None]) -> None:
    """Removes what the pack `made` replaces, packs that were never finished, and the longest unused beyond `LIMIT`.

    Whatever is not wholly a pack stays where it is.
    """
    packs = {folder: facts for folder in cache.iterdir() if (facts := facts_of(folder)) is not None}
    own = packs.pop(made, None)
    if own is None:
        return
    total = _size(made)
    for folder in sorted(packs, key=_last_used, reverse=True):
        if all(packs[folder].get(key) == own[key] for key in ("name", "settings")):
            say(f"data: removed {folder}: it was packed from the same files as they were before")
            remove_pack(folder)
        elif total + _size(folder) > LIMIT:
            say(f"data: removed {folder}: the cache would hold more than {LIMIT / 2**30:.0f} GiB")
            remove_pack(folder)
        else:
            total += _size(folder)
    for folder in cache.iterdir():
        begun = re.fullmatch(r"\.\w+-[0-9a-f]{16}\.\d+", folder.name) and _holds_only(folder, r".*\.npy(\.part)?")
        if begun and time.time() - max(f.stat().st_mtime for f in (folder, *folder.iterdir())) > ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)


def facts_of(folder: Path) -> dict[str, Any] | None:
    """The facts of a pack; None for anything else."""
    if not _holds_only(folder, r".*\.npy"):
        return None
    try:
        facts = json.loads((folder / "facts.json").read_text())
        return facts if pack_folder(folder.parent, facts) == folder else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _holds_only(folder: Path, names: str) -> bool:
    """Whether it is a real folder of nothing but facts, notes and files with such names."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(f.is_file() and re.fullmatch(rf"(facts|notes|sums)\.json|{names}", f.name) for f in folder.iterdir())


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _last_used(folder: Path) -> float:
    return (folder / "facts.json").stat().st_mtime


def remove_pack(folder: Path) -> None:
    """Renames first, so that a pack is whole or not there."""
    away = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(away, ignore_errors=True)  # of a process that had this number and was killed
    try:
        folder.rename(away)
    except OSError:  # in use, where the system minds
        return
    shutil.rmtree(away, ignore_errors=True)
