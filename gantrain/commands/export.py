"""`gantrain export`: a run's generator for other programs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.assembly import build_game, config_of
from gantrain.commands.exported import card_of, generator_of
from gantrain.config import ExportRequest, validate
from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.games import Sampler
from gantrain.report.console import Console
from gantrain.runs import SUFFIXES, RunFolder, card_beside, find_checkpoint, load_checkpoint, write_card
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.checkpoints import load_game

NEEDS = {"safetensors": ("safetensors",), "onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
"""The packages that each format needs."""
TRIED = (2, 1, 7)
"""Numbers of samples with which an export is tried out."""
CLOSE = 1e-4
"""An export makes the same samples as far as this, times the largest of them where that is more than 1."""

Export = Callable[[Mapping[str, Tensor]], np.ndarray]
"""Makes samples of latents, by name, with what is exported."""


def export(asked: DictConfig, console: Console) -> Path:
    """Writes a run's generator with a card beside it, and returns its file.

    What is written is tried out first: it makes the samples that gantrain makes.

    Raises:
        UserError: no run, no such checkpoint, a setting that makes no sense, a package that is missing, or a game
            whose way of making samples the format cannot hold.
    """
    asked = validate(asked, ExportRequest)
    kind = _check(asked)
    path = Path(asked.run).expanduser()
    checkpoint = find_checkpoint(path, str(asked.checkpoint))
    state = load_checkpoint(checkpoint)
    cfg, step = config_of(state, str(checkpoint)), state["progress"]["step"]
    game = build_game(cfg, to_train=False)
    load_game(game, state, str(checkpoint))
    words = {} if asked.to is None else {"to": str(asked.to)}
    if not asked.ema:
        game.averages.clear()
    try:
        sampler = Sampler(game, state["data"], step, words)
    except ValueError as error:
        raise UserError(f"gantrain export: {error}") from error
    run = RunFolder.of(path)
    home = run if run.has_config else RunFolder(checkpoint.parent)
    seed_default(mix(cfg.seed, Purpose.SAMPLES), torch.device("cpu"))
    card = card_of(cfg, state["config"], home, checkpoint.name, step, game, sampler, words)
    content = {"safetensors": _safetensors, "torch": _torch, "onnx": _onnx}[kind](sampler, card)
    target = _target(home, asked, step, card["averaged"], kind)
    with replacing(target) as stream:
        stream.write(content)
    write_card(target, card)
    console.say(f"generator of step {step:,}: {target}\ncard: {card_beside(target)}")
    return target


def _check(asked: DictConfig) -> str:
    """The format, once the settings make sense and what it needs is here.

    Raises:
        UserError: they do not, or it is not.
    """
    if asked.run is None:
        raise UserError("gantrain export needs a run: add run=<its folder or a checkpoint file>")
    suffix = Path(asked.out or "").suffix[1:]
    kind = next((kind for kind, known in SUFFIXES.items() if known == suffix), asked.format)
    if kind not in SUFFIXES:
        raise UserError(f"format is {', '.join(SUFFIXES)}, got {asked.format}")
    missing = [package for package in NEEDS[kind] if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"format={kind} needs {', '.join(missing)}: pip install 'gantrain[export]', or set format=torch"
        )
    return kind


def _target(home: RunFolder, asked: DictConfig, step: int, averaged: bool, kind: str) -> Path:
    """The file to write, whose folder is made: `out`, by default one of the run's own whose name says what it is."""
    named = home.exports.of_step(step, averaged, kind)
    if asked.out is None:
        home.exports.make()
        return named
    target = Path(asked.out).expanduser()
    if target.suffix != named.suffix:
        target = target / named.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _safetensors(sampler: Sampler, card: Mapping[str, Any]) -> bytes:
    from safetensors.torch import save

    tensors = _tensors(sampler)
    _try_out(sampler, "safetensors", _rebuilt(card, tensors))
    return save(tensors, metadata={"format": "pt"})


def _torch(sampler: Sampler, card: Mapping[str, Any]) -> bytes:
    tensors, stream = _tensors(sampler), io.BytesIO()
    _try_out(sampler, "torch", _rebuilt(card, tensors))
    torch.save({"card": dict(card), "tensors": tensors}, stream)
    return stream.getvalue()


def _onnx(sampler: Sampler, card: Mapping[str, Any]) -> bytes:
    """The graph, with the number of samples left open."""
    onnxruntime: Any = importlib.import_module("onnxruntime")

    latent = sampler.examples(4)
    count = torch.export.Dim("n", min=1)
    try:
        with _quietly(), torch.no_grad():
            program = torch.onnx.export(
                sampler,
                tuple(latent.values()),
                input_names=list(latent),
                output_names=["samples"],
                dynamic_shapes=(tuple({0: count} for _ in latent),),
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            content = program.model_proto.SerializeToString()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is said in one sentence
        session = onnxruntime.InferenceSession(content, options)
        _try_out(sampler, "onnx", lambda given: session.run(None, {k: v.numpy() for k, v in given.items()})[0])
    except UserError:
        raise
    except Exception as error:  # torch's exporter and onnxruntime have many ways to say that they cannot
        raise _cannot_hold("onnx") from error
    return content


def _rebuilt(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Export:
    """What makes samples from the card and the tensors alone."""
    generator = generator_of(card, tensors)
    return lambda latent: generator(*latent.values()).numpy()


def _tensors(sampler: Sampler) -> dict[str, Tensor]:
    """Each tensor by itself: layers that are shared are there under each of their names."""
    return {name: x.detach().clone().contiguous() for name, x in sampler.state_dict().items()}


def _try_out(sampler: Sampler, kind: str, exported: Export) -> None:
    """Raises:
    UserError: what is exported makes other samples than gantrain.
    """
    for n in TRIED:
        latent = sampler.examples(n)
        with torch.no_grad():
            wanted = sampler(*latent.values()).numpy()
            made = exported(latent)
        if made.shape != wanted.shape or np.abs(made - wanted).max() > CLOSE * max(1.0, np.abs(wanted).max()):
            raise _cannot_hold(kind)


def _cannot_hold(kind: str) -> UserError:
    others = " or ".join(f"format={other}" for other in SUFFIXES if other != kind)
    return UserError(
        f"format={kind} cannot hold how this run makes its samples, however many are asked for: try {others}"
    )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporter has to say of its progress."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        held = logging.root.manager.disable
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(held)
