"""scripts/benchmark.py: its textbook and bare loops compute what gantrain's turns do, and its figures are medians."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import config
from torch import Tensor

from gantrain.commands.parts import Parts, build_parts

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
import benchmark
import contender
import textbook

POINTS = ["dataset=ring8", "trainer.batch_size=32"]
PICTURES = ["dataset=digits", "model=dcgan_small", "trainer.batch_size=8"]
RECIPES = {
    "pairs with both penalties": POINTS,
    "a penalty that shares": [*POINTS, "loss=r1", "optimizer=adam"],
    "a penalty between": [*POINTS, "loss=wgan_gp"],
    "lazy penalties": PICTURES,
    "batch norm": [*PICTURES, "loss=nonsaturating"],
    "hinge": [*PICTURES, "loss=hinge"],
    "labels": [*PICTURES, "model=cgan"],
}
REUSING = [*PICTURES, "loss=nonsaturating", "trainer.reuse_fakes=true", "trainer.precision=fp32"]


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The textbook unfolds layers for its whole process."""
    for kind in (textbook.UpConv2d, textbook.DownConv2d):
        monkeypatch.setattr(kind, "forward", kind.forward)


def gradients(parts: Parts, player: str) -> list[Tensor]:
    return [p.grad.clone() for p in parts.learners[player].parameters if p.grad is not None]


@pytest.mark.parametrize("kind", [textbook.Textbook, textbook.Bare])
@pytest.mark.parametrize("words", RECIPES.values(), ids=RECIPES)
@pytest.mark.usefixtures("unfolded")
def test_a_turn_by_hand_has_the_gradients_of_a_turn(words: list[str], kind: Any) -> None:
    """D's, from the same samples; and G's, from the same noise and real samples."""
    cfg = config(*words, *benchmark.CALM, "trainer.precision=fp32")
    parts = build_parts(cfg, None, lambda text: None)
    game, n = parts.game, cfg.trainer.batch_size
    with torch.no_grad():
        for weight in game.parameters():  # so that penalties are felt
            weight.mul_(2)
    batches = parts.source.open(parts.context)
    torch.manual_seed(0)
    data, latent = batches.draw(0, n), game.latents(n)
    before = {name: values.clone() for name, values in game.state_dict().items()}
    for player in ("discriminator", "generator"):
        batch = game.batch_at(0, latent, data)
        plan = game.plan(player, 0, 0)
        game.zero_grad()
        torch.manual_seed(1)
        terms = game.terms(player, type(batch)(data, latent, batch.step, plan))
        torch.stack(list(terms.values())).sum().backward()
        ours = gradients(parts, player)
        game.load_state_dict(before)
        loop = kind(parts, batches, n)
        told = {"label": data["label"]} if game.conditions else {}
        asked = {"label": latent["label"]} if game.conditions else {}
        game.zero_grad()
        made = (game.get_submodule("generator")(latent["noise"], *asked.values()), asked)
        torch.manual_seed(1)
        if player == "discriminator":
            loop.discriminator_turn(data["real"].clone(), told, made[0].detach(), asked)
        elif kind is textbook.Textbook:
            loop.real = lambda real=data["real"], told=told: (real, told)
            loop.generator_turn(made)
        else:
            continue
        theirs = gradients(parts, player)
        assert ours
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(one.abs().max()) + 1e-7)
        game.load_state_dict(before)


@pytest.mark.parametrize("words", [benchmark.CASES["gaussian1d"], REUSING])
@pytest.mark.usefixtures("unfolded")
def test_what_a_step_plays_is_counted(words: list[str]) -> None:
    """The bare calls play what the step plays; the textbook takes gradients of D's weights in G's turn too."""
    cfg = config(*words, *benchmark.CALM, "trainer.execution=eager")
    played = {}
    for kind in ("gantrain", "bare", "reference"):
        parts = build_parts(cfg, None, lambda text: None)
        one = contender.Contender(kind, cfg, parts, parts.source.open(parts.context))
        played[kind] = one.facts()["flop"]
        assert set(one.play(2)) == {"wall", "cpu", "waited"}
        assert parts.progress.step == (3 if kind == "gantrain" else 0)
    assert 0 < played["bare"] == played["gantrain"] < played["reference"]


def test_figures_are_medians_over_the_blocks() -> None:
    def one(kind: str, walls: list[float]) -> Any:
        blocks = [{"wall": wall, "cpu": 2 * wall, "waited": 0.1} for wall in walls]
        told: dict[str, Any] = {"images": 64, "machine": "", "threads": 1, "torch": "", "flop": 1e9, "memory": 0}
        peak = {"wall": 1e10, "cpu": 5e9}
        return benchmark.Contender("case", kind, "fp32", "eager", "", None, 10, told | {"peak": peak}, blocks)

    ours, theirs = one("gantrain", [1.0, 2.0, 9.0]), one("reference", [4.0, 3.0, 5.0])
    found = benchmark.figures(ours, theirs, "wall")
    assert found["ms"] == pytest.approx(200)
    assert found["images_per_second"] == pytest.approx(320)
    assert found["ratio"] == pytest.approx(2)
    assert found["mfu"] == pytest.approx(0.5)
    assert found["data_wait"] == pytest.approx(0.3 / 12)
    assert benchmark.figures(ours, theirs, "cpu")["ms"] == pytest.approx(400)


def test_what_the_first_step_makes_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that compiles for half a minute is not taken for a slow one; one that is slow stays alone in its block."""

    def steps_of(first: float, others: float) -> int:
        waiting = [first]

        def ask(self: benchmark.Contender, steps: int) -> dict[str, float]:
            late = waiting.pop() - others if waiting else 0.0
            return {"wall": steps * others + late}

        monkeypatch.setattr(benchmark.Contender, "ask", ask)
        one = benchmark.Contender("case", "gantrain", "fp32", "compile", "", None)
        one.settle(1.0)
        return one.steps

    assert steps_of(30.0, 0.002) == 500
    assert steps_of(30.0, 2.0) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="graphs can be played here")
def test_what_cannot_be_played_here_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    asked = {"precision": ["fp32"], "execution": ["graph", "eager"], "bare": False, "reference": False, "tree": []}
    told = {"rounds": 2, "seconds": 0.01, "clock": "cpu", "threads": 1, "data": None, "words": []}
    found = benchmark.race("gaussian1d", argparse.Namespace(**asked, **told))
    assert [one["execution"] for one in found] == ["eager"]
    assert "gaussian1d: gantrain in fp32, graph, came to an end: see above" in capfd.readouterr().err
