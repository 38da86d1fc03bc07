"""What a user chose, as it was typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrain.config import parse
from gantrain.errors import UserError

IDLE = ("run", "name", "outputs_dir", "data_dir")
"""Settings that say where a run lies, and change nothing of what is learnt."""


def chosen_settings(cfg: DictConfig) -> dict[str, Any]:
    """The option of each group, then the seed and every single value that was changed, by its dotted name.

    `changed` holds these in one line: TensorBoard shows no names but those that the first of several runs has.
    Where a value was set several times the last one counts. A run of an earlier version tells its name and seed alone.
    """
    groups: Mapping[str, Any] = OmegaConf.to_container(cfg.choices.groups)  # type: ignore[assignment]
    found: dict[str, Any] = {
        group: ", ".join(map(str, option)) or "none" if isinstance(option, list) else option
        for group, option in groups.items()
    }
    if not groups:
        found["name"] = cfg.name
    changed = _changed_values(cfg, set(groups))
    line = " ".join(f"{name}={value}" for name, value in changed.items()) or "nothing"
    return {**found, "changed": line, "seed": cfg.seed, **changed}


def _changed_values(cfg: DictConfig, groups: set[str]) -> dict[str, Any]:
    """The values that the command line set; a whole option's own values are told by its name."""
    changed = {}
    for word in cfg.choices.overrides:
        try:
            (override,) = parse([word])
        except UserError:  # of a stranger's file
            continue
        key = override.key_or_group.replace("/", ".")
        if override.key_or_group in groups or key in IDLE or key.startswith("hydra"):
            continue
        value = "removed" if override.is_delete() else override.value()
        typed = str(override.input_line).partition("=")[2]
        changed[key] = value if isinstance(value, (bool, int, float, str)) else typed
    return changed
