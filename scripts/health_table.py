"""Makes runs sick on purpose, and tells which of them gantrain's health finds; and whether it disturbs healthy ones.

    python scripts/health_table.py train FOLDER [--seeds 0 1 2] [--only KIND …]     trains what is not there yet
    python scripts/health_table.py table FOLDER [--out benchmarks/health.md]        judges the runs that are there

Every run is small, about ten seconds on one core of a CPU. `table` replays each run's metrics.jsonl, so that detectors
can be changed without training again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
import yaml
from torch import Tensor, nn

from gantrain.commands import train as command
from gantrain.config import complete, compose, hydra_at
from gantrain.health import Health, facts_of
from gantrain.report.console import Console
from gantrain.runs import RunFolder
from gantrain.training.finite import NotFinite
from gantrain.training.rounds import Rounds

PLANE = ["dataset=ring8", "trainer.batch_size=128", "trainer.steps=1500", "log.samples_every=250"]
PLAIN = [*PLANE, "loss=nonsaturating", "optimizer=adam", "optimizer.lr=1e-3"]
DIGITS = ["dataset=digits", "trainer.steps=1500", "log.samples_every=250"]
SMALL = [*DIGITS, "model=dcgan", "model.generator.width=8", "model.discriminator.width=8", "trainer.batch_size=32"]
CONDITIONAL = ["experiment=cgan_digits", "trainer.steps=1500", "log.samples_every=250"]


# --- faults: each changes rounds before the first step ---------------------------------------------------------------


def no_fault(rounds: Rounds) -> None:
    pass


def still(player: str) -> Callable[[Rounds], None]:
    """The player's updates are left out."""

    def fault(rounds: Rounds) -> None:
        rounds.learners[player].optimizer.step = lambda *_: None  # type: ignore[method-assign]

    return fault


def shown(change: Callable[[dict[str, Tensor], int], dict[str, Tensor]]) -> Callable[[Rounds], None]:
    """Training is shown other batches than the data has: `change(batch, position)`."""

    def fault(rounds: Rounds) -> None:
        draw = rounds.batches.draw
        rounds.batches.draw = lambda position, n: change(draw(position, n), position)  # type: ignore[method-assign]

    return fault


def without_class(batch: dict[str, Tensor], position: int, absent: int = 7) -> dict[str, Tensor]:
    """Samples of a class are replaced by others of the batch."""
    there = (batch["label"] != absent).nonzero().flatten()
    index = torch.arange(len(batch["label"]))
    index = torch.where(batch["label"] == absent, there[index % len(there)], index)
    return {name: values[index] for name, values in batch.items()}


def one_class(batch: dict[str, Tensor], position: int) -> dict[str, Tensor]:
    """As if the data lay sorted: a batch holds one class, the next batch another."""
    there = (batch["label"] == position // len(batch["label"]) % 10).nonzero().flatten()
    there = there if len(there) else torch.zeros(1, dtype=torch.int64)
    index = there[torch.arange(len(batch["label"])) % len(there)]
    return {name: values[index] for name, values in batch.items()}


def field_changed(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Rounds], None]:
    """The data itself is another."""

    def fault(rounds: Rounds) -> None:
        held = rounds.batches._fields  # type: ignore[attr-defined]
        held[name] = change(held[name])

    return fault


def shuffled(labels: Tensor) -> Tensor:
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


def biased(rounds: Rounds) -> None:
    """No hidden unit of the generator is ever above zero."""
    layers = [m for m in rounds.game.get_submodule("generator").modules() if isinstance(m, nn.Linear)]
    for layer in layers[:-1]:
        nn.init.constant_(layer.bias, -10.0)


def chequered(rounds: Rounds) -> None:
    """Generated pictures have a pattern of single pixels laid over them."""

    def lay_over(_: nn.Module, __: object, output: Tensor) -> Tensor:
        rows, columns = (torch.arange(side) for side in output.shape[2:])
        return output + 0.3 * (1 - 2 * ((rows[:, None] + columns) % 2))

    for network in (rounds.game.get_submodule("generator"), *rounds.game.averages.values()):
        network.register_forward_hook(lay_over)


@dataclass(frozen=True)
class Kind:
    """A kind of run: its words, what is done to it, and that in words."""

    words: list[str]
    fault: Callable[[Rounds], None] = no_fault
    said: str = ""


SICK: Mapping[str, Kind] = {
    "d_fast": Kind([*PLAIN, "optimizer.discriminator.lr=0.1"], said="D's learning rate ×100, points"),
    "d_fast_digits": Kind([*DIGITS, "optimizer.discriminator.lr=0.2"], said="D's learning rate ×100, digits"),
    "d_fast_wgan_gp": Kind(
        [*SMALL, "loss=wgan_gp", "optimizer.discriminator.lr=0.01"], said="D's learning rate ×100, wgan_gp, digits"
    ),
    "d_still": Kind(PLAIN, fault=still("discriminator"), said="no updates of D"),
    "g_still": Kind(DIGITS, fault=still("generator"), said="no updates of G"),
    "collapse": Kind(["experiment=ring8_collapse", *PLANE[1:], "optimizer.lr=3e-3"], said="a collapsing recipe, ring8"),
    "collapse_point": Kind([*PLAIN, "loss.n_generator=10", "tricks=[]"], said="ten turns of G for one of D, ring8"),
    "collapse_digits": Kind(
        [*DIGITS, "loss=minimax", "optimizer=adam", "optimizer.lr=1e-3", "loss.n_generator=10", "tricks=[]"],
        said="the same with minimax, digits",
    ),
    "class_left_out": Kind(DIGITS, fault=shown(without_class), said="a class left out of what D is shown"),
    "twenty": Kind([*DIGITS, "dataset.held_out=360", "debug.overfit=20"], said="20 pictures"),
    "labels_shuffled": Kind(CONDITIONAL, fault=field_changed("label", shuffled), said="labels shuffled, cgan"),
    "sorted": Kind(CONDITIONAL, fault=shown(one_class), said="each batch of one class"),
    "black": Kind(DIGITS, fault=field_changed("real", torch.zeros_like), said="real pictures all black"),
    "penalty": Kind([*SMALL, "loss=r1", "loss.penalties.r1.weight=1e6"], said="a penalty of weight 1e6"),
    "g_fast": Kind([*DIGITS, "optimizer.generator.lr=0.1"], said="G's learning rate 0.1, digits"),
    "g_fast_plane": Kind([*PLANE, "optimizer.generator.lr=0.1"], said="G's learning rate 0.1, points"),
    "explodes": Kind([*PLAIN, "optimizer=sgd", "optimizer.lr=1e8"], said="numbers explode"),
    "average_slow": Kind([*DIGITS, "tricks.ema.half_life=1e9", "tricks.ema.ramp_up=null"], said="EMA of half-life 1e9"),
    "dead": Kind(PLANE, fault=biased, said="dead ReLUs, bias −10"),
    "chequered": Kind(SMALL, fault=chequered, said="a pattern of pixels over each picture"),
}
HEALTHY: Mapping[str, Kind] = {
    "digits": Kind([*DIGITS, "trainer.steps=3000"]),
    "digits_held_out": Kind([*DIGITS, "dataset.held_out=360"]),
    "ring8": Kind([*PLANE, "trainer.steps=2500"]),
    "grid25": Kind(["dataset=grid25", "trainer.steps=4000"]),
    "gaussian1d": Kind(["dataset=gaussian1d"]),
    "gaussian1d_nonsaturating": Kind(["dataset=gaussian1d", "loss=nonsaturating"]),
    "cgan_digits": Kind(CONDITIONAL),
    "acgan_digits": Kind(["experiment=acgan_digits", *DIGITS[1:]]),
    "gman_ring8": Kind(["experiment=gman_ring8", *PLANE[1:]]),
    "madgan_ring8": Kind(["experiment=madgan_ring8", *PLANE[1:]]),
    "dcgan_nonsaturating": Kind([*SMALL, "loss=nonsaturating"]),
    "digits_wgan_gp": Kind([*DIGITS, "loss=wgan_gp", "trainer.steps=1000"]),
    "dcgan_hinge": Kind([*SMALL, "loss=hinge"]),
    "dcgan_lsgan": Kind([*SMALL, "loss=lsgan"]),
    "dcgan_r1": Kind([*SMALL, "loss=r1"]),
    "dcgan_ragan": Kind([*SMALL, "loss=ragan", "trainer.steps=1000"]),
}


@contextlib.contextmanager
def faulty(fault: Callable[[Rounds], None]) -> Iterator[None]:
    build = command.build_rounds

    def with_fault(*arguments: object) -> Rounds:
        rounds = build(*arguments)  # type: ignore[arg-type]
        fault(rounds)
        return rounds

    with mock.patch.object(command, "build_rounds", with_fault):
        yield


def train(folder: Path, kinds: Mapping[str, Kind], seeds: list[int]) -> None:
    for seed in seeds:
        for name, kind in kinds.items():
            place = folder / f"{name}-{seed}"
            if RunFolder(place).has_config:
                continue
            with hydra_at():
                cfg = complete(compose([*kind.words, f"seed={seed}", "trainer.device=cpu", f"outputs_dir={folder}"]))
            place.mkdir(parents=True, exist_ok=True)
            with faulty(kind.fault), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(NotFinite):
                command.train(cfg, Console(), "", RunFolder(place))
            print(place, flush=True)


@dataclass(frozen=True)
class Judged:
    """A run with what was found of it: by name, and at which step each for the first time."""

    place: Path
    found: Mapping[str, int]
    steps: int
    verdict: str


def judge(place: Path) -> Judged:
    run = RunFolder(place)
    health, lines = Health(facts_of(yaml.safe_load(run.read_config()))), run.numbers.read()
    health.replay(lines)
    figures = {tag: value for line in lines for tag, value in line.items() if tag.startswith("metrics/")}
    found = {finding.name: finding.step for finding in health.findings}
    return Judged(place, found, max(line["step"] for line in lines), health.verdict(figures).state)


def table(folder: Path) -> str:
    """Markdown: what was found in sick and in healthy runs."""
    by_kind = {name: [judge(place) for place in _runs(folder, name)] for name in {**SICK, **HEALTHY}}
    sick = {name: runs for name, runs in by_kind.items() if runs and name in SICK}
    well = {name: runs for name, runs in by_kind.items() if runs and name in HEALTHY}
    caught = sum(bool(run.found) for runs in sick.values() for run in runs)
    disturbed = sum(bool(run.found) for runs in well.values() for run in runs)
    said = [
        "# Health, measured",
        "",
        "`scripts/health_table.py` trains small runs on one CPU core, makes some sick from the first step on, and",
        "replays what they logged through `gantrain.health`. Logged every 50 steps, looked at every 250.",
        "",
        "The thresholds of `gantrain.health` were chosen on these very runs: how often they are right about others is",
        "not measured here. Shuffled labels are caught as a hint, which changes no verdict.",
        "",
        f"- **{caught} of {sum(map(len, sick.values()))} sick runs caught**, {len(sick)} kinds",
        f"- **{disturbed} of {sum(map(len, well.values()))} healthy runs disturbed**, {len(well)} kinds",
        "",
        "## Sick",
        "",
        "| what was done | caught | steps until the first finding | of | what was found, in most runs | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in sick.items():
        first = [min(run.found.values()) for run in runs if run.found]
        span = f"{min(first)}" + (f" to {max(first)}" if max(first) > min(first) else "") if first else "never"
        counts = {n: sum(n in run.found for run in runs) for run in runs for n in run.found}
        often = ", ".join(n for n, count in counts.items() if 2 * count > len(runs))
        verdicts = ", ".join(dict.fromkeys(run.verdict for run in runs))
        said.append(
            f"| {SICK[name].said} | {len(first)} of {len(runs)} | {span} | {runs[0].steps:,} | {often} | {verdicts} |"
        )
    said += ["", "## Healthy", "", "| recipe | runs | disturbed | verdict |", "|---|---|---|---|"]
    for name, runs in well.items():
        found = ", ".join(dict.fromkeys(n for run in runs for n in run.found)) or "none"
        verdicts = ", ".join(dict.fromkeys(run.verdict for run in runs))
        said.append(f"| `{_short(HEALTHY[name].words)}` | {len(runs)} | {found} | {verdicts} |")
    return "\n".join(said) + "\n"


def _short(words: list[str]) -> str:
    """The words without those that a later one overrides."""
    return " ".join({word.partition("=")[0]: word for word in words}.values())


def _runs(folder: Path, name: str) -> list[Path]:
    places = [place for place in sorted(folder.glob(f"{name}-*")) if re.fullmatch(rf"{name}-\d+", place.name)]
    return [place for place in places if RunFolder(place).status.read().status in ("finished", "failed")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "table"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--only", nargs="*", help="kinds")
    parser.add_argument("--out", type=Path, help="where the table goes")
    asked = parser.parse_args()
    if asked.what == "train":
        kinds = {name: kind for name, kind in {**SICK, **HEALTHY}.items() if not asked.only or name in asked.only}
        train(asked.folder, kinds, asked.seeds)
    elif asked.out:
        asked.out.write_text(table(asked.folder))
    else:
        print(table(asked.folder))


if __name__ == "__main__":
    main()
