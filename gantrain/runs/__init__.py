"""A run's folder and a sweep's: the one place that knows names and formats on disk."""

from gantrain.runs.checkpoints import CheckpointFiles, find_checkpoint, load_checkpoint
from gantrain.runs.exports import SUFFIXES, ExportFiles, card_beside, write_card
from gantrain.runs.folder import RunFolder, runs_below
from gantrain.runs.judgements import EvaluationFile, ProtocolFile
from gantrain.runs.numbers import LoggedNumbers
from gantrain.runs.origin import Origin
from gantrain.runs.samples import SampleFiles
from gantrain.runs.status import Status, StatusFile
from gantrain.runs.sweep import JobFolder, SweepFolder, SweepPlan

__all__ = [
    "SUFFIXES",
    "CheckpointFiles",
    "EvaluationFile",
    "ExportFiles",
    "JobFolder",
    "LoggedNumbers",
    "Origin",
    "ProtocolFile",
    "RunFolder",
    "SampleFiles",
    "Status",
    "StatusFile",
    "SweepFolder",
    "SweepPlan",
    "card_beside",
    "find_checkpoint",
    "load_checkpoint",
    "runs_below",
    "write_card",
]
