"""Config files that are read once: a sweep composes from the same ones for every job."""

from __future__ import annotations

import copy
from typing import Any

from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource


class KeptRepository(IConfigRepository):
    """A repository that reads each config once, and hands out copies: composing changes what it is given.

    What changes on disk while a sweep runs does not reach its later jobs.

    Args:
        delegate: the repository that reads.
    """

    def __init__(self, delegate: IConfigRepository) -> None:
        self._delegate = delegate
        self._read: dict[str, ConfigResult | None] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptRepository:
        """Hydra takes a copy for each config, whose sources may become others: until then it shares what was read."""
        return copy.copy(self)

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self._read:
            self._read[config_path] = self._delegate.load_config(config_path)
        return copy.deepcopy(self._read[config_path])

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        self._read, self._delegate = {}, copy.deepcopy(self._delegate)
        self._delegate.initialize_sources(config_search_path)

    def get_schema_source(self) -> ConfigSource:
        return self._delegate.get_schema_source()

    def group_exists(self, config_path: str) -> bool:
        return self._delegate.group_exists(config_path)

    def config_exists(self, config_path: str) -> bool:
        return self._delegate.config_exists(config_path)

    def get_group_options(self, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG) -> list[str]:
        return self._delegate.get_group_options(group_name, results_filter)

    def get_sources(self) -> list[ConfigSource]:
        return self._delegate.get_sources()
