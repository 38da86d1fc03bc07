"""`gantrain sample`: images, sound or numbers from a trained run, and looks inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gantrain.commands.show_features import show_features
from gantrain.commands.show_noise import show_noise
from gantrain.commands.show_saliency import show_saliency
from gantrain.commands.show_samples import show_samples
from gantrain.commands.shown import FOLDERS, FORMATS, Shown, check_format, format_of
from gantrain.commands.standing import stand
from gantrain.commands.trained import TrainedRun, open_run
from gantrain.commands.translating import translate_files, translator_of
from gantrain.config import SampleRequest, nearest, validate
from gantrain.errors import UserError
from gantrain.kinds import Kind
from gantrain.report.console import Console

SHOWN: dict[str, Callable[[TrainedRun, DictConfig, Mapping[str, str], str, Console], Shown]] = {
    "samples": show_samples,
    "noise": show_noise,
    "saliency": show_saliency,
    "features": show_features,
}
"""What can be shown of a run."""
ONLY_OF: dict[str, tuple[str, ...]] = {
    "interpolate": ("samples",),
    "grid": ("samples",),
    "truncation": ("samples", "features"),
    "standing": ("samples", "features"),
    "projector": ("features",),
    "input": ("samples",),
    "tile": ("samples",),
}
"""Settings that mean something only with some of what can be shown."""


def sample(asked: DictConfig, console: Console) -> Path:
    """Writes samples of a run, or a look inside it, and returns the file or folder.

    npz holds `samples`, and what other sets the game makes: uint8 (N, H, W, C) for images, float32 (N, D) for numbers,
    (N, channels, L) for sound with its `rate`; and what is known about each, such as `labels`.

    Raises:
        UserError: no run, no such checkpoint, or a setting that makes no sense.
    """
    settings = {field.name for field in fields(SampleRequest)}
    words = {str(key): str(value) for key, value in asked.items() if key not in settings and value is not None}
    if words.get("text", "").endswith(".txt"):
        words["text"] = _lines(Path(words["text"]).expanduser())
    asked = validate(OmegaConf.masked_copy(asked, [str(key) for key in asked if key in settings]), SampleRequest)
    form = _check(asked)
    run = open_run(asked.run, str(asked.checkpoint), asked.ema, asked.device)
    if asked.input is not None and (network := translator_of(run, words)) is not None:
        return translate_files(run, network, asked, words, form, console)
    if asked.tile is not None:
        raise UserError("tile= is for input=…, of a run that translates pictures: leave it out")
    if asked.format is None and run.kind is Kind.SOUND and asked.show == "samples":
        form = format_of(None, asked.out, "wav")
    stand(run, asked.truncation, asked.standing, asked.seed)
    shown = SHOWN[asked.show](run, asked, words, form, console)
    made = f"this run makes {run.kind.value}" if asked.show == "samples" else f"show={asked.show} is one page"
    check_format(shown, form, made)
    target = _target(run, asked, shown, words, form)
    FORMATS[form](shown, target)
    console.say(f"{shown.n:,} {shown.what} of step {run.step:,}: {target}")
    return target


def _lines(file: Path) -> str:
    """The texts in a file, one a line.

    Raises:
        UserError: it is not there, or holds none.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"text={file} cannot be read ({error}): write the texts into it, one a line") from error
    if not text.strip():
        raise UserError(f"text={file} is empty: write the texts into it, one a line")
    return text


def _check(asked: DictConfig) -> str:
    """The format to write, once the settings make sense.

    Raises:
        UserError: they do not.
    """
    if asked.run is None:
        raise UserError("gantrain sample needs a run: add run=<its folder or a checkpoint file>")
    if asked.n is not None and asked.n < 1:
        raise UserError(f"n must be 1 or more, got {asked.n}")
    if asked.show not in SHOWN:
        raise UserError(f"show is {', '.join(SHOWN)}: got {asked.show}{nearest(asked.show, list(SHOWN))}")
    for setting, kinds in ONLY_OF.items():
        if asked[setting] not in (None, False) and asked.show not in kinds:
            raise UserError(f"{setting}= is for show={' or show='.join(kinds)}: leave it out with show={asked.show}")
    return format_of(asked.format, asked.out)


def _target(run: TrainedRun, asked: DictConfig, shown: Shown, words: Mapping[str, str], form: str) -> Path:
    """The file or folder to write, whose parent is made: `out`, by default one in the run that says what is in it.

    Raises:
        UserError: the folder holds something else.
    """
    suffix = "" if form in FOLDERS else form
    kind = {} if asked.show == "samples" else {"show": str(asked.show)}
    wished = {**kind, **words, **(shown.wished or {})}
    named = run.home.samples.asked(run.step, shown.n, asked.seed, wished, suffix)
    if asked.out is None:
        run.home.samples.make()
        return named
    target = Path(asked.out).expanduser()
    if suffix and target.suffix.lower() != f".{suffix}":
        target = target / named.name
    if not suffix and target.is_dir() and any(target.iterdir()):
        raise UserError(f"out={asked.out} holds files already: choose a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
