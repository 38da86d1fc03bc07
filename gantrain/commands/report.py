"""`gantrain report`: report.html of runs and sweeps; and the one with which each of them ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from gantrain.commands.assembly import plain
from gantrain.commands.chosen import IDLE, chosen_settings
from gantrain.commands.study import study_plots
from gantrain.config import ReportRequest, plain_config, validate
from gantrain.errors import Stopped, UserError
from gantrain.health import band_of, expected_bands, facts_of
from gantrain.report.console import Console
from gantrain.report.html import Bands, write_comparison, write_run_report, write_sweep_report
from gantrain.runs import JobFolder, RunFolder, SweepFolder

HERE = SweepFolder(Path()).report
"""Where the report of several runs goes."""


def report(asked: DictConfig, console: Console) -> Path:
    """Writes the report of a run, of a sweep, or of several runs side by side, and returns the file.

    Raises:
        UserError: there is no such run, or the file cannot be written.
    """
    asked = validate(asked, ReportRequest)
    if asked.runs is None:
        raise UserError("gantrain report needs runs: add runs=<a run's or sweep's folder>, several with commas between")
    paths = _paths(str(asked.runs))
    out = Path(asked.out).expanduser() if asked.out else None
    try:
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
        file = _write(paths, out)
    except OSError as error:
        raise UserError(f"the report cannot be written ({error}): choose another place with out=…") from error
    console.say(f"report  {file}  ({file.stat().st_size / 1e6:.1f} MB)")
    return file


@contextmanager
def reported_at_the_end(folder: RunFolder, cfg: DictConfig, console: Console) -> Iterator[None]:
    """Writes the report of a run with this config when it ends, however it ends."""
    hurried = False
    try:
        yield
    except Stopped as stopped:
        hurried = stopped.at_once
        raise
    finally:
        if folder.has_config and not hurried:
            report_run(folder, console.say, lambda: _bands_by(plain(cfg)))


def bands_of(folder: RunFolder) -> Bands:
    """Between what values a run's curves lie when all is well, by its config; nothing where that cannot be read."""
    try:
        return _bands_by(plain(plain_config(folder.read_config(), str(folder))))
    except (OSError, UserError, TypeError, ValueError, AttributeError, KeyError):  # of a stranger's config
        return lambda tag: None


def _bands_by(config: Mapping[str, Any]) -> Bands:
    expected = expected_bands(facts_of(config))
    return lambda tag: band_of(tag, expected)


def choices_of(folder: RunFolder) -> dict[str, str]:
    """What was chosen for a run, by key: options of groups and single values; nothing where that cannot be read."""
    found: dict[str, str] = {}
    try:
        settings = chosen_settings(plain_config(folder.read_config(), str(folder)))
        found = {key: str(value) for key, value in settings.items() if key != "changed"}
        job = JobFolder(folder.path)
        words = (word.lstrip("+").partition("=") for word in (job.read_words() if job.is_job else ()))
        found |= {key: value.strip("'\"") for key, sign, value in words if sign and key not in IDLE}
    except (OSError, UserError, OmegaConfBaseException, TypeError, ValueError, AttributeError):  # a stranger's
        pass
    return found


def report_run(folder: RunFolder, say: Callable[[str], None], bands: Callable[[], Bands] | None = None) -> bool:
    """Writes a run's report; whether that could be done.

    Args:
        bands: between what values its curves lie when all is well, where that is known better than by its files.
    """
    return _safely(lambda: write_run_report(folder, bands() if bands else bands_of(folder)), say)


def report_sweep(folder: SweepFolder, say: Callable[[str], None]) -> bool:
    """Writes a sweep's report; whether that could be done."""
    return _safely(lambda: write_sweep_report(folder, study=study_plots(folder)), say)


def _safely(write: Callable[[], object], say: Callable[[str], None]) -> bool:
    """A report that fails ends nothing: it can be made later."""
    try:
        write()
    except Exception as error:
        say(f"the report could not be written ({type(error).__name__}: {error}); try again with gantrain report runs=…")
        return False
    return True


def _paths(words: str) -> list[Path]:
    """The folders that were named, patterns such as outputs/ring8* among them.

    Raises:
        UserError: one of them is not there.
    """
    whole = Path(words).expanduser()
    if whole.exists():
        return [whole]
    found: list[Path] = []
    for word in filter(None, (part.strip() for part in words.strip("[]").split(","))):
        path = Path(word).expanduser()
        met = [path] if path.exists() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not met:
            raise UserError(f"runs={word}: there is no such folder")
        found += met
    return list(dict.fromkeys(found))


def _write(paths: list[Path], out: Path | None) -> Path:
    """Where one run or one sweep was named its own report, else one of all runs side by side."""
    if len(paths) == 1 and SweepFolder(paths[0]).is_sweep:
        return write_sweep_report(SweepFolder(paths[0]), out, study_plots(SweepFolder(paths[0])))
    runs = [run for path in paths for run in _runs(path)]
    if len(runs) == 1:
        return write_run_report(runs[0], bands_of(runs[0]), out)
    return write_comparison(runs, out or HERE, choices_of)


def _runs(path: Path) -> list[RunFolder]:
    """The run that a path stands for; of a folder that holds runs, or of a sweep, all of them.

    Raises:
        UserError: there is none.
    """
    run = RunFolder.of(path)
    if run.has_config:
        return [run]
    below = [RunFolder(folder) for folder in sorted(path.iterdir()) if not folder.is_symlink()] if path.is_dir() else []
    found = [run for run in below if run.has_config]
    if not found:
        raise UserError(f"{path} holds no run: name the folder of a run or of a sweep, such as outputs/<name>/<time>")
    return found
