"""Games with several generators or discriminators, and with an encoder: their loss terms are the papers' equations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from small import POINTS
from torch import nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import GMAN, MADGAN, Batch, BiGAN, Request
from gantrain.games.madgan import Siblings
from gantrain.networks import MLPGenerator
from gantrain.training.round import Progress

SOFT = sum(k * math.exp(k) for k in (1, 2, 3)) / sum(math.exp(k) for k in (1, 2, 3))


def batch_of(game: GMAN | MADGAN | BiGAN, n: int = 16) -> Batch:
    torch.manual_seed(1)
    return Batch({"real": torch.randn(n, 2)}, game.latents(n), torch.zeros(()), phase={"penalties": ()})


def gman(*words: str) -> GMAN:
    torch.manual_seed(0)
    game = build_game(config(*POINTS, "model=gman", *words))
    assert isinstance(game, GMAN)
    return game


def test_gman_plays_every_discriminator_by_itself() -> None:
    game = gman()
    assert [turn.player for turn in game.turns] == [*(f"discriminator_{k}" for k in range(3)), "generator"]
    batch = batch_of(game)
    made = game.generate(batch.latent)
    for name in game.discriminators:
        real, fake = (game.judge(name, shown).logits for shown in (game.real(batch), made))
        wanted = F.softplus(-real).mean() + F.softplus(fake).mean()
        torch.testing.assert_close(game.terms(name, batch)["adversarial"], wanted)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["model.aggregate=mean"], 2.0),
        (["model.aggregate=max"], 3.0),
        (["model.aggregate=softmax", "model.hardness=0"], 2.0),
        (["model.aggregate=softmax", "model.hardness=1"], SOFT),
        (["model.aggregate=softmax", "model.hardness=50"], 3.0),
    ],
)  # fmt: skip
def test_gman_aggregates(words: list[str], wanted: float) -> None:
    """Durugkar et al. 2017, sections 3.1 and 4.2."""
    assert gman(*words).aggregate([torch.tensor(v) for v in (1.0, 2.0, 3.0)]).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("how", ["mean", "max", "softmax"])
def test_dropped_discriminators_do_not_count_and_one_stays(how: str) -> None:
    game = gman("model.drop_discriminator=0.9", f"model.aggregate={how}")
    values = [torch.tensor(v) for v in (1.0, 2.0, 4.0)]
    found = {round(game.aggregate(values).item(), 3) for _ in range(200)}
    assert {1.0, 2.0, 4.0} <= found


def test_gman_scales_judge_other_resolutions() -> None:
    words = ["dataset=digits", "model=gman", "networks@model=dcgan_small", "model.roles=scales", "model.count=2"]
    game = build_game(config(*words, "loss=nonsaturating"))
    sides = [game.get_submodule(f"{name}.head").in_features for name in game.discriminators]
    assert sides[0] > 0
    x = torch.randn(3, 1, 16, 16)
    from gantrain.tricks import Shown

    small = F.avg_pool2d(x, 2)
    torch.testing.assert_close(
        game.judge("discriminator_1", Shown(x)).logits,
        game.get_submodule("discriminator_1").judge(small)[0],  # type: ignore[operator,union-attr]
    )
    with pytest.raises(UserError, match="roles=same"):
        build_game(config(*POINTS, "model=gman", "model.roles=scales"))


def test_siblings_share_all_but_their_last_layer() -> None:
    siblings = Siblings(lambda noise_dim: MLPGenerator([2], noise_dim, [8, 8]), 4, count=3, own=1)
    first, second = siblings.each[0].net, siblings.each[1].net
    assert first[0][0].weight is second[0][0].weight  # type: ignore[index,union-attr]
    assert first[-1].weight is not second[-1].weight  # type: ignore[index,union-attr]
    assert len(list(siblings.parameters())) == 2 * 2 + 3 * 2
    noise = torch.randn(7, 4)
    torch.testing.assert_close(siblings(noise)[3:5], siblings.each[1](noise[3:5]))


def test_madgan_is_the_cross_entropy_of_k_plus_1_outcomes() -> None:
    """Ghosh et al. 2018, section 3.1, with the softmax put together from its two parts; as many samples of each of the
    four generators as real ones."""
    game = build_game(config(*POINTS, "model=madgan"))
    assert isinstance(game, MADGAN)
    batch = batch_of(game)
    terms = game.terms("discriminator", batch)
    made = game.generate(batch.latent)
    assert made.given["generator"].bincount().tolist() == [4, 4, 4, 4]

    def outcomes(x: torch.Tensor) -> torch.Tensor:
        features = game.get_submodule("discriminator.trunk")(x)
        among = game.get_submodule("discriminator.heads.generator")(features)
        real = game.get_submodule("discriminator.head")(features) + among.logsumexp(1, keepdim=True)
        return torch.cat([among, real], 1)

    real = F.cross_entropy(outcomes(batch.data["real"]), torch.full((16,), 4))
    fake = F.cross_entropy(outcomes(made.samples), made.given["generator"])
    torch.testing.assert_close(terms["adversarial"] + terms["identification"], real + 4 * fake)
    generator = F.cross_entropy(outcomes(made.samples), torch.full((16,), 4))
    torch.testing.assert_close(game.terms("generator", batch)["adversarial"], generator)


def bigan(loss: str = "nonsaturating") -> BiGAN:
    torch.manual_seed(0)
    game = build_game(config(*POINTS, "model=bigan", f"loss={loss}"))
    assert isinstance(game, BiGAN)
    return game


def test_bigan_judges_pairs() -> None:
    """Donahue et al. 2017, equation 3; generator and encoder play for the exchanged verdict."""
    game = bigan()
    batch = batch_of(game)
    decoder, encoder = game.get_submodule("generator.decoder"), game.get_submodule("generator.encoder")
    x, z = batch.data["real"], batch.latent["noise"]
    real = game.get_submodule("discriminator")(x, code=encoder(x))
    fake = game.get_submodule("discriminator")(decoder(z), code=z)
    wanted = F.softplus(-real).mean() + F.softplus(fake).mean()
    torch.testing.assert_close(game.terms("discriminator", batch)["adversarial"], wanted)
    exchanged = F.softplus(real).mean() + F.softplus(-fake).mean()
    torch.testing.assert_close(game.terms("generator", batch)["adversarial"], exchanged)


@pytest.mark.parametrize("loss", ["nonsaturating", "minimax", "lsgan", "wgan", "hinge", "r3", "ragan"])
def test_the_encoder_learns_with_every_loss(loss: str) -> None:
    game = bigan(loss)
    terms = game.terms("generator", batch_of(game))
    slopes = torch.autograd.grad(terms["adversarial"], list(game.get_submodule("generator.encoder").parameters()))
    assert all(slope.abs().sum() > 0 for slope in slopes[:2])


def test_bigan_reconstructs_and_its_average_holds_the_encoder() -> None:
    round = round_of(*POINTS, "model=bigan", "tricks=[ema]")
    round.play(Progress())
    game = round.game
    x = torch.randn(5, 2)
    coder = game.averages["generator"]
    assert isinstance(coder.encoder, nn.Module)
    found = game.sample(Request(5, inputs=x))
    coder.eval()
    torch.testing.assert_close(found["code"], coder.encoder(x))
    torch.testing.assert_close(found["samples"], coder.decoder(found["code"]))  # type: ignore[operator]
    start = build_game(config(*POINTS, "model=bigan")).get_submodule("generator.encoder.head").weight
    assert not torch.equal(coder.encoder.head.weight, start)  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize("trick", ["virtual_batch_norm", "feature_matching"])
def test_tricks_that_leave_the_encoder_out_are_refused(trick: str) -> None:
    with pytest.raises(UserError, match="leaves out the encoder"):
        build_game(config(*POINTS, "model=bigan", "model.generator.norm=batch", f"tricks=[{trick}]"))


@pytest.mark.parametrize("model", ["cgan", "acgan", "infogan", "madgan", "bigan", "sgan", "triplegan"])
def test_packs_of_samples_with_labels_or_codes_are_refused(model: str) -> None:
    with pytest.raises(UserError, match="a label or code of its own"):
        build_game(config("dataset=digits", f"model={model}", "loss=nonsaturating", "tricks=[packing]"))
