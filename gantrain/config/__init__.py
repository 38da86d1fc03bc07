"""From words on a command line to one complete, checked config, and from it to objects. Knows classes by name only."""

from gantrain.config.building import build, kind_of
from gantrain.config.completing import complete
from gantrain.config.composing import ListingLoader, compose, hydra_at, named
from gantrain.config.explaining import explained
from gantrain.config.overrides import parse, prepare, quoted, value_of
from gantrain.config.places import check_place, data_folder
from gantrain.config.schema import OnNonfinite, SampleRequest
from gantrain.config.trust import of_hydra, plain_config, refuse_interpolations
from gantrain.config.validating import validate
from gantrain.config.words import nearest

__all__ = [
    "ListingLoader",
    "OnNonfinite",
    "SampleRequest",
    "build",
    "check_place",
    "complete",
    "compose",
    "data_folder",
    "explained",
    "hydra_at",
    "kind_of",
    "named",
    "nearest",
    "of_hydra",
    "parse",
    "plain_config",
    "prepare",
    "quoted",
    "refuse_interpolations",
    "validate",
    "value_of",
]
