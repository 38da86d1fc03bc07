"""Each trick does what it says, and nothing where it is not named."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR
from conftest import config, round_of
from torch import nn

from gantrain.commands.assembly import build_game
from gantrain.config import build
from gantrain.errors import UserError
from gantrain.networks.layers import samples_meet
from gantrain.training.rounds import Progress
from gantrain.tricks import EMA
from gantrain.tricks.minibatch_discrimination import MinibatchLayer
from gantrain.turns import Batch, LossInputs

SMALL = ["dataset=ring8", "loss=nonsaturating", "trainer.batch_size=8"]


def test_label_smoothing_changes_the_real_target_only() -> None:
    game = build_game(config(*SMALL, "tricks=[label_smoothing]"))
    logits = torch.zeros(2)
    batch = Batch({}, {}, torch.zeros(()))
    seen = game.tricks.targets(DISCRIMINATOR, LossInputs(real=logits, fake=logits), batch)
    assert (seen.real_target, seen.fake_target) == (0.9, None)
    assert game.tricks.targets(GENERATOR, LossInputs(fake=logits), batch).real_target is None


def test_label_smoothing_in_the_loss() -> None:
    """With logits 0 the loss is log 4 whatever the target; with a bias b it is 2·softplus(b) - target·b."""
    cfg = config(*SMALL, "tricks=[label_smoothing]")
    game = build_game(cfg)
    nn.init.zeros_(game.get_submodule("discriminator.head").weight)  # type: ignore[arg-type]
    nn.init.constant_(game.get_submodule("discriminator.head").bias, 1.5)  # type: ignore[arg-type]
    batch = Batch({"real": torch.randn(4, 2)}, game.latents(4), torch.zeros(()))
    term = game.terms("discriminator", batch)["adversarial"].item()
    assert term == pytest.approx(2 * math.log(1 + math.exp(1.5)) - 0.9 * 1.5)


def test_spectral_norm_covers_every_layer() -> None:
    game = build_game(config("model=dcgan", "tricks=[spectral_norm]"))
    x = torch.randn(4, 1, 16, 16)
    discriminator = game.get_submodule("discriminator")
    for _ in range(60):
        discriminator(x)
    for layer in discriminator.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            assert torch.linalg.svdvals(layer.weight.flatten(1))[0].item() == pytest.approx(1.0, abs=0.02)
    assert not any(hasattr(m, "parametrizations") for m in game.get_submodule("generator").modules())
    both = build_game(config("model=dcgan", "tricks=[spectral_norm]", "tricks.spectral_norm.generator=true"))
    assert any(hasattr(m, "parametrizations") for m in both.get_submodule("generator").modules())


def test_minibatch_layer_is_the_papers_sum() -> None:
    torch.manual_seed(0)
    layer = MinibatchLayer(3, num_kernels=2, kernel_dim=4, group_size=None)
    x = torch.randn(5, 3)
    m = (x @ layer.kernels.weight.T).view(5, 2, 4)
    out = layer(x)
    torch.testing.assert_close(out[:, :3], x)
    for i in range(5):
        for b in range(2):
            wanted = sum(math.exp(-(m[i, b] - m[j, b]).abs().sum().item()) for j in range(5))
            assert out[i, 3 + b].item() == pytest.approx(wanted, rel=1e-5)


def test_closeness_begins_where_it_tells_samples_apart() -> None:
    """Kernels of features of variance 1 have variance 1 themselves, whatever their number: neither 0 nor 1 is certain.

    Two independent samples are then 3 · 2/√π apart on average over the three numbers of a kernel.
    """
    for features in (16, 1024):
        torch.manual_seed(0)
        layer = MinibatchLayer(features, num_kernels=200, kernel_dim=3, group_size=None)
        m = layer.kernels(torch.randn(400, features)).view(400, 200, 3)
        assert m.std().item() == pytest.approx(1, rel=0.05)
        apart = (m[:200] - m[200:]).abs().sum(2).mean().item()
        assert apart == pytest.approx(3 * 2 / math.pi**0.5, rel=0.05)


def test_minibatch_groups_do_not_see_each_other() -> None:
    layer = MinibatchLayer(3, 2, 4, group_size=2)
    x = torch.randn(4, 3)
    torch.testing.assert_close(layer(x)[:2], layer(x[:2]))


def test_minibatch_discrimination_stands_before_the_last_layer_or_instead_of_one() -> None:
    game = build_game(config(*SMALL, "tricks=[minibatch_discrimination]"))
    assert samples_meet(game.get_submodule("discriminator"))
    assert game.get_submodule("discriminator.head.1").in_features == 128 + 5
    tutorial = build_game(config("experiment=gaussian1d_minibatch"))
    kinds = [type(m).__name__ for m in tutorial.get_submodule("discriminator").modules() if not list(m.children())]
    assert kinds == ["Flatten", "Linear", "Tanh", "Linear", "Tanh", "Identity", "Linear", "Linear"]


@pytest.mark.parametrize(
    "names", ["[spectral_norm,minibatch_discrimination]", "[minibatch_discrimination,spectral_norm]"]
)
def test_spectral_norm_and_minibatch_discrimination_in_any_order(names: str) -> None:
    head = build_game(config("model=dcgan", "loss=nonsaturating", f"tricks={names}")).get_submodule(
        "discriminator.head"
    )
    assert [hasattr(layer, "parametrizations") for layer in head.modules() if isinstance(layer, nn.Linear)] == [
        True,
        True,
    ]


def test_gradient_clipping_bounds_the_norm() -> None:
    free = round_of(*SMALL, "tricks=[]")
    clipped = round_of(*SMALL, "tricks=[gradient_clipping]", "tricks.gradient_clipping.max_norm=0.01")
    for rounds in (free, clipped):
        rounds.play(Progress())
    norms = [
        nn.utils.get_total_norm([p.grad for p in r.learners["discriminator"].parameters if p.grad is not None]).item()
        for r in (free, clipped)
    ]
    assert norms[0] > 0.02
    assert norms[1] == pytest.approx(0.01, rel=1e-3)


def test_weight_clipping_of_wgan() -> None:
    rounds = round_of("dataset=ring8", "loss=wgan", "trainer.batch_size=8")
    rounds.play(Progress())
    weights = torch.cat([p.flatten() for p in rounds.game.get_submodule("discriminator").parameters()])
    assert weights.abs().max().item() <= 0.01 + 1e-8
    assert rounds.game.get_submodule("generator").net[0][0].weight.abs().max() > 0.01  # type: ignore[index,union-attr]


def test_ema_follows_its_half_life() -> None:
    """After `half_life` images of a constant new value, half of the way is gone."""
    game = build_game(config(*SMALL, "tricks=[]"))
    game.averages["generator"] = copy.deepcopy(game.get_submodule("generator"))
    ema = EMA(half_life=80, ramp_up=None)
    start = [p.clone() for p in game.averages["generator"].parameters()]
    with torch.no_grad():
        for p in game.get_submodule("generator").parameters():
            p.add_(1.0)
    for _ in range(10):
        ema.after_update(GENERATOR, game, samples=8)
    for average, before in zip(game.averages["generator"].parameters(), start, strict=True):
        torch.testing.assert_close(average, before + 0.5)


def test_ema_carries_buffers() -> None:
    rounds = round_of("model=dcgan", "tricks=[ema]", "model.generator.width=4", "model.discriminator.width=4")
    before = rounds.game.averages["generator"].net[2].running_mean.clone()  # type: ignore[index,union-attr,operator]
    rounds.play(Progress())
    now = rounds.game.averages["generator"].net[2]  # type: ignore[index,union-attr]
    assert not torch.equal(before, now.running_mean)  # type: ignore[union-attr,arg-type]
    assert now.num_batches_tracked > 0  # type: ignore[union-attr,operator]


def test_ema_does_not_change_training() -> None:
    both = [round_of(*SMALL, f"tricks={names}") for names in ("[]", "[ema]")]
    for rounds in both:
        progress = Progress()
        for _ in range(3):
            rounds.play(progress)
    for without, with_ema in zip(*(rounds.learners["generator"].parameters for rounds in both), strict=True):
        assert torch.equal(without, with_ema)


def test_tricks_that_only_set_options() -> None:
    cfg = config("tricks=[ttur,n_critic]")
    assert (cfg.optimizer.generator.lr, cfg.optimizer.discriminator.lr, cfg.loss.n_critic) == (1e-4, 4e-4, 2)
    assert not cfg.tricks
    assert config("tricks=[n_critic]", "loss.n_critic=3").loss.n_critic == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["loss=hinge", "tricks=[label_smoothing]"], "needs a loss with targets"),
        (["loss=wgan_gp", "model.discriminator.norm=batch"], "samples meet"),
        (["dataset=digits", "model=dcgan", "model.discriminator.discriminator=patch", "loss=lsgan",
          "tricks=[minibatch_discrimination]"], "linear layer"),
    ],
)  # fmt: skip
def test_what_does_not_apply_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config("dataset=digits", *words))


def test_settings_are_checked() -> None:
    for node in (
        {"_target_": "gantrain.tricks.EMA", "half_life": 0.0},
        {"_target_": "gantrain.tricks.GradientClipping", "max_norm": -1.0},
        {"_target_": "gantrain.tricks.WeightClipping", "limit": 0.0},
    ):
        with pytest.raises(UserError, match="positive"):
            build(node, "trick")


@pytest.mark.parametrize(
    "words",
    [
        ["tricks=[orthogonal]", "tricks.orthogonal.players=[generatr]"],
        ["tricks=[historical_averaging]", "tricks.historical_averaging.players=[generatr]"],
        ["tricks=[gradient_clipping]", "tricks.gradient_clipping.players=[generatr]"],
        ["tricks=[weight_regularisation]", "+tricks.weight_regularisation.l1.generatr=1.0"],
        ["tricks=[virtual_batch_norm]", "tricks.virtual_batch_norm.players=[generatr]"],
    ],
)
def test_players_that_are_none_are_refused(words: list[str]) -> None:
    with pytest.raises(UserError, match="no player generatr: its players may be generator, discriminator"):
        build_game(config(*SMALL, *words))
