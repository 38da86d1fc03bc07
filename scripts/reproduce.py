"""Trains the recipe of a paper, judges the run, and prints its figures beside the published ones.

    python scripts/reproduce.py wgan_gp_cifar10                  as long as the recipe says: of most, hours of a GPU
    python scripts/reproduce.py infogan_mnist --budget 20m       as long as fits
    python scripts/reproduce.py lsgan_mnist seed=1 trainer.device=cuda:1     with any words of gantrain's

A figure of a shorter run is no reproduction, and what is printed says so. Figures by Inception need its weights, which
are fetched; with metrics=auto a run does without, and says that nothing is compared.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from gantrain.config import complete, compose, hydra_at
from gantrain.report.tables import short
from gantrain.runs import RunFolder


@dataclass(frozen=True)
class Published:
    """A figure of a paper, and the figure of ours that is of its kind."""

    figure: str
    what: str
    source: str
    ours: str
    measure: Sequence[str] = ()
    """Words by which a recipe that measures something else by itself measures it."""


FID = "FID of 50,000 samples by Inception"
MEASURED = ("metrics.use=[fid]", "metrics.known.fid.samples=10000")
EQUAL = ("FID of 10,000 samples by Inception", "Lucic et al. 2018, table 2, best of 100 settings", "fid", MEASURED)
PUBLISHED = {
    "dcgan_celeba64": Published("21.4", FID, "Heusel et al. 2017, table 1, a DCGAN of their own", "fid"),
    "dragan_mnist": Published("7.6 ± 0.4", *EQUAL),
    "infogan_mnist": Published("5 %", "error of the code of ten values", "Chen et al. 2016, section 7.2", "code_error"),
    "lsgan_mnist": Published("7.8 ± 0.6", *EQUAL),
    "minimax_mnist": Published("9.8 ± 0.9", *EQUAL),
    "nonsaturating_mnist": Published("6.8 ± 0.5", *EQUAL),
    "sgan_mnist": Published(
        "0.93 ± 0.07 %", "error on the test set with 100 labels", "Salimans et al. 2016, table 1", "test_error"
    ),
    "sngan_celeba": Published("5.71", FID, "kwotsin/mimicry", "fid"),
    "sngan_cifar10": Published("14.32", FID, "w86763777/pytorch-gan-collections", "fid"),
    "triplegan_mnist": Published(
        "0.91 ± 0.58 %", "error on the test set with 100 labels", "Li et al. 2017, table 1", "test_error"
    ),
    "wgan_gp_cifar10": Published(
        "7.86 ± 0.07", "Inception score of 50,000 samples", "Gulrajani et al. 2017, table 3", "inception_score"
    ),
    "wgan_gp_mnist": Published("20.3 ± 5.0", *EQUAL),
    "wgan_mnist": Published("6.7 ± 0.4", *EQUAL),
}


def train(name: str, words: Sequence[str], outputs: Path) -> RunFolder:
    """Runs the recipe.

    Raises:
        SystemExit: it could not be trained; what it said stands above.
    """
    before = set(outputs.glob("*/*"))
    command = [sys.executable, "-m", "gantrain", f"experiment={name}", *words, f"outputs_dir={outputs}"]
    code = subprocess.run(command, check=False).returncode
    new = [RunFolder(path) for path in set(outputs.glob("*/*")) - before if RunFolder(path).has_config]
    if code or not new:
        raise SystemExit(code or 1)
    return new[0]


def recipes_steps(name: str) -> int:
    """How long the recipe is by itself."""
    with hydra_at(None):
        return int(complete(compose([f"experiment={name}"], "train")).trainer.steps)


def table(name: str, run: RunFolder) -> list[str]:
    """Our last figures beside the published one, and what the run's own health says."""
    published, protocols = PUBLISHED[name], run.protocols.read()
    lines = run.numbers.read()
    final = {tag: value for line in lines for tag, value in line.items() if tag.startswith("metrics/")}
    steps, whole = max((line["step"] for line in lines), default=0), recipes_steps(name)
    state = run.status.read()
    seed = OmegaConf.create(run.read_config()).seed
    said = ["", f"{name}, seed {seed}: {steps:,} of the recipe's {whole:,} steps, {state.machine}"]
    said.append(f"  verdict    {(state.verdict or {}).get('sentence', 'none was kept')}")
    said.append(f"  published  {published.figure:<14} {published.what}  ({published.source})")
    share = published.figure.endswith("%")
    for tag, value in final.items():
        held = protocols.get(tag, {})
        how = ", ".join(f"{key} {held[key]}" for key in ("space", "samples", "split") if held.get(key))
        ours = f"{value:.2%}" if share and tag == f"metrics/{published.ours}" else short(value)
        said.append(f"  ours       {ours:<14} {tag.removeprefix('metrics/')}{f'  ({how})' if how else ''}")
    if f"metrics/{published.ours}" not in final:
        said.append(f"  not compared: ours that is of its kind, {published.ours}, was not measured")
    if steps < whole:
        said.append(f"  no reproduction: the run is {steps / whole:.1%} as long as the recipe")
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(PUBLISHED))
    parser.add_argument("--budget", help="of the training, as in 20m or 2h; gantrain works out how many steps fit")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="where the run goes")
    arguments, words = parser.parse_known_args()
    if arguments.budget:
        words.append(f"budget={arguments.budget}")
    if not any(word.lstrip("+").startswith("metrics") for word in words):
        words += PUBLISHED[arguments.name].measure
    run = train(arguments.name, words, arguments.outputs)
    print("\n".join(table(arguments.name, run)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
