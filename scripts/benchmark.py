"""How fast a step is: images/s, milliseconds, share of the machine's peak, memory; and what textbook loops take.

    python scripts/benchmark.py --case ring8                          about a minute
    python scripts/benchmark.py --case ring8 dcgan32 --reference      against PyTorch's DCGAN example's way
    python scripts/benchmark.py --case ring8 gaussian1d --bare        against the bare calls of the very step
    python scripts/benchmark.py --case dcgan64 --tree ../before       against another checkout
    python scripts/benchmark.py --reference --bare --precision fp32 bf16 --rounds 15 --out benchmarks     all of it

Each contender (a case in one execution and precision, a textbook's loop, another checkout) is a process of its own;
they play blocks of about a second by turns, in an order that is turned round every time, so that a busy machine slows
all alike. Figures are medians over the blocks; no trick takes part, nor what is logged or shown once in a while.
MFU is the operations of convolutions and products of matrices that are really played, over those of one large product
of matrices in the same precision. Memory is what building and playing take at most beyond what was held before, on the
CPU that of the process. `wait` is the share of the time spent waiting for data. A machine that is not quiet is told by
its load; then `--clock cpu`, the processor's time in place of the wall's, with `--threads 1` says more. Where a recipe
makes fakes once for both players the bare calls do too, and compiled turns do not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gantrain.config.schema import Execution

HERE = Path(__file__).parent
CIFAR, CELEBA = "dataset=cifar10", "dataset=celeba"
RESNET = [CIFAR, "model=resnet", "loss=hinge", "loss.n_critic=5", "optimizer=adam"]
CASES = {
    "ring8": ["dataset=ring8"],
    "gaussian1d": ["dataset=gaussian1d"],
    "mnist": ["dataset=mnist", "model=dcgan_small"],
    "dcgan32": [CIFAR, "model=dcgan", "loss=hinge_pictures"],
    "dcgan64": [CELEBA, "model=dcgan"],
    "resnet32": RESNET,
    "sngan": ["experiment=sngan_cifar10", "loss.generator_batches=1"],
    "wgan_gp": [CIFAR, "model=dcgan", "loss=wgan_gp"],
    "r1": [CIFAR, "model=dcgan", "loss=r1"],
    "biggan32": [CIFAR, *(f"{group}=biggan_cifar10" for group in ("trainer", "model", "loss", "optimizer"))],
}
"""The words of each: points; pictures in batches of 64, of BigGAN of 50; sngan: as kwotsin/mimicry steps it."""
POINTS = ("ring8", "gaussian1d")
CALM = ["tricks=[]", "metrics=none", "budget=null", "trainer.steps=1000000"]
SETTLING = 5
"""Blocks at most that do not count, each long enough for a better guess of how many steps the next should have."""


class Ended(Exception):
    """A contender's process is no more."""


@dataclass
class Contender:
    """A process that plays a case, and what it took."""

    case: str
    kind: str
    precision: str
    execution: str
    tree: str
    process: subprocess.Popen[str] = field(repr=False)
    steps: int = 1
    facts: dict[str, Any] = field(default_factory=dict)
    blocks: list[dict[str, float]] = field(default_factory=list)

    def ask(self, word: str | int) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(word, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Ended(f"{self.case}: {self.name} in {self.precision}, {self.execution}, came to an end: see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @property
    def name(self) -> str:
        return self.kind if not self.tree else f"{self.kind} of {self.tree}"

    def settle(self, seconds: float) -> None:
        """Plays until everything is made, and finds how many steps take so long."""
        step = math.inf
        for number in range(SETTLING):
            step = min(step, max(self.ask(self.steps)["wall"], 1e-6) / self.steps)  # the first may compile
            if number and self.steps == 1 and step > seconds / 2:
                break  # one is slow enough
            self.steps = max(1, round(seconds / step))

    def median(self, clock: str) -> float:
        """Seconds of a step."""
        return statistics.median(block[clock] for block in self.blocks) / self.steps

    def spread(self, clock: str) -> float:
        """Half of what lies between the quartiles, as a share of the median."""
        low, _, high = statistics.quantiles((block[clock] for block in self.blocks), n=4)
        return (high - low) / 2 / (self.median(clock) * self.steps)


def start(case: str, kind: str, precision: str, execution: str, tree: str, words: Sequence[str]) -> Contender:
    chosen = [*CASES[case], *CALM, f"trainer.precision={precision}", *words]
    chosen += [f"trainer.execution={execution}"] if not tree else []
    root = Path(tree).resolve() if tree else HERE.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, str(HERE / "contender.py"), kind, *chosen]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, env=env, text=True, **pipes)  # type: ignore[call-overload]
    return Contender(case, kind, precision, execution, tree, process)


def executions(case: str) -> list[str]:
    """Those that may pay here: on a CPU compiling the convolutions of one case takes minutes, and does not."""
    if torch.cuda.is_available():
        return [word.value for word in Execution if word is not Execution.auto]
    return [Execution.eager.value, *([Execution.compile.value] if case in POINTS else [])]


def contenders(case: str, asked: argparse.Namespace) -> list[Contender]:
    """Everyone who plays this case; the textbook is in float32."""
    words = list(asked.words)
    words += [f"trainer.threads={asked.threads}"] if asked.threads else []
    words += [f"data_dir={asked.data}"] if asked.data else []
    found = []
    for precision in asked.precision:
        for execution in asked.execution or executions(case):
            found.append(start(case, "gantrain", precision, execution, "", words))
        if asked.bare:
            found.append(start(case, "bare", precision, "eager", "", words))
        found += [start(case, "gantrain", precision, "eager", tree, words) for tree in asked.tree]
    return found + ([start(case, "reference", "fp32", "eager", "", words)] if asked.reference else [])


def race(case: str, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """All contenders of a case by turns; the figures of each."""
    began = contenders(case, asked)
    try:
        field_ = [one for one in began if ready(one, asked.seconds)]
        for number in range(asked.rounds):
            for one in field_[:: 1 if number % 2 else -1]:
                one.blocks.append(one.ask(one.steps))
        for one in field_:
            one.facts |= one.ask("peak")
    finally:
        for one in began:
            one.process.kill()
            one.process.wait()
    bases = [one for one in field_ if one.kind == "reference"] or field_
    return [figures(one, bases[0], asked.clock) for one in field_]


def ready(one: Contender, seconds: float) -> bool:
    """Whether it can play here: an execution or a precision may be for another machine."""
    try:
        one.facts = one.ask("facts")  # by the first step, which builds what is built late
        one.settle(seconds)
    except Ended as end:
        print(end, file=sys.stderr)
        return False
    return True


def figures(one: Contender, base: Contender, clock: str) -> dict[str, Any]:
    seconds, whole = one.median(clock), sum(block["wall"] for block in one.blocks)
    told = {key: one.facts[key] for key in ("images", "machine", "threads", "torch", "flop", "peak", "memory")}
    return told | {
        "case": one.case,
        "contender": one.name,
        "precision": one.precision,
        "execution": one.execution,
        "ms": 1000 * seconds,
        "images_per_second": one.facts["images"] / seconds,
        "spread": one.spread(clock),
        "mfu": one.facts["flop"] / seconds / one.facts["peak"][clock],
        "data_wait": sum(block["waited"] for block in one.blocks) / whole,
        "ratio": base.median(clock) / seconds,
        "against": base.name,
        "steps": one.steps,
        "blocks": one.blocks,
    }


HEAD = ["case", "contender", "precision", "execution", "images/s", "ms a step", "±", "faster", "MFU", "MiB", "wait"]


def row(found: dict[str, Any]) -> str:
    cells = [found[key] for key in ("case", "contender", "precision", "execution")]
    cells += [f"{found['images_per_second']:,.0f}", f"{found['ms']:.3f}", f"{found['spread']:.1%}"]
    cells += [f"{found['ratio']:.2f}", f"{found['mfu']:.1%}", f"{found['memory'] / 2**20:,.0f}"]
    return f"| {' | '.join([*cells, format(found['data_wait'], '.1%')])} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    offered = [word.value for word in Execution if word is not Execution.auto]
    parser.add_argument("--case", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument(
        "--execution",
        nargs="+",
        choices=[*offered, "auto"],
        help="by default all that pay: on a CPU eager for pictures",
    )
    parser.add_argument("--precision", nargs="+", default=["auto"], choices=["auto", "fp32", "bf16"])
    parser.add_argument("--reference", action="store_true", help="time the textbook's loop too")
    parser.add_argument("--bare", action="store_true", help="time the bare calls of the step too")
    parser.add_argument("--tree", nargs="+", default=[], help="other checkouts to time too")
    parser.add_argument("--rounds", type=int, default=9, help="blocks that count, of each contender")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a block, about")
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"])
    parser.add_argument("--threads", type=int, help="of all contenders; else the recipe's")
    parser.add_argument("--data", help="the folder of data sets")
    parser.add_argument("--out", type=Path, help="a folder for the figures as JSON")
    parser.add_argument("--words", nargs="+", default=[], help="more of gantrain's own, such as trainer.device=cuda")
    asked = parser.parse_args()
    if asked.rounds < 2:
        parser.error("--rounds must be 2 or more: a median and a spread are taken over them")
    load = os.getloadavg()[0]
    heads = [*HEAD[:7], f"× {'reference' if asked.reference else 'first'}", *HEAD[8:]]
    print(f"load {load:.1f} on {os.cpu_count()} cores, {asked.clock} time, {asked.rounds} blocks of each\n")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    found: list[dict[str, Any]] = []
    for case in asked.case:
        for one in race(case, asked):
            found.append(one)
            print(row(one), flush=True)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        facts = {"command": sys.argv, "clock": asked.clock, "load": load, "processor": processor(), "results": found}
        file = asked.out / f"speed-{time.strftime('%Y%m%d-%H%M%S')}.json"
        file.write_text(json.dumps(facts, indent=1))
        print(f"\n{file}")
    return 0


def processor() -> str:
    """What the machine calls its processor."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    raise SystemExit(main())
