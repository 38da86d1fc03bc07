"""From words on a command line to one complete, checked config, and from it to objects. Knows classes by name only."""

from gantrain.config.budget import has_minutes_of_budget, left_to_budget, minutes_of, names_recipe
from gantrain.config.building import build, kind_of
from gantrain.config.completing import complete
from gantrain.config.composing import ListingLoader, compose, hydra_at, implied, with_choices
from gantrain.config.explaining import explained
from gantrain.config.few import AUGMENTING
from gantrain.config.naming import metric_named
from gantrain.config.overrides import parse, prepare, quoted, value_of
from gantrain.config.places import check_place, data_folder
from gantrain.config.schema import (
    DataRequest,
    EvaluateRequest,
    Execution,
    ExportRequest,
    OnFailure,
    OnNonfinite,
    ReportRequest,
    SampleRequest,
)
from gantrain.config.trust import of_hydra, plain_config, refuse_interpolations
from gantrain.config.validating import requested, validate
from gantrain.config.words import nearest, whole_word

__all__ = [
    "AUGMENTING",
    "DataRequest",
    "EvaluateRequest",
    "Execution",
    "ExportRequest",
    "ListingLoader",
    "OnFailure",
    "OnNonfinite",
    "ReportRequest",
    "SampleRequest",
    "build",
    "check_place",
    "complete",
    "compose",
    "data_folder",
    "explained",
    "has_minutes_of_budget",
    "hydra_at",
    "implied",
    "kind_of",
    "left_to_budget",
    "metric_named",
    "minutes_of",
    "names_recipe",
    "nearest",
    "of_hydra",
    "parse",
    "plain_config",
    "prepare",
    "quoted",
    "refuse_interpolations",
    "requested",
    "validate",
    "value_of",
    "whole_word",
    "with_choices",
]
