"""Games with several generators or discriminators, and with an encoder: their loss terms are the papers' equations."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from small import POINTS, TINY, fakes_of, game_of, only_latent, real_of, ring
from torch import nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import GMAN, MADGAN, BiGAN, Request
from gantrain.games.madgan import SharedGenerators
from gantrain.networks import MLPGenerator
from gantrain.training.rounds import Progress
from gantrain.turns import LossInputs, Samples

SOFT = sum(k * math.exp(k) for k in (1, 2, 3)) / sum(math.exp(k) for k in (1, 2, 3))


def gman(*words: str) -> GMAN:
    torch.manual_seed(0)
    game = build_game(config(*POINTS, "model=gman", *words))
    assert isinstance(game, GMAN)
    return game


def test_gman_plays_every_discriminator_by_itself() -> None:
    game = gman()
    assert [turn.player for turn in game.turns] == [*(f"discriminator_{k}" for k in range(3)), "generator"]
    batch = ring(game)
    made = fakes_of(game, batch)
    for name in game.discriminators:
        real, fake = (game.score(name, samples, batch).logits for samples in (real_of(game, batch), made))
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
    values = [torch.tensor(v) for v in (1.0, 2.0, 3.0)]
    assert gman(*words).aggregate(values, only_latent({})).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("how", ["mean", "max", "softmax"])
def test_dropped_discriminators_do_not_count_and_one_stays(how: str) -> None:
    game = gman("model.drop_discriminator=0.9", f"model.aggregate={how}")
    values = [torch.tensor(v) for v in (1.0, 2.0, 4.0)]
    found = {round(game.aggregate(values, only_latent(game.latents(1))).item(), 3) for _ in range(200)}
    assert {1.0, 2.0, 4.0} <= found


def test_gman_scales_judge_other_resolutions() -> None:
    words = ["dataset=digits", "model=gman", "networks@model=dcgan_small", "model.roles=scales", "model.count=2"]
    game = build_game(config(*words, "loss=nonsaturating"))
    sides = [game.get_submodule(f"{name}.head").in_features for name in game.discriminators]
    assert sides[0] > 0
    x = torch.randn(3, 1, 16, 16)
    trunk, head = (game.get_submodule(f"discriminator_1.{part}") for part in ("trunk", "head"))
    wanted = head(trunk(F.avg_pool2d(x, 2))).squeeze(1)
    torch.testing.assert_close(game.score("discriminator_1", Samples(x), game.batch_at(0)).logits, wanted)
    with pytest.raises(UserError, match="roles=same"):
        build_game(config(*POINTS, "model=gman", "model.roles=scales"))


@pytest.mark.parametrize("hardness", [0.0, 1.0, 3.0])
def test_what_is_minimised_is_the_softmax_mean_itself(hardness: float) -> None:
    """Durugkar et al. 2017, section 4.2: of Σ w·l with w = softmax(λ·l) the slope in l is w·(1 + λ·(l - Σ w·l))."""
    game = game_of(*TINY, "model=gman", f"model.hardness={hardness}")
    assert isinstance(game, GMAN)
    losses = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64, requires_grad=True)
    mean = game.aggregate(list(losses), only_latent({}))
    (slopes,) = torch.autograd.grad(mean, losses)
    weights = torch.tensor([math.exp(hardness * loss) for loss in (0.5, 1.0, 2.5)], dtype=torch.float64)
    weights /= weights.sum()
    torch.testing.assert_close(slopes, weights * (1 + hardness * (losses - mean)).detach())
    assert slopes.sum().item() == pytest.approx(1)


def test_the_generator_hears_the_harshest_discriminator_alone() -> None:
    game = game_of(*TINY, "model=gman", "model.aggregate=max")
    losses = torch.tensor([0.5, 2.5, 1.0], requires_grad=True)
    (slopes,) = torch.autograd.grad(game.aggregate(list(losses), only_latent({})), losses)
    assert slopes.tolist() == [0, 1, 0]


def test_discriminators_are_dropped_as_often_as_asked() -> None:
    """Mordido et al. 2018: each by itself with probability d; where all would fall, one stays."""
    game = game_of(*TINY, "model=gman", "model.aggregate=mean", "model.drop_discriminator=0.3")
    values = [torch.tensor(v) for v in (1.0, 10.0, 100.0)]
    present = game.latents(5)["present"]
    assert torch.equal(present, present[:1].expand(5, 3)), "one choice for the whole batch, whatever its parts"
    heard = Counter(round(game.aggregate(values, only_latent(game.latents(1))).item(), 3) for _ in range(4000))
    alone = 0.7 * 0.3**2 + 0.3**3 / 3
    assert heard[37.0] / 4000 == pytest.approx(0.7**3, abs=0.03)
    for value in (1.0, 10.0, 100.0):
        assert heard[value] / 4000 == pytest.approx(alone, abs=0.02)
    for value in (5.5, 50.5, 55.0):
        assert heard[value] / 4000 == pytest.approx(0.7**2 * 0.3, abs=0.03)


@pytest.mark.parametrize("roles", ["same", "scales"])
def test_gmans_generator_hears_every_discriminator_of_its_samples(roles: str) -> None:
    torch.manual_seed(0)
    words = ["dataset=digits", "model=gman", "networks@model=dcgan_small", "model.aggregate=mean", "tricks=[]"]
    game = build_game(config(*words, "loss=nonsaturating", f"model.roles={roles}", "model.count=2"))
    batch = only_latent(game.latents(4))
    terms = game.terms("generator", batch)
    made = fakes_of(game, batch).x
    losses = []
    for k, name in enumerate(("discriminator_0", "discriminator_1")):
        x = F.avg_pool2d(made, 2) if roles == "scales" and k else made
        trunk, head = (game.get_submodule(f"{name}.{part}") for part in ("trunk", "head"))
        losses.append(F.softplus(-head(trunk(x))).mean())
    torch.testing.assert_close(terms["adversarial"], torch.stack(losses).mean())


def test_siblings_share_all_but_their_last_layer() -> None:
    siblings = SharedGenerators(lambda noise_dim: MLPGenerator([2], noise_dim, [8, 8]), 4, count=3, own=1)
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
    batch = ring(game)
    terms = game.terms("discriminator", batch)
    made = fakes_of(game, batch)
    assert made.conditions["generator"].bincount().tolist() == [4, 4, 4, 4]

    def outcomes(x: torch.Tensor) -> torch.Tensor:
        features = game.get_submodule("discriminator.trunk")(x)
        among = game.get_submodule("discriminator.heads.generator")(features)
        real = game.get_submodule("discriminator.head")(features) + among.logsumexp(1, keepdim=True)
        return torch.cat([among, real], 1)

    real = F.cross_entropy(outcomes(batch.data["real"]), torch.full((16,), 4))
    fake = F.cross_entropy(outcomes(made.x), made.conditions["generator"])
    torch.testing.assert_close(terms["adversarial"] + terms["identification"], real + 4 * fake)
    generator = F.cross_entropy(outcomes(made.x), torch.full((16,), 4))
    torch.testing.assert_close(game.terms("generator", batch)["adversarial"], generator)


@pytest.mark.parametrize("generators", [2, 4])
def test_where_all_densities_are_equal_d_believes_one_in_k_plus_1(generators: int) -> None:
    """Ghosh et al. 2018, theorem 1: D(x) = p_d / (p_d + Σ p_i)."""
    game = game_of(*TINY, "model=madgan", f"model.generators={generators}")
    assert isinstance(game, MADGAN)
    logit = torch.zeros((), requires_grad=True)
    for _ in range(500):
        (slope,) = torch.autograd.grad(game.value(LossInputs(real=logit.expand(8), fake=logit.expand(8))), logit)
        logit = (logit - slope).detach().requires_grad_(True)
    assert logit.sigmoid().item() == pytest.approx(1 / (generators + 1), abs=1e-4)


@pytest.mark.parametrize("loss", ["r3", "wgan", "hinge"])
def test_where_logits_are_no_log_odds_either_kind_counts_the_same(loss: str) -> None:
    game = game_of(*TINY, "model=madgan", f"loss={loss}")
    batch = ring(game)
    terms = game.terms("discriminator", batch)
    made = fakes_of(game, batch)
    real, fake = (game.score("discriminator", samples, batch) for samples in (real_of(game, batch), made))
    torch.testing.assert_close(terms["adversarial"], game.loss.adversarial.discriminator(real.logits, fake.logits))
    named = game.get_submodule("discriminator.heads.generator")(fake.features)
    torch.testing.assert_close(terms["identification"], F.cross_entropy(named, made.conditions["generator"]))


def test_every_sample_is_said_to_be_of_the_generator_that_made_it() -> None:
    game = game_of(*TINY, "model=madgan", "model.generators=3")
    batch = ring(game, 7)
    made = fakes_of(game, batch)
    each = list(game.get_submodule("generator.each").children())
    for noise, sample, maker in zip(batch.latent["noise"], made.x, made.conditions["generator"], strict=True):
        torch.testing.assert_close(each[int(maker)](noise[None])[0], sample)
    assert set(game.terms("generator", batch)) == {"adversarial"}


def test_the_preview_has_a_row_for_each_generator() -> None:
    game = game_of(*TINY, "model=madgan")
    request = game.preview_request(20)
    assert request.columns == 5
    makers = game.sample(request)["samples"].conditions["generator"].view(4, 5)
    assert torch.equal(makers, torch.arange(4)[:, None].expand(4, 5))
    assert game.preview_request(21).columns is None


def bigan(loss: str = "nonsaturating") -> BiGAN:
    torch.manual_seed(0)
    game = build_game(config(*POINTS, "model=bigan", f"loss={loss}"))
    assert isinstance(game, BiGAN)
    return game


def test_bigan_judges_pairs() -> None:
    """Donahue et al. 2017, equation 3; generator and encoder play for the exchanged verdict."""
    game = bigan()
    batch = ring(game)
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
    terms = game.terms("generator", ring(game))
    slopes = torch.autograd.grad(terms["adversarial"], list(game.get_submodule("generator.encoder").parameters()))
    assert all(slope.abs().sum() > 0 for slope in slopes[:2])


def test_bigan_reconstructs_and_its_average_holds_the_encoder() -> None:
    rounds = round_of(*POINTS, "model=bigan", "tricks=[ema]")
    rounds.play(Progress())
    game = rounds.game
    x = torch.randn(5, 2)
    coder = game.averages["generator"]
    assert isinstance(coder.encoder, nn.Module)
    found = game.sample(Request(5, inputs={"real": x}))["samples"]
    coder.eval()
    torch.testing.assert_close(found.conditions["code"], coder.encoder(x))
    torch.testing.assert_close(found.x, coder.decoder(found.conditions["code"]))  # type: ignore[operator]
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
