"""What is known of a run from its config alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["probability", "margin", "critic", "relativistic", "other"]
KINDS: dict[str, Kind] = {
    "NonSaturating": "probability",
    "Minimax": "probability",
    "LeastSquares": "margin",
    "Hinge": "margin",
    "Wasserstein": "critic",
    "RelativisticPaired": "relativistic",
    "RelativisticAverage": "relativistic",
}
"""What a discriminator's logits mean, by its loss: the sigmoid is a probability; they lie around a target or a margin;
only differences between real and fake count, which approach a distance; only differences count."""


@dataclass(frozen=True)
class Facts:
    """Of a run, as far as its numbers are judged by them."""

    loss: str = "other"
    """The class of the adversarial loss, such as NonSaturating."""
    kind: Kind = "other"
    penalties: Mapping[str, int] = field(default_factory=dict)
    """By name, on every how manieth turn each is taken; its logged term is so many times as large."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of penalties, where each is one number."""
    steps: int = 1
    minutes: float | None = None
    """After which the run ends."""
    batch_size: int = 1
    accumulate: int = 1
    """Parts in which a batch is played."""
    n_critic: int | None = None
    """Turns of D in a step, where a game has such a setting."""
    steers: bool = False
    """Steps whose numbers leave the range of floats are skipped or taken back."""
    best: str | None = None
    """The tag of the figure by which the best checkpoint is kept."""
    shape: tuple[int, ...] = ()
    classes: int | None = None
    conditional: bool = False
    """Labels are told to a player, or asked of one."""
    packs: bool = True
    """Several of its samples can be judged as one: none has a label or a code of its own."""
    modes: int | None = None
    """How many the data has, where that is known."""
    std: float | None = None
    """Of the data, where it is a Gaussian."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """By the option that sets it, the learning rate of each player."""
    tricks: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()
    """The names of what can be set of the generator, such as activation."""
    upsample: str | None = None
    """How the generator makes pictures larger."""
    convolves: bool = False
    """The generator is one of convolutions, as far as its class says."""

    @property
    def at_once(self) -> int:
        """Samples of a batch that are played at once."""
        return self.batch_size // self.accumulate

    @property
    def pictures(self) -> bool:
        return len(self.shape) == 3

    def with_tricks(self, *names: str) -> str:
        """The option that adds these to the tricks of the run."""
        return f"'tricks=[{','.join(dict.fromkeys((*self.tricks, *names)))}]'"

    @property
    def against_collapse(self) -> str:
        """The trick that shows D several samples at once."""
        return "packing" if self.packs else "minibatch_stddev"

    @property
    def against_memory(self) -> str:
        """The trick that varies what D sees."""
        return "diffaugment" if self.pictures else "instance_noise"

    def longer(self, step: int | None = None) -> str:
        """The options with which a run goes on that ended at this step; at its last, unless given."""
        minutes = "" if self.minutes is None else f" trainer.minutes={2 * self.minutes:g}"
        if step is None or step >= self.steps:
            return f" trainer.steps={2 * max(self.steps, step or 0)}{minutes}"
        return minutes

    def lighter(self, penalty: str) -> str:
        """The option that makes a penalty ten times lighter."""
        weight = self.weights.get(penalty)
        return f"loss.penalties.{penalty}.weight={'…' if weight is None else f'{weight / 10:.2g}'}"

    def lower_rate(self, player: str, by: float = 4.0) -> str:
        """The option that lowers a player's learning rate."""
        for role in (player, player.rstrip("_0123456789")):
            key = f"optimizer.{role}.lr"
            if key in self.rates:
                return f"{key}={self.rates[key] / by:.2g}"
        return f"optimizer.{player}.lr=…"


def facts_of(config: Mapping[str, Any]) -> Facts:
    """What a run's complete config says, as plain values.

    What one of an earlier version lacks, or one of somebody's own classes means in another way, is left out.
    """
    loss, trainer, dataset = (_mapping(config, key) for key in ("loss", "trainer", "dataset"))
    data, optimizer, metrics = (_mapping(config, key) for key in ("data", "optimizer", "metrics"))
    adversarial, model = _mapping(loss, "adversarial"), _mapping(config, "model")
    name = _class(adversarial)
    kind = KINDS.get(name, "other")
    if name == "LeastSquares" and adversarial.get("b", 1.0) == adversarial.get("a", 0.0):
        kind = "other"
    penalties = {name: node for name, node in _mapping(loss, "penalties").items() if isinstance(node, Mapping)}
    generator = _mapping(model, "generator")
    best, upsample = metrics.get("best"), generator.get("upsample")
    return Facts(
        loss=name,
        kind=kind,
        penalties={name: _whole(node.get("every")) or 1 for name, node in penalties.items()},
        weights=_numbers({name: node.get("weight") for name, node in penalties.items()}),
        steps=_whole(trainer.get("steps")) or 1,
        minutes=_number(trainer.get("minutes")),
        batch_size=_whole(trainer.get("batch_size")) or 1,
        accumulate=_whole(trainer.get("accumulate")) or 1,
        n_critic=_whole(loss.get("n_critic")),
        steers=trainer.get("on_nonfinite") in ("skip", "rollback"),
        best=best if isinstance(best, str) else None,
        shape=_shape(data.get("shape")),
        classes=_whole(data.get("classes")),
        conditional=_class(model) in LABELLED,
        packs=_class(model) in UNLABELLED,
        modes=_modes(dataset),
        std=_number(dataset.get("std")) if _class(dataset) == "Gaussian1d" else None,
        rates=_rates(optimizer),
        tricks=tuple(_mapping(config, "tricks")),
        settings=frozenset(generator),
        upsample=upsample if isinstance(upsample, str) else None,
        convolves=_class(generator) not in ("MLPGenerator", "other"),
    )


LABELLED = {"Conditional", "AuxiliaryClassifier", "SemiSupervised", "TripleGAN"}
"""Games that use labels."""
UNLABELLED = {"Standard", "GMAN", "other"}
"""Games whose samples have neither labels nor codes."""


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, Mapping) else {}


def _class(node: Mapping[str, Any]) -> str:
    return str(node.get("_target_") or "").rpartition(".")[2] or "other"


def _rates(optimizer: Mapping[str, Any]) -> dict[str, float]:
    entries = {f"optimizer.{key}.lr": node.get("lr") for key, node in optimizer.items() if isinstance(node, Mapping)}
    return _numbers(entries)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those that are numbers: others are schedules."""
    return {key: number for key, value in values.items() if (number := _number(value)) is not None}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: object) -> int | None:
    """A positive whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _shape(value: object) -> tuple[int, ...]:
    sizes = [_whole(size) for size in value] if isinstance(value, (list, tuple)) else []
    return tuple(size for size in sizes if size) if all(sizes) else ()


def _modes(dataset: Mapping[str, Any]) -> int | None:
    """How many the data has, of data sets whose settings say so: somebody's own may call other things the same."""
    match _class(dataset):
        case "Ring":
            return _whole(dataset.get("modes"))
        case "Grid":
            side = _whole(dataset.get("side"))
            return side**2 if side else None
        case "StackedMnist":
            return 1000
    return None
