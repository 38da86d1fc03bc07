"""From words on a command line to one config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, open_dict

from gantrain.config.explaining import explained
from gantrain.config.trust import Loader
from gantrain.errors import UserError
from gantrain.options import CONFIGS, listed


class ListingLoader(Loader):
    """A loader that names, of a group's options, those that are a user's to choose."""

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        found = super().get_group_options(group_name, results_filter, config_name, overrides)
        return listed(group_name, found, self.folder) if results_filter is ObjectType.CONFIG else found


@contextmanager
def hydra_at(config_dir: str | None = None, loader: type[Loader] = Loader) -> Iterator[None]:
    """Hydra over gantrain's configs and the user's own folder, whose files go before gantrain's of the same name.

    Raises:
        UserError: there is no such folder.
    """
    folder = None if config_dir is None else Path(config_dir).expanduser().resolve()
    if folder is not None and not folder.is_dir():
        raise UserError(f"--config-dir: there is no folder {folder}")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), job_name="gantrain", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        hydra.config_loader = loader(folder)
        yield


def compose(overrides: Sequence[str], config_name: str = "train") -> DictConfig:
    """The config for these overrides, inside `hydra_at`, with `name` filled in.

    Raises:
        UserError: an unknown group, option or key, or words that are no override.
    """
    with explained(overrides, config_name):
        cfg = hydra_compose(config_name, list(overrides), return_hydra_config=True)
        choices = {
            k: v for k, v in cfg.hydra.runtime.choices.items() if isinstance(k, str) and not k.startswith("hydra")
        }
        with open_dict(cfg):
            del cfg["hydra"]
        return named(cfg, choices)


def named(cfg: DictConfig, choices: Mapping[str, Any]) -> DictConfig:
    """Fills in the run's name: the experiment's, else <dataset>-<model>-<loss>."""
    if "name" in cfg and cfg.name is None:
        cfg.name = choices.get("experiment") or "-".join(str(choices.get(g)) for g in ("dataset", "model", "loss"))
    return cfg
