"""A run's folder and a sweep's: the one place that knows names and formats on disk."""

from gantrain.runs.checkpoints import CheckpointFiles, find_checkpoint, load_checkpoint
from gantrain.runs.folder import RunFolder
from gantrain.runs.numbers import LoggedNumbers
from gantrain.runs.samples import SampleFiles
from gantrain.runs.status import Status, StatusFile
from gantrain.runs.sweep import JobFolder, SweepFolder, SweepPlan

__all__ = [
    "CheckpointFiles",
    "JobFolder",
    "LoggedNumbers",
    "RunFolder",
    "SampleFiles",
    "Status",
    "StatusFile",
    "SweepFolder",
    "SweepPlan",
    "find_checkpoint",
    "load_checkpoint",
]
