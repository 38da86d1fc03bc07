"""What a file may not say: a setting of Hydra's own, or an interpolation of anything but keys of the config.

Config folders, sweeps and checkpoints may come from strangers. Hydra's own settings can run code, write files and set
the environment; resolvers such as `oc.env` read it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer

from gantrain.config.kept import KeptRepository
from gantrain.config.yaml_limits import check_yaml
from gantrain.errors import UserError
from gantrain.options import CONFIGS

KEY = re.compile(r"\$\{\s*\.*[\w-]+(?:\.[\w-]+|\[[\w-]+\])*\s*\}")
"""An interpolation of a key: ${optimizer.lr}."""

MOST_CHECKED = 200
"""Configs of jobs that have not begun which are kept, at most."""

FOLLOWS = {"overrides": None, "runtime": None, "job": ("config_name", "override_dirname")}
"""What of Hydra's own node follows from the whole command line: it says what was composed and changes nothing."""


class Loader(ConfigLoaderImpl):
    """Hydra's loader over gantrain's configs and, before them, a folder of the user's.

    Hydra's own settings follow from the command line and from installed packages alone, and interpolations name keys.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        path = create_config_search_path(str(CONFIGS))
        if folder is not None:
            path.prepend("--config-dir", f"file://{folder}", anchor="main")
        super().__init__(path)
        self.repository = KeptRepository(self.repository)  # type: ignore[assignment]
        self._checked: dict[tuple[str, ...], DictConfig] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_checked": {}}  # a job elsewhere composes its own

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The config of a sweep's job. Hydra asks for each twice, to check it and to run it: it is composed once."""
        words = tuple(sweep_overrides)
        if words in self._checked:
            return self._checked.pop(words)
        cfg = super().load_sweep_config(master_config, sweep_overrides)
        if len(self._checked) < MOST_CHECKED:
            self._checked[words] = copy.deepcopy(cfg)  # two jobs may have the same words
        return cfg

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """The composed config.

        Raises:
            UserError: a file sets something of Hydra's own, or an interpolation is none of keys.
        """
        with keys_alone():
            cfg = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
            parsed, _ = self._parse_overrides_and_create_caching_repo(None, overrides)
            words = [o.input_line for o in parsed if of_hydra(o)]
            found = _difference(_settings(cfg), _settings_of(tuple(map(str, words)), run_mode), "hydra")
            if found is not None:
                raise UserError(f"a config sets {found}: what belongs to Hydra itself is set on the command line only")
            refuse_interpolations(OmegaConf.to_container(cfg.hydra.runtime.choices, resolve=False), "the choice of ")
            own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
            refuse_resolvers(OmegaConf.to_container(own, resolve=False))
            refuse_interpolations(OmegaConf.to_container(own, resolve=True))
        return cfg

    def _process_config_searchpath(
        self, config_name: str | None, parsed_overrides: list[Override], repo: CachingConfigRepository
    ) -> None:
        if self.folder is not None:
            _refuse_by_file(repo, self.folder)
        loaded = repo.load_config(config_name) if config_name is not None else None
        if loaded is not None and isinstance(loaded.config, DictConfig) and "hydra" in loaded.config:
            raise UserError(_refusal(str(config_name)))
        super()._process_config_searchpath(config_name, parsed_overrides, repo)

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        if ".." in str(default.config_path).split("/"):
            raise UserError(f"{default.config_path}: a defaults list may not lead out of its folder")
        result = super()._load_single_config(default, repo)
        installed = result.path.startswith(("pkg://", "structured://"))
        if not installed and isinstance(result.config, DictConfig) and "hydra" in result.config:
            raise UserError(_refusal(str(default.config_path)))
        return result


def _refuse_by_file(repo: CachingConfigRepository, folder: Path) -> None:
    """Lets the repository read no file outside a folder of the user's that it leads to, and no huge one."""
    load = repo.load_config

    def checked(config_path: str) -> ConfigResult | None:
        name = config_path.partition("://")[2] or config_path
        file = folder / (name if name.endswith(".yaml") else f"{name}.yaml")
        if file.is_file():
            home = file.resolve()
            if not home.is_relative_to(folder) and not home.is_relative_to(CONFIGS.resolve()):
                raise UserError(f"{file} lies outside {folder}: put the config itself there")
            try:
                check_yaml(home.read_text(encoding="utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError):  # which are explained where it is read
                pass
            except (ValueError, OSError) as error:
                raise UserError(f"{file} cannot be read as a config: {error}") from error
        return load(config_path)

    repo.load_config = checked  # type: ignore[method-assign]


def of_hydra(override: Override) -> bool:
    """An override is of something that belongs to Hydra itself."""
    return "hydra" in (re.split(r"[./\[]", place)[0] for place in (override.key_or_group, override.package or ""))


def _refusal(config: str) -> str:
    return f"{config}.yaml sets something below hydra: what belongs to Hydra itself is set on the command line only"


def _settings(cfg: DictConfig) -> Any:
    """Hydra's own settings, as plain values that were not resolved."""
    node: Any = OmegaConf.to_container(cfg.hydra, resolve=False, enum_to_str=True)
    for key, parts in FOLLOWS.items():
        for part in parts or ():
            node[key].pop(part)
        if parts is None:
            node.pop(key)
    return node


@cache
def _settings_of(words: tuple[str, ...], run_mode: RunMode) -> Any:
    """Hydra's own settings as these words make them where there are no other configs."""
    alone = ConfigLoaderImpl(create_config_search_path(None))
    return _settings(alone.load_configuration(None, list(words), run_mode, False, False))


def _difference(one: Any, other: Any, path: str) -> str | None:
    """The path of the first value in which two trees differ; None where they are the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            found = _difference(one.get(key), other.get(key), f"{path}.{key}")
            if found is not None:
                return found
        return None
    return None if one == other else path


@contextmanager
def keys_alone() -> Iterator[None]:
    """Within, no resolver is there, neither OmegaConf's nor anybody's: interpolations find keys alone."""
    held = dict(BaseContainer._resolvers)
    BaseContainer._resolvers.clear()
    try:
        yield
    finally:
        BaseContainer._resolvers.update(held)


def _texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key and every text of a plain tree, by where it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{path}{key}", str(key)
            yield from _texts(value, f"{path}{key}.")
    elif isinstance(node, (list, tuple)):
        for number, value in enumerate(node):
            yield from _texts(value, f"{path}{number}.")
    elif isinstance(node, str):
        yield path.removesuffix("."), node


def refuse_resolvers(tree: Any) -> None:
    """Raises a UserError where an interpolation is more than the name of a key."""
    for path, text in _texts(tree):
        left = text
        while KEY.search(left):
            left = KEY.sub("x", left)
        if "${" in left:
            raise UserError(f"{path}={text}: only a key of the config may stand in ${{…}}; type anything else as it is")


def refuse_interpolations(tree: Any, what: str = "") -> None:
    """Raises a UserError where a text holds an interpolation, which whoever reads it next would follow."""
    for path, text in _texts(tree):
        if "${" in text:
            raise UserError(f"{what}{path} is the text {text}: no value may hold ${{ once its keys are filled in")


def plain_config(text: Any, what: str) -> DictConfig:
    """A config that was written as YAML text, of plain values only.

    Raises:
        UserError: it is no such text, or holds interpolations.
    """
    try:
        if isinstance(text, str):
            check_yaml(text)
        cfg = OmegaConf.create(text) if isinstance(text, str) else None
    except Exception as error:  # whatever a YAML reader makes of a stranger's text
        raise UserError(f"the config in {what} cannot be read: choose another checkpoint") from error
    if not isinstance(cfg, DictConfig):
        raise UserError(f"the config in {what} is no YAML text, which gantrain writes: it is not to be trusted")
    for path, value in _texts(OmegaConf.to_container(cfg, resolve=False)):
        if "${" in value:
            raise UserError(
                f"the config in {what} holds an interpolation ({path}), which gantrain never writes: it is not to be "
                "trusted"
            )
    return cfg
