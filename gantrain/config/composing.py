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
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from gantrain.config.explaining import explained
from gantrain.config.overrides import parse
from gantrain.config.trust import Loader
from gantrain.errors import UserError
from gantrain.options import CONFIGS, is_group, listed


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
        overrides = implied(overrides, config_name)
    with explained(overrides, config_name):
        cfg = hydra_compose(config_name, list(overrides), return_hydra_config=True)
        choices = dict(cfg.hydra.runtime.choices)
        with open_dict(cfg):
            del cfg["hydra"]
        return with_choices(cfg, choices, overrides, config_name)


def implied(overrides: Sequence[str], config_name: str) -> list[str]:
    """The overrides with what they leave unsaid, inside `hydra_at`.

    A dataset.path= without dataset= means one's own pictures, dataset=image_folder, unless what is chosen otherwise,
    by an experiment or in a config of one's own, has a path itself. Choices that a sweep makes do not count as such.

    Raises:
        UserError: words that are no override.
    """
    keys = [word.partition("=")[0].lstrip("+~") for word in overrides]
    if "dataset.path" not in keys or any(key.partition("@")[0] == "dataset" for key in keys):
        return list(overrides)
    parsed = [override for override in parse(overrides, config_name) if not override.is_sweep_override()]
    groups = [str(override.input_line) for override in parsed if is_group(override.key_or_group)]
    cfg = hydra_compose(config_name, groups)
    known = "dataset" not in cfg or (isinstance(cfg.dataset, DictConfig) and "path" in cfg.dataset)
    return list(overrides) if known else ["dataset=image_folder", *overrides]


def with_choices(cfg: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str], config_name: str) -> DictConfig:
    """Fills in the run's name, that of the experiment or <dataset>-<model>-<loss>, and what was chosen.

    Args:
        choices: the option of each group as Hydra tells them, which leaves out groups of which several are chosen.
        overrides: the words that chose them.
    """
    if "name" not in cfg:  # no run's config
        return cfg
    if cfg.name is None:
        cfg.name = choices.get("experiment") or "-".join(str(choices.get(g)) for g in ("dataset", "model", "loss"))
    if "choices" in cfg:
        raise UserError("choices says what was chosen, and is no setting: leave it out")
    groups = {key.partition("@")[0]: option for key, option in choices.items() if option is not None}
    groups = {group: option for group, option in groups.items() if not group.startswith("hydra")}
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    chosen = hydra.config_loader.compute_defaults_list(config_name, list(overrides), RunMode.RUN).defaults
    paths = [str(default.config_path).removeprefix("/") for default in chosen]
    groups["tricks"] = [path.removeprefix("tricks/") for path in paths if path.startswith("tricks/")]
    with open_dict(cfg):
        cfg.choices = {"groups": groups, "overrides": [_without_interpolation(word, cfg) for word in overrides]}
    return cfg


def _without_interpolation(word: str, cfg: DictConfig) -> str:
    """An override that sets an interpolation, with the value which that is in the config: a config resolves its own."""
    key = word.partition("=")[0]
    if "${" not in word:
        return word
    try:
        value = OmegaConf.select(cfg, key.lstrip("+").partition("@")[0].replace("/", "."))
    except OmegaConfBaseException:  # it follows from what is not yet known
        value = None
    return f"{key}=…" if value is None or "${" in str(value) else f"{key}={value}"
