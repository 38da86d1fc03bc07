"""Games whose samples have codes: what Q reads, and what an encoder finds."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from small import PICTURES, POINTS, fakes_of, game_of, only_latent, real_of, ring
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.training.rounds import Progress
from gantrain.turns import Batch, Samples

# --- infogan --------------------------------------------------------------------------------------------------------


def flat(made: dict[str, Samples]) -> dict[str, torch.Tensor]:
    """Samples and their codes."""
    return {"samples": made["samples"].x, **made["samples"].conditions}


def test_codes_are_drawn_as_in_the_paper() -> None:
    """Chen et al. 2016, section 7.2: categories alike, continuous codes uniform on [-1, 1]."""
    game = game_of(*POINTS, "model=infogan", "model.categorical=[4,3]", "model.continuous=2")
    latent = game.latents(6000)
    continuous = latent["continuous"]
    assert continuous.shape == (6000, 2)
    assert -1 <= continuous.min() < -0.99
    assert 0.99 < continuous.max() <= 1
    assert continuous.mean(0).abs().max() < 0.05
    assert continuous.std(0).tolist() == pytest.approx([1 / math.sqrt(3)] * 2, rel=0.03)
    for name, size in {"code_0": 4, "code_1": 3}.items():
        assert latent[name].bincount().div(6000).tolist() == pytest.approx([1 / size] * size, rel=0.1)
    assert torch.corrcoef(torch.stack([latent["code_0"].float(), latent["code_1"].float()]))[0, 1].abs() < 0.05


def test_the_information_of_several_codes_is_a_sum() -> None:
    """Chen et al. 2016, section 5: Q factors, Q(c_1, …, c_L | x) = Π Q(c_i | x), and -log Q is the sum over codes."""
    game = game_of(*POINTS, "model=infogan", "model.categorical=[4,3,5]", "model.continuous=0")
    batch = ring(game)
    trunk, head = game.get_submodule("discriminator.trunk"), game.get_submodule("discriminator.heads.code")
    parts = head(trunk(fakes_of(game, batch).x)).split([4, 3, 5], 1)
    each = [F.cross_entropy(logits, batch.latent[f"code_{k}"]) for k, logits in enumerate(parts)]
    torch.testing.assert_close(game.terms("generator", batch)["information"], each[0] + each[1] + each[2])
    assert "information_continuous" not in game.terms("generator", batch)


def test_a_generator_is_told_every_code() -> None:
    game = game_of(*POINTS, "model=infogan", "model.categorical=[4,3]", "model.continuous=2")
    latent = game.latents(4)
    before = fakes_of(game, only_latent(latent)).x
    for name in ("noise", "code_0", "code_1", "continuous"):
        other = (latent[name] + 1) % (4 if name == "code_0" else 3) if name.startswith("code") else latent[name] + 1
        assert not torch.allclose(fakes_of(game, only_latent({**latent, name: other})).x, before), name


def test_the_first_code_is_the_class_that_is_named() -> None:
    game = game_of(*POINTS, "model=infogan", "model.categorical=[4,3]")
    x = torch.randn(6, 2)
    found = game.get_submodule("discriminator.heads.code")(game.get_submodule("discriminator.trunk")(x))
    torch.testing.assert_close(game.classify(x), found[:, :4])


def test_q_moves_with_the_discriminator_and_not_with_the_generator() -> None:
    rounds = round_of(*POINTS, "model=infogan")
    held = {name: {id(p) for p in player.parameters} for name, player in rounds.learners.items()}
    q = {id(p) for p in rounds.game.get_submodule("discriminator.heads").parameters()}
    assert q <= held["discriminator"]
    assert not q & held["generator"]


@pytest.mark.parametrize(("model", "norm"), [("infogan", "batch"), ("bigan", "batch")])
def test_batch_norm_where_samples_may_not_meet_is_refused(model: str, norm: str) -> None:
    words = [*POINTS, f"model={model}", "loss=r1", f"model.norm={norm}"]
    with pytest.raises(UserError, match=r"set model\.norm=layer"):
        build_game(config(*words))
    assert build_game(config(*words, "model.norm=layer"))


def test_infogan_pays_for_codes_that_cannot_be_read_back() -> None:
    """Chen et al. 2016, equation 5 without H(c): -E log Q(c|x), a categorical and a Gaussian of variance 1."""
    game = game_of(*POINTS, "model=infogan", "model.weight=2", "model.continuous_weight=0.5")
    batch = ring(game)
    found = game.get_submodule("discriminator.heads.code")(
        game.get_submodule("discriminator.trunk")(fakes_of(game, batch).x)
    )
    named = F.cross_entropy(found[:, :10], batch.latent["code_0"])
    gaussian = torch.distributions.Normal(found[:, 10:], 1.0)
    nll = -(gaussian.log_prob(batch.latent["continuous"]) + 0.5 * math.log(2 * math.pi)).sum(1).mean()
    for player in ("discriminator", "generator"):
        terms = game.terms(player, batch)
        torch.testing.assert_close(terms["information"], 2 * named)
        torch.testing.assert_close(terms["information_continuous"], 0.5 * nll)


def test_infogan_sweeps_one_code_along_each_row() -> None:
    game = game_of(*PICTURES, "model=infogan")
    request = game.request(60, {"code": "1"})
    assert (request.columns, request.n % 10) == (10, 0)
    row = {name: values[:10] for name, values in request.latent.items()}
    torch.testing.assert_close(row["continuous"][:, 0], torch.linspace(-1, 1, 10))
    assert len(row["code_0"].unique()) == len(row["continuous"][:, 1].unique()) == 1
    assert (row["noise"] == row["noise"][0]).all()
    every = game.request(60, {"code": "all"})
    assert every.n == 30
    assert every.latent["code_0"][:10].tolist() == list(range(10))


# --- bigan ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bounded"), [("uniform", True), ("normal", False)])
def test_codes_of_an_encoder_lie_where_noise_lies(kind: str, bounded: bool) -> None:
    """Else their range alone would tell real pairs from fake ones; the reference code has a scaled sigmoid."""
    game = game_of(*POINTS, "model=bigan", f"model.noise.kind={kind}")
    x = 1e3 * torch.randn(50, 2)
    code = real_of(game, Batch({"real": x}, {}, torch.zeros(()))).conditions["code"]
    assert (code.abs().max() <= 1) == bounded
    made = game.sample(Request(50, inputs={"real": x}))["samples"]
    torch.testing.assert_close(made.conditions["code"], code)
    if bounded:
        linear = game.get_submodule("generator.encoder")
        features = linear.trunk(x)  # type: ignore[operator]
        torch.testing.assert_close(code, torch.tanh(linear.head(features) / 2))  # type: ignore[operator]


def test_reconstructions_are_those_of_the_average() -> None:
    rounds = round_of(*POINTS, "model=bigan", "tricks=[ema]", "tricks.ema.half_life=1e6", "tricks.ema.ramp_up=null")
    rounds.play(Progress())
    game = rounds.game
    x = torch.randn(5, 2)
    before = flat(game.sample(Request(5, inputs={"real": x})))
    with torch.no_grad():
        for parameter in game.get_submodule("generator").parameters():
            parameter.zero_()
    after = flat(game.sample(Request(5, inputs={"real": x})))
    for name in ("samples", "code"):
        assert torch.equal(before[name], after[name])
        assert before[name].abs().max() > 0


def test_a_reconstruction_does_not_depend_on_what_else_is_reconstructed() -> None:
    """In training batch norm mixes the samples of a batch; what a user asks for must not."""
    game = game_of(*POINTS, "model=bigan", "model.generator.norm=batch", "model.discriminator.norm=batch")
    x = torch.randn(5, 2)
    together, alone = (flat(game.sample(Request(n, inputs={"real": x[:n]}))) for n in (5, 1))
    for name in ("samples", "code"):
        torch.testing.assert_close(together[name][:1], alone[name])


def test_a_code_may_meet_the_sample_as_it_is() -> None:
    """Donahue et al. 2017, as in their code: a layer of the sample's features and the code, with batch norm."""
    words = ["model=bigan", "model.width=12", "model.code_hidden=[]", "model.norm=batch"]
    game = game_of(*POINTS, *words, "model.discriminator.hidden=[8]")
    judge = game.get_submodule("discriminator")
    meeting = [*judge.meeting]  # type: ignore[arg-type]
    assert [type(layer) for layer in meeting] == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU]
    assert (meeting[0].in_features, meeting[0].out_features) == (8 + 2, 12)
    assert not [*judge.code.parameters()]  # type: ignore[union-attr,operator]
    x, code = torch.randn(6, 2), torch.randn(6, 2)

    def logit(code: Tensor) -> Tensor:
        return judge(x, code=code)

    assert not torch.allclose(logit(code), logit(code.flip(0)))
