"""Reconstruction: what is decoded of what, what it costs, and where it has no place."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.networks.layers import has_spectral_norm, samples_meet
from gantrain.tricks.reconstruction import Reconstruction, _quarter
from gantrain.turns import Batch

SMALL = ["dataset=digits", "trainer.batch_size=4", "tricks=[reconstruction]", "tricks.reconstruction.width=2"]
VIRTUAL = "tricks.virtual_batch_norm.players=[discriminator]"
PLAIN = "model.discriminator.spectral_norm=false"
NETWORKS = {
    "fastgan": ["model=fastgan_small", "model.discriminator.width=2", "model.generator.width=2", PLAIN],
    "dcgan": ["model=dcgan_small", "model.discriminator.width=2"],
    "resnet": ["model=resnet", "model.discriminator.width=2", "model.generator.width=16", PLAIN],
}


def game_of(network: str, *words: str) -> Game:
    return build_game(config(*NETWORKS[network], *SMALL, "loss=hinge", "optimizer=adam", *words))


def batch_of(game: Game, real: Tensor) -> Batch:
    return game.batch_at(0, game.latents(len(real)), {"real": real, "label": torch.arange(len(real)) % 10})


@pytest.mark.parametrize(
    ("network", "size", "whole", "part"),
    [
        ("fastgan", 64, (16, 32), (8, 32)),
        ("fastgan", 32, (16, 16), (8, 16)),
        ("dcgan", 32, (4, 16), (2, 16)),
        ("dcgan", 8, (2, 4), None),
        ("resnet", 32, (2, 16), (16, 16)),
    ],
)
def test_decoders_make_half_the_picture_and_a_quarter_of_it(
    network: str, size: int, whole: tuple[int, int], part: tuple[int, int] | None
) -> None:
    """Of 8x8 places, and of 16x16 where there are such; 256 pixels give the paper's 128."""
    game = game_of(network, f"dataset.image_size={size}")
    decoders = game.get_submodule("discriminator.reconstruction")
    for kind, wanted in {"whole": whole, "part": part}.items():
        if wanted is None:
            assert kind not in decoders._modules
            continue
        channels, side = wanted
        decoder = decoders.get_submodule(kind)
        layers = [m for m in decoder.modules() if isinstance(m, nn.Conv2d)]
        assert layers[0].in_channels == channels
        places = min(8, size // 2)
        assert decoder(torch.randn(1, channels, places, places)).shape == (1, 1, side, side)


@pytest.mark.parametrize(("distance", "cost"), [("absolute", 0.5 + 0.5), ("squared", 0.25 + 0.25)])
@pytest.mark.parametrize("network", NETWORKS)
def test_what_grey_costs_where_black_and_white_were_to_be_seen(
    network: str, distance: Literal["absolute", "squared"], cost: float
) -> None:
    words = [f"tricks.reconstruction.distance={distance}", "tricks.reconstruction.weight=3", "dataset.image_size=32"]
    game = game_of(network, *words)
    for decoder in game.get_submodule("discriminator.reconstruction").children():
        *_, last = (m for m in decoder.modules() if isinstance(m, nn.Conv2d))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    terms = game.terms("discriminator", batch_of(game, torch.full((4, 1, 32, 32), 0.5)))
    assert terms["reconstruction"].item() == pytest.approx(3 * cost)
    assert "reconstruction" not in game.terms("generator", batch_of(game, torch.zeros(4, 1, 32, 32)))


def test_quarters_of_maps_are_those_of_the_picture() -> None:
    torch.manual_seed(0)
    picture, which = torch.randn(4, 3, 8, 12), torch.arange(4)
    found = _quarter(picture, which)
    for k, (top, left) in enumerate([(0, 0), (0, 6), (4, 0), (4, 6)]):
        assert torch.equal(found[k], picture[k, :, top : top + 4, left : left + 6])
    assert torch.equal(F.avg_pool2d(found, 2), _quarter(F.avg_pool2d(picture, 2), which))


def test_a_discriminator_learns_to_see_the_whole_picture() -> None:
    """Whose decoders alone learn by this term; the logit's layer has no part in it."""
    torch.manual_seed(0)
    game = game_of("fastgan", "tricks.reconstruction.width=8", "model.discriminator.width=4")
    judge = game.get_submodule("discriminator")
    optimizer = torch.optim.Adam(judge.parameters(), 0.01)
    batch = batch_of(game, F.interpolate(torch.rand(4, 1, 4, 4) * 2 - 1, (16, 16)))
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        value = game.terms("discriminator", batch)["reconstruction"]
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2
    slopes = {name: p.grad is not None and p.grad.any().item() for name, p in judge.named_parameters()}
    assert not any(slope for name, slope in slopes.items() if name.startswith("head"))
    assert any(slope for name, slope in slopes.items() if name.startswith("trunk"))


@pytest.mark.parametrize("normalised", [True, False])
def test_decoders_join_the_discriminator_as_it_is(normalised: bool) -> None:
    game = game_of("fastgan", f"model.discriminator.spectral_norm={normalised}", "model.discriminator.norm=none")
    judge = game.get_submodule("discriminator")
    layers = [m for m in judge.get_submodule("reconstruction").modules() if isinstance(m, nn.Conv2d)]
    assert [has_spectral_norm(layer) for layer in layers] == [normalised] * len(layers)
    assert not samples_meet(judge), "or real and fake would pass apart, and penalties be refused"
    assert {id(p) for p in game.parameters_of("discriminator")} >= {
        id(layer.weight) for layer in layers if not normalised
    }


@pytest.mark.parametrize("conditioning", ["concat", "embedding", "every_layer"])
def test_labels_beside_a_picture_are_not_to_be_reconstructed(conditioning: str) -> None:
    words = [*NETWORKS["dcgan"], *SMALL, "loss=hinge", "optimizer=adam", f"model.conditioning={conditioning}"]
    game = build_game(config("model=cgan", "networks@model=dcgan_small", *words[1:]))
    assert game.get_submodule("discriminator.reconstruction.whole")(torch.randn(1, 2, 8, 8)).shape[1] == 1
    value = game.terms("discriminator", batch_of(game, torch.zeros(4, 1, 16, 16)))["reconstruction"]
    assert value.isfinite()


def test_pictures_judged_together_are_reconstructed_together() -> None:
    rounds = round_of(*NETWORKS["dcgan"], *SMALL, "loss=hinge", "optimizer=adam", "tricks=[packing,reconstruction]")
    decoder = rounds.game.get_submodule("discriminator.reconstruction.whole")
    assert [m.out_channels for m in decoder.modules() if isinstance(m, nn.Conv2d)][-1] == 2


def test_where_it_has_no_place() -> None:
    with pytest.raises(UserError, match="reads the maps that a discriminator makes of pictures"):
        build_game(config("dataset=digits", "model=mlp", "tricks=[reconstruction]"))
    with pytest.raises(UserError, match="name it before the other trick"):
        game_of(
            *[
                "dcgan",
                "tricks=[virtual_batch_norm,reconstruction]",
                "tricks.virtual_batch_norm.players=[discriminator]",
            ]
        )
    with pytest.raises(UserError, match=r"tricks\.reconstruction\.shape=\[1, 2, 3\] is not the dataset's"):
        game_of("dcgan", "tricks.reconstruction.shape=[1,2,3]")
    with pytest.raises(ValueError, match="weight"):
        Reconstruction([1, 8, 8], weight=0.0)


def test_virtual_batch_norm_after_it() -> None:
    words = ["tricks=[reconstruction,virtual_batch_norm]", VIRTUAL]
    rounds = round_of(*NETWORKS["dcgan"], *SMALL, "loss=hinge", "optimizer=adam", *words)
    terms = rounds.game.terms("discriminator", batch_of(rounds.game, torch.zeros(4, 1, 16, 16)))
    assert terms["reconstruction"].isfinite()
