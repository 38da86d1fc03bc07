"""What only a GPU can show. Run with pytest -m gpu."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

import pytest
import torch
from conftest import config
from torch import nn

from gantrain.commands.assembly import build_game, build_learners, plain
from gantrain.commands.parts import build_parts
from gantrain.config import build
from gantrain.data import DataContext
from gantrain.networks.layers import spectrally_normalise
from gantrain.training.execution import choose_execution
from gantrain.training.finite import check_state
from gantrain.training.machine import choose_machine
from gantrain.training.rounds import Progress, Rounds
from gantrain.tricks import InstanceNoise
from gantrain.turns import Batch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")]


def losses(
    *words: str, execution: str = "eager", steps: int = 4, observe: bool = True, said: list[str] | None = None
) -> list[dict[str, float]]:
    """Of some rounds; `said` takes why turns stay eager, where that is no fault."""
    cfg = config(*words, "trainer.device=cuda")
    game = build_game(cfg)
    machine = choose_machine("cuda", cfg.trainer.precision.value, game)
    machine.place(game)
    place = DataContext(Path("data"), machine.device, cfg.seed, cfg.trainer.data_budget)
    batches = build(plain(cfg.dataset), "dataset").open(place)
    faults: list[str] = []
    how = choose_execution(execution, game, machine, (faults if said is None else said).append)
    rounds = Rounds(game, build_learners(cfg, game), batches, machine, cfg.seed, 1000, 32, execution=how)
    rounds.begin()
    progress, found = Progress(), []
    for _ in range(steps):
        rounds.play(progress, observe=observe)
        found.append(rounds.meter.read())
    batches.close()
    assert not faults
    return found


@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp", "r1", "r3"])
@pytest.mark.parametrize("model", ["mlp", "dcgan", "resnet"])
def test_bf16_stays_near_fp32(model: str, loss: str) -> None:
    """Penalties are float32 in both; the first losses agree to what bf16 can hold."""
    words = ["dataset=digits", f"model={model}", f"loss={loss}"]
    exact, rough = (losses(*words, f"trainer.precision={p}")[0] for p in ("fp32", "bf16"))
    for tag in exact:
        if tag.startswith("loss/"):
            assert rough[tag] == pytest.approx(exact[tag], rel=0.1, abs=0.05), tag


@pytest.mark.parametrize("execution", ["graph", "compile"])
@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp", "r3"])
@pytest.mark.parametrize("model", ["mlp", "dcgan"])
def test_every_execution_gives_the_losses_of_eager_turns(model: str, loss: str, execution: str) -> None:
    words = ["dataset=digits", f"model={model}", f"loss={loss}", "trainer.precision=fp32"]
    eager, faster = (losses(*words, execution=how, steps=8, observe=False) for how in ("eager", execution))
    assert faster[0] == pytest.approx(eager[0], rel=1e-4, abs=1e-6)
    for a, b in zip(eager, faster, strict=True):  # small differences grow
        assert b == pytest.approx(a, rel=0.1, abs=0.05)


def test_spectral_norm_keeps_its_digits_under_autocast() -> None:
    layer = nn.Linear(64, 64, device="cuda")
    spectrally_normalise(layer)
    layer.eval()
    exact = layer.weight
    with torch.autocast("cuda", torch.bfloat16):
        torch.testing.assert_close(layer.weight, exact)


def test_same_seed_same_bits() -> None:
    words = ["dataset=digits", "model=dcgan", "loss=wgan_gp"]
    assert losses(*words) == losses(*words)


def test_data_read_ahead_into_pinned_memory_changes_nothing() -> None:
    words = ["dataset=digits", "model=mlp", "trainer.precision=fp32"]
    whole, ahead = losses(*words), losses(*words, "trainer.data_budget=1000")
    for a, b in zip(whole, ahead, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("experiment", ["sngan_cifar10", "cgan_cifar10", "speedrun_cifar10", "sngan_celeba"])
def test_large_recipes_play_and_fit(real_data: Path, experiment: str) -> None:
    """Twenty steps as they are: every number is one, and a GPU of 16 GB is enough."""
    cfg = config(f"experiment={experiment}", "metrics=none", "trainer.device=cuda", f"data_dir={real_data}")
    parts = build_parts(cfg, None, print)
    torch.cuda.reset_peak_memory_stats()
    with closing(parts.source.open(parts.context)) as batches:
        sizes = (cfg.trainer.steps, cfg.trainer.batch_size)
        rounds = Rounds(parts.game, parts.learners, batches, parts.machine, cfg.seed, *sizes)
        rounds.begin()
        for step in range(20):
            rounds.play(parts.progress, observe=step == 19)
    assert all(math.isfinite(value) for value in rounds.meter.read().values())
    check_state(parts.game, parts.learners, 20, parts.weights)
    assert torch.cuda.max_memory_allocated() < 16 * 2**30


def test_turns_that_cannot_be_captured_stay_eager_and_the_run_goes_on() -> None:
    """A trick that reads on the host spoils a capture; what is drawn afterwards is drawn as if there had been none."""

    def reads(self: InstanceNoise, x: torch.Tensor, batch: Batch) -> torch.Tensor:
        return original(self, x, batch) + 0 * float(x.sum().item())

    original, said, found = InstanceNoise.augment, list[str](), []
    for execution in ("eager", "graph"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(InstanceNoise, "augment", reads)
            words = ["dataset=digits", "loss=nonsaturating", "tricks=[instance_noise]", "trainer.precision=fp32"]
            found.append(losses(*words, execution=execution, observe=False, said=said))
    assert said
    for eager, graph in zip(*found, strict=True):
        assert graph["loss/generator/total"] == pytest.approx(eager["loss/generator/total"], rel=1e-3)
