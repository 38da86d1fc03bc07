"""What a batch's order means to tricks and games, and gradients that run through unrolled steps."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of
from small import fakes_of, only_latent

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games.madgan import SharedGenerators
from gantrain.networks import MLPGenerator
from gantrain.training.rounds import Progress
from gantrain.tricks import ExperienceReplay
from gantrain.tricks.virtual_batch_norm import ReferenceNorm
from gantrain.turns import Batch

POINTS = ["dataset=ring8", "networks@model=mlp", "loss=nonsaturating", "optimizer=adam", "trainer.batch_size=16"]


def test_every_maker_is_seen_beside_a_full_pool() -> None:
    words = [*POINTS, "model=madgan", "tricks=[experience_replay]", "tricks.experience_replay.size=16"]
    rounds, progress, seen = round_of(*words), Progress(), []
    trick = rounds.game.tricks["experience_replay"]
    assert isinstance(trick, ExperienceReplay)
    for _ in range(12):
        rounds.play(progress)
        made = fakes_of(rounds.game, only_latent(rounds.game.latents(16)))
        mixed = trick.fakes(rounds.game.player("discriminator"), made)
        seen.append(mixed.conditions["generator"].bincount(minlength=4))
    assert (torch.stack(seen[4:]).sum(0) > 10).all()


@pytest.mark.parametrize("loss", ["nonsaturating", "rpgan", "ragan", "r3"])
def test_unrolled_gradients_equal_finite_differences(loss: str) -> None:
    """The real logits follow G too where D's weights do."""
    words = ["dataset=ring8", f"loss={loss}", "model.generator.hidden=[4]", "model.generator.activation=tanh"]
    words += ["model.discriminator.hidden=[6]", "model.discriminator.activation=tanh", "trainer.batch_size=8"]
    torch.manual_seed(0)
    game = build_game(config(*words, "tricks=[unrolled]", "tricks.unrolled.steps=2", "tricks.unrolled.lr=0.5"))
    torch.manual_seed(1)
    batch = Batch({"real": torch.randn(8, 2)}, game.latents(8), torch.zeros(()))
    weight = game.get_submodule("generator").net[-1].weight  # type: ignore[index,union-attr]
    assert isinstance(weight, torch.nn.Parameter)
    (slope,) = torch.autograd.grad(game.terms("generator", batch)["adversarial"], weight)
    direction = slope / slope.norm()
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * 1e-2 * direction
        ends.append(game.terms("generator", batch)["adversarial"].item())
        with torch.no_grad():
            weight -= sign * 1e-2 * direction
    assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(slope.norm().item(), rel=2e-2, abs=1e-4)


def test_every_sibling_has_its_reference_norms() -> None:
    norm = ["model.generator.norm=batch", "tricks=[virtual_batch_norm]", "tricks.virtual_batch_norm.size=16"]
    rounds = round_of(*POINTS, "model=madgan", *norm)
    for sibling in rounds.game.get_submodule("generator.each").children():
        assert any(isinstance(m, ReferenceNorm) for m in sibling.modules())
        assert not any(isinstance(m, torch.nn.BatchNorm1d) for m in sibling.modules())
    rounds.play(Progress())


@pytest.mark.parametrize("own", [3, 5])
def test_siblings_with_nothing_in_common(own: int) -> None:
    siblings = SharedGenerators(lambda noise_dim: MLPGenerator([2], noise_dim, [8, 8]), 4, count=2, own=own)
    first, second = ({id(p) for p in sibling.parameters()} for sibling in siblings.each)
    assert not first & second


def test_a_classifier_has_no_reference_batch() -> None:
    words = [*POINTS, "model=triplegan", "tricks=[virtual_batch_norm]", "model.generator.norm=batch"]
    with pytest.raises(UserError, match="works on generators and discriminators"):
        build_game(config(*words, "tricks.virtual_batch_norm.players=[classifier]"))


def test_networks_train_again_after_a_failure() -> None:
    game = build_game(config(*POINTS, "model=mlp"))
    network = game.get_submodule("generator")

    def fail() -> None:
        with game.evaluating(network):
            assert not network.training
            raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        fail()
    assert network.training
