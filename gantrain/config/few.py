"""What few pictures ask for where nobody chose it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hydra import compose as hydra_compose
from omegaconf import DictConfig, OmegaConf, open_dict

from gantrain.config.places import data_folder

AUGMENTING = ("diffaugment", "ada")
"""Tricks that keep D from learning few pictures by heart."""


def augment_few(cfg: DictConfig, source: Any, say: Callable[[str], None]) -> None:
    """DiffAugment among the run's tricks, where the user's own pictures are few and the tricks were left as they are.

    They were chosen where the command line has tricks=…, where an experiment was chosen that is not one of the data
    set's own recipes, and where a trick or the loss augments already. A run that is to learn a few samples by heart,
    `debug=overfit`, is let be.

    Args:
        source: of the data.
    """
    groups = cfg.choices.groups
    named = any(word.partition("=")[0].lstrip("+~") == "tricks" for word in cfg.choices.overrides)
    brought = cfg.loss.get("tricks")
    there = [*cfg.tricks, *(brought if OmegaConf.is_dict(brought) else ())]  # anything else is refused later
    augmented = any(name in there for name in AUGMENTING)
    experiment = groups.get("experiment") not in (None, *cfg.recipes)
    if named or augmented or "tricks" not in groups or experiment or cfg.debug.overfit is not None:
        return
    count = source.few(data_folder(cfg))
    if count is None:
        return
    before = list(groups.tricks)
    with open_dict(cfg):
        cfg.tricks.diffaugment = hydra_compose(overrides=["+tricks=diffaugment"]).tricks.diffaugment
        groups.tricks = [*before, "diffaugment"]
    chosen = "picture is" if count == 1 else "pictures are"
    say(f"data: {count:,} {chosen} few: DiffAugment is on ('tricks=[{','.join(before)}]' turns it off)")
