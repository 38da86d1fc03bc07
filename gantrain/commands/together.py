"""Several processes for one run: what torchrun started, and what the first of them tells the others."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrain.runs import RunFolder
    from gantrain.training.ranks import Ranks


def started_together() -> bool:
    """Whether torchrun, or what sets the same variables, started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and {"RANK", "MASTER_ADDR"} <= os.environ.keys()


def is_follower() -> bool:
    """Whether it is another of them than the first, who alone speaks to the user."""
    return started_together() and os.environ["RANK"] != "0"


@contextmanager
def together() -> Iterator[Ranks]:
    """The processes of this run, which torchrun started, for as long as it needs them."""
    from gantrain.training.processes import Processes

    ranks = Processes()
    try:
        with ranks.watched():
            yield ranks
    except BaseException:
        ranks.close(well=False)
        raise
    ranks.close()


def tell(ranks: Ranks, cfg: DictConfig | None, state: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Tells the others the first one's config, which they `hear`, and the checkpoint to go on from; gives this back."""
    from omegaconf import OmegaConf

    ranks.first(lambda: OmegaConf.to_yaml(cfg))
    return ranks.state(lambda: state)


def hear(ranks: Ranks) -> tuple[DictConfig, Mapping[str, Any] | None]:
    """What the first one tells."""
    from gantrain.commands.assembly import config_of

    cfg = config_of({"config": ranks.first(str)}, "the first process")
    return cfg, ranks.state(lambda: None)


def way_out(folder: RunFolder) -> str:
    """What to do once a process of the run in this folder is gone."""
    if folder.checkpoints.last() is None:
        return "it had saved nothing yet, start it again"
    return f"go on from its last checkpoint with {shlex.quote(f'run={folder}')}"
