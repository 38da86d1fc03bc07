"""What games add to a discriminator: it is averaged and normalised as the rest of it."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.games import BiGAN
from gantrain.networks import Generator, MLPDiscriminator, MLPGenerator
from gantrain.networks.layers import spectrally_normalise
from gantrain.training.rounds import Progress

POINTS = ["dataset=ring8", "networks@model=mlp", "loss=nonsaturating", "optimizer=adam", "trainer.batch_size=16"]


@pytest.mark.parametrize("model", ["sgan", "acgan", "infogan"])
@pytest.mark.parametrize(("players", "averaged"), [("[discriminator,generator]", True), ("[generator]", False)])
def test_classes_are_named_by_the_average_where_there_is_one(model: str, players: str, averaged: bool) -> None:
    """As Salimans et al. 2016 measure their test error; without one, by the discriminator as it is."""
    slow = ["tricks.ema.half_life=1e6", "tricks.ema.ramp_up=null", f"tricks.ema.players={players}"]
    rounds = round_of(*POINTS, f"model={model}", "tricks=[ema]", *slow)
    rounds.play(Progress())
    game = rounds.game
    assert ("discriminator" in game.averages) == averaged
    assert "generator" in game.averages
    x = torch.randn(5, 2)
    before = game.classify(x)
    with torch.no_grad():
        for parameter in game.get_submodule("discriminator").parameters():
            parameter.zero_()
    assert torch.equal(game.classify(x), before) == averaged


def test_images_are_counted_once_where_several_players_are_averaged() -> None:
    """The ramp-up is a share of the images seen, however many networks have an average."""
    for players in ("[generator]", "[discriminator,generator]"):
        rounds = round_of(*POINTS, "model=sgan", "tricks=[ema]", f"tricks.ema.players={players}")
        progress = Progress()
        for _ in range(3):
            rounds.play(progress)
        assert rounds.game.tricks["ema"].images == 3 * 16


@pytest.mark.parametrize(
    ("words", "layer"),
    [
        ("cgan model.conditioning=projection model.generator.norm=batch", "embedding"),
        ("cgan model.conditioning=embedding", "embedding"),
        ("acgan", "heads.label"),
        ("infogan", "heads.code.0"),
        ("sgan", "head"),
        ("bigan", "meeting.0"),
        ("bigan", "code.0.0"),
    ],
)
def test_what_a_game_adds_to_a_spectrally_normalised_discriminator_is_normalised_too(words: str, layer: str) -> None:
    """Miyato & Koyama 2018 normalise the label embedding as every other layer."""
    game = build_game(config(*POINTS, *f"model={words}".split()))

    def normalised(shape: list[int] | None = None) -> MLPDiscriminator:
        network = MLPDiscriminator(shape or [2], [8, 8])
        spectrally_normalise(network)
        return network

    def generator(noise_dim: int) -> Generator:
        return MLPGenerator([2], noise_dim, [8], norm="batch")

    if isinstance(game, BiGAN):
        game.make_encoder = normalised
    game.build_players(generator, normalised)  # type: ignore[attr-defined]
    added = game.get_submodule(f"discriminator.{layer}").train()
    for _ in range(500):
        weight = added.weight  # each look is a step of the power iteration
    assert isinstance(weight, Tensor)
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=1e-3)
