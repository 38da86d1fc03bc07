"""Exported generators: their cards, and the module that their tensors belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from gantrain import __version__
from gantrain.commands.assembly import build_game, config_of, plain
from gantrain.config import build
from gantrain.data import Source
from gantrain.errors import UserError
from gantrain.games import Game, Sampler
from gantrain.kinds import Kind
from gantrain.runs import RunFolder


def generator_of(card: str | Path | Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Sampler:
    """The module that turns latents into samples, with the tensors of an export.

    Args:
        card: of the export, or the file that holds it.

    Raises:
        UserError: the card is none, or the tensors do not fit it.
    """
    what = "the card" if isinstance(card, Mapping) else str(card)
    if not isinstance(card, Mapping):
        card = json.loads(Path(card).read_text(encoding="utf-8"))
    if not isinstance(card, Mapping) or not {"config", "step"} <= card.keys():
        raise UserError(f"{what} is no card of an exported generator")
    game = build_game(config_of(card, what), to_train=False)
    game.averages.clear()
    sampler = Sampler(
        game, {name: tensors[name] for name in ("mean", "std") if name in tensors}, card["step"], card.get("asked")
    )
    try:
        sampler.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise UserError(f"the tensors do not fit {what}: take both from one export") from error
    return sampler


def card_of(
    cfg: DictConfig,
    config: str,
    home: RunFolder,
    checkpoint: str,
    step: int,
    game: Game,
    sampler: Sampler,
    asked: Mapping[str, str],
) -> dict[str, Any]:
    """What an exported generator is, in plain values.

    Args:
        config: the run's, as text.
        home: of the run, for the figures that were measured of this step, and the command that made it.
        checkpoint: the name of its file.
        asked: the words that chose among the networks of the run.
    """
    averaged = any(player in game.averages for player in game.generators)
    words, examples = game.latents_in_words(), sampler.examples(2)
    made = sampler(*examples.values())
    source = build(plain(cfg.dataset), "dataset", Source)
    values = {
        Kind.PICTURES: "pixels in [-1, 1]: (x + 1) * 127.5 is 0 to 255",
        Kind.SOUND: f"sound in [-1, 1], {source.rate or 'any number of'} samples a second",
        Kind.NUMBERS: "numbers in the data's units",
    }
    return {
        "name": cfg.name,
        "command": home.status.read().command,
        "gantrain": __version__,
        "checkpoint": checkpoint,
        "step": step,
        "averaged": averaged,
        "asked": dict(asked),
        "dataset": {
            "kind": cfg.dataset._target_.rpartition(".")[2],
            "shape": list(cfg.data.shape),
            "classes": cfg.data.classes,
            "licence": source.licence,
        },
        "inputs": {name: _tensor(x) | {"what": words.get(name, "latents")} for name, x in examples.items()},
        "output": {"samples": _tensor(made) | {"what": values[Kind.of(cfg.data.shape)]}},
        "figures": _figures(home, step, averaged),
        "config": config,
    }


def _tensor(x: Tensor) -> dict[str, Any]:
    return {"dtype": str(x.dtype).removeprefix("torch."), "shape": ["n", *x.shape[1:]]}


def _figures(home: RunFolder, step: int, averaged: bool) -> dict[str, Any]:
    """What was measured of this generator: by tag the figure and its protocol; the latest measurement counts."""
    protocols = home.protocols.read()
    found = {}
    measured: list[tuple[Mapping[str, Any], Any]] = [
        *((line, protocols) for line in home.numbers.read() if line["step"] == step),
        *((line["figures"], line.get("protocols")) for line in home.evaluations.read() if line["step"] == step),
    ]
    for figures, under in measured:
        for tag, value in figures.items():
            facts = under.get(tag) if isinstance(under, Mapping) else None
            if tag.startswith("metrics/") and isinstance(facts, Mapping) and facts.get("averaged") == averaged:
                found[tag] = {"value": value, "protocol": facts}
    return found
