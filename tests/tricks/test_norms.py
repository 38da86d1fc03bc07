"""Tricks inside networks: minibatch standard deviation, virtual and reference batch norm."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.networks.layers import StddevLayer, samples_meet
from gantrain.training.rounds import Progress, Rounds
from gantrain.tricks.virtual_batch_norm import ReferenceNorm
from gantrain.turns import Batch

DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]
DCGAN += ["trainer.batch_size=8"]
PLAIN = [*DCGAN, "loss=nonsaturating"]
VIRTUAL = [*PLAIN, "tricks=[virtual_batch_norm,ema]", "tricks.virtual_batch_norm.size=6"]
REFERENCE = [*PLAIN, "tricks=[reference_batch_norm]", "tricks.reference_batch_norm.size=6"]
JUDGE = [*DCGAN, "loss=wgan_gp", "loss.n_critic=1", "model.discriminator.norm=batch", "tricks=[virtual_batch_norm]"]
JUDGE += ["tricks.virtual_batch_norm.players=[discriminator]", "tricks.virtual_batch_norm.size=6"]


def test_stddev_by_hand() -> None:
    """Two samples (1, 2) and (3, 6) have the deviations 1 and 2."""
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    out = StddevLayer(None)(x)
    torch.testing.assert_close(out, torch.tensor([[1.0, 2.0, 1.5], [3.0, 6.0, 1.5]]))
    maps = StddevLayer(None)(x[:, :, None, None] * torch.tensor([[1.0, 2.0, 3.0]]))
    assert maps.shape == (2, 3, 1, 3)
    torch.testing.assert_close(maps[:, 2], torch.full((2, 1, 3), 3.0))


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4)])
def test_samples_that_are_all_the_same_have_almost_no_stddev(shape: tuple[int, ...]) -> None:
    x = torch.randn(1, *shape).expand(4, *shape).clone().requires_grad_(True)
    out = StddevLayer(4)(x)
    torch.testing.assert_close(out[:, -1], torch.full_like(out[:, -1], math.sqrt(1e-8)))
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient.isfinite().all()


def test_interleaved_groups_do_not_see_each_other() -> None:
    """Of six samples in groups of two, 0 goes with 3, 1 with 4 and 2 with 5."""
    x = torch.randn(6, 3)
    x[3] = x[0]
    spread = StddevLayer(2)(x)[:, 3]
    assert spread[0] == spread[3] == pytest.approx(1e-4)
    for k in (1, 2):
        alone = StddevLayer(None)(x[[k, k + 3]])[0, 3]
        assert alone > 0.01
        assert spread[k].item() == spread[k + 3].item() == pytest.approx(alone.item())


@pytest.mark.parametrize(("kind", "loss"), [("whole", "nonsaturating"), ("patch", "lsgan")])
def test_stddev_stands_before_the_head_and_keeps_its_weights(kind: str, loss: str) -> None:
    words = [*DCGAN, f"loss={loss}", f"model.discriminator.discriminator={kind}"]
    plain = build_game(config(*words, "tricks=[]")).get_submodule("discriminator.head")
    game = build_game(config(*words, "tricks=[minibatch_stddev]"))
    assert samples_meet(game.get_submodule("discriminator"))
    head = game.get_submodule("discriminator.head.1")
    assert isinstance(head, type(plain))
    assert isinstance(head, nn.Linear if kind == "whole" else nn.Conv2d)
    assert isinstance(plain, (nn.Linear, nn.Conv2d))
    assert torch.equal(head.weight[:, :-1], plain.weight)
    batch = Batch({"real": torch.randn(8, 1, 16, 16)}, game.latents(8), torch.tensor(0))
    sum(game.terms("discriminator", batch).values()).backward()  # type: ignore[union-attr]
    assert head.weight.grad is not None
    assert (head.weight.grad[:, -1] != 0).all()


@pytest.mark.parametrize("trick", ["minibatch_stddev", "minibatch_discrimination"])
def test_a_group_does_not_fall_into_parts(trick: str) -> None:
    words = ["dataset=digits", "model=mlp", "loss=nonsaturating", "trainer.batch_size=16", "trainer.accumulate=4"]
    words.append(f"tricks=[{trick}]")
    with pytest.raises(UserError, match=f"set trainer.accumulate=1, or tricks.{trick}.group_size to a part's size"):
        build_game(config(*words, f"tricks.{trick}.group_size=null"))
    build_game(config(*words, f"tricks.{trick}.group_size=4"))


@pytest.mark.parametrize("trick", ["minibatch_stddev", "minibatch_discrimination"])
def test_a_batch_that_is_not_whole_groups_is_refused(trick: str) -> None:
    words = ["dataset=ring8", "loss=nonsaturating", f"tricks=[{trick}]", f"tricks.{trick}.group_size=4"]
    with pytest.raises(UserError, match=f"{trick}.group_size=4 does not part 6 samples into whole groups"):
        build_game(config(*words, "trainer.batch_size=6"))
    build_game(config(*words, "trainer.batch_size=12"))


# --- virtual and reference batch norm --------------------------------------------------------------------------------


Passes = list[tuple[Tensor, Tensor]]


def passes(network: nn.Module, *x: Tensor) -> list[tuple[ReferenceNorm, Passes]]:
    """What went into and came out of each reference norm: for the reference batch, then for x."""
    norms = [m for m in network.modules() if isinstance(m, ReferenceNorm)]
    found: list[tuple[ReferenceNorm, Passes]] = [(norm, []) for norm in norms]
    hooks = [
        norm.register_forward_hook(lambda _, given, out, seen=seen: seen.append((given[0], out)))
        for norm, seen in found
    ]
    with torch.no_grad():
        network(*x)
    for hook in hooks:
        hook.remove()
    return found


def batch_norm(norm: ReferenceNorm, x: Tensor) -> Tensor:
    """What PyTorch's batch norm makes of a batch."""
    return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)


def played(words: list[str], count: int) -> Rounds:
    rounds, progress = round_of(*words), Progress()
    for _ in range(count):
        rounds.play(progress)
    return rounds


def check_virtual(network: nn.Module, *x: Tensor) -> None:
    """A sample is normalised as the last of a batch of the reference and itself."""
    found = passes(network, *x)
    assert len(found) >= 1
    for norm, ((reference, reference_out), (inside, out)) in found:
        torch.testing.assert_close(reference_out, batch_norm(norm, reference), rtol=1e-4, atol=1e-5)
        assert len(reference) == 6
        for i in range(len(inside)):
            wanted = batch_norm(norm, torch.cat([reference, inside[i : i + 1]]))[-1]
            torch.testing.assert_close(out[i], wanted, rtol=1e-4, atol=1e-5)


def test_a_sample_counts_as_one_of_the_reference_and_itself() -> None:
    """(R · mean of the reference + mean of the sample)/(R + 1), in every layer, on maps and on features."""
    game = played(VIRTUAL, 3).game
    noise = torch.randn(3, 100)
    check_virtual(game.get_submodule("generator"), noise)
    check_virtual(game.averages["generator"], noise)
    features = ["dataset=ring8", "loss=nonsaturating", "model.generator.norm=batch", *VIRTUAL[-2:]]
    check_virtual(round_of(*features).game.get_submodule("generator"), torch.randn(3, 2))


def test_without_the_sample_it_is_batch_norm_by_the_reference() -> None:
    game = played(REFERENCE, 2).game
    found = passes(game.get_submodule("generator"), torch.randn(3, 100))
    assert len(found) == 2
    for norm, ((reference, reference_out), (inside, out)) in found:
        torch.testing.assert_close(reference_out, batch_norm(norm, reference), rtol=1e-4, atol=1e-5)
        variance, mean = torch.var_mean(reference, (0, 2, 3), correction=0)
        wanted = F.batch_norm(inside, mean, variance, norm.weight, norm.bias, training=False, eps=norm.eps)
        torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("words", [VIRTUAL, REFERENCE], ids=["virtual", "reference"])
def test_samples_do_not_meet(words: list[str]) -> None:
    """In training mode, and in the average too; where batch norm is, they do."""
    game = played(words, 2).game
    noise = torch.randn(5, 100)
    for network in (game.get_submodule("generator"), *game.averages.values()):
        assert network.training
        assert not samples_meet(network)
        torch.testing.assert_close(network(noise)[:1], network(noise[:1]), rtol=1e-4, atol=1e-5)
    plain = build_game(config(*PLAIN, "tricks=[]")).get_submodule("generator")
    assert (plain(noise)[:1] - plain(noise[:2])[:1]).abs().max() > 1e-3


def reference_of(game: Game) -> dict[str, Tensor]:
    return {name: x.clone() for name, x in game.state_dict().items() if ".reference_" in name}


@pytest.mark.parametrize(("words", "shape"), [(VIRTUAL, (6, 100)), (JUDGE, (6, 1, 16, 16))], ids=["noise", "real"])
def test_the_reference_is_drawn_once_and_travels_with_the_checkpoint(words: list[str], shape: tuple[int, ...]) -> None:
    rounds, progress = round_of(*words), Progress()
    drawn = reference_of(rounds.game)
    assert [x.shape for x in drawn.values()] == [shape]
    for _ in range(3):
        rounds.play(progress)
    other = round_of(*words, "seed=1").game
    fresh = build_game(config(*words, "seed=1"))
    rounds.machine.place(fresh)
    assert not all(torch.equal(x, drawn[name]) for name, x in reference_of(other).items())
    for game in (other, fresh):
        game.load_state_dict(rounds.game.state_dict())
    noise = torch.randn(4, 100)
    wanted = rounds.game.get_submodule("generator").eval()(noise)
    for game in (rounds.game, other, fresh):
        now = reference_of(game)
        assert now.keys() == drawn.keys()
        assert all(torch.equal(x, drawn[name]) for name, x in now.items())
        assert torch.equal(game.get_submodule("generator").eval()(noise), wanted)


def test_nothing_of_a_pass_is_kept() -> None:
    """Statistics belong to one pass: they hold its graph, with which a network cannot be copied either."""
    game = played(VIRTUAL, 1).game
    network = game.get_submodule("generator")
    network(torch.randn(4, 100))
    norms = [norm for norm in network.modules() if isinstance(norm, ReferenceNorm)]
    assert norms
    assert not any(norm.reference.moments for norm in norms)
    copy.deepcopy(network)


def test_statistics_follow_the_weights() -> None:
    """A number added to everything before a norm is in the reference's mean too, and goes."""
    words = ["dataset=ring8", "loss=nonsaturating", "model.generator.norm=batch", "model.generator.hidden=[8]"]
    game = round_of(*words, "tricks=[reference_batch_norm]").game
    noise = torch.randn(4, 2)
    generator = game.get_submodule("generator")
    bias = generator.get_parameter("net.0.0.bias")
    before = generator(noise)
    (slope,) = torch.autograd.grad(before.square().sum(), [bias])
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-4)
    with torch.no_grad():
        bias.add_(3.0)
    torch.testing.assert_close(generator(noise), before, rtol=1e-4, atol=1e-4)


def test_a_discriminator_with_virtual_batch_norm_has_its_gradient_per_sample() -> None:
    with pytest.raises(UserError, match="samples meet"):
        build_game(config(*JUDGE, "tricks.virtual_batch_norm.players=[generator]"))
    rounds = played(JUDGE, 2)
    assert all(math.isfinite(value) for value in rounds.meter.read().values())
    judge = rounds.game.get_submodule("discriminator")
    x = torch.randn(5, 1, 16, 16)
    check_virtual(judge, x)
    torch.testing.assert_close(judge(x)[:1], judge(x[:1]), rtol=1e-4, atol=1e-5)
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(judge(x)[0], [x])
    assert slope[0].abs().max() > 0
    assert slope[1:].abs().max() == 0


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_where_layers_know_labels_the_reference_passes_with_its_own(player: str) -> None:
    """Whatever labels are asked about, the reference's numbers stay; a sample's follow its label."""
    words = ["dataset=digits", "model=cgan", "networks@model=dcgan_small", "model.conditioning=every_layer"]
    words += ["loss=nonsaturating", "model.discriminator.norm=batch", "trainer.batch_size=8"]
    words += ["tricks=[virtual_batch_norm]", "tricks.virtual_batch_norm.size=6"]
    round = played([*words, f"tricks.virtual_batch_norm.players=[{player}]"], 2)
    game = round.game
    x, labels = game.tricks["virtual_batch_norm"].buffers()
    assert (len(x), labels.shape, labels.dtype) == (6, (6,), torch.int64)
    if player == "discriminator":
        real = round.batches.draw(0, 1000)
        for image, label in zip(x, labels, strict=True):
            assert label in real["label"][(real["real"] == image).flatten(1).all(1)]
    network = game.get_submodule("generator" if player == "generator" else "discriminator.trunk")
    inputs = torch.randn(3, *x.shape[1:])
    asked = torch.tensor([1, 0, 2]), torch.tensor([5, 0, 2])
    check_virtual(network, inputs, asked[0])
    one, other = (passes(network, inputs, label) for label in asked)
    for (_, ((reference, _), (inside, _))), (_, ((same, _), (moved, _))) in zip(one, other, strict=True):
        assert torch.equal(reference, same)
        assert torch.equal((inside != moved).flatten(1).any(1), torch.tensor([True, False, False]))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset=ring8"], "takes the place of batch norm, which generator has not: set model.generator.norm=batch"),
        (["dataset=digits", "model=dcgan", "tricks.virtual_batch_norm.players=[critic]"], "has no player critic"),
        (["dataset=digits", "model=dcgan", "tricks.virtual_batch_norm.size=1"], "size must be 2 or more"),
    ],
)
def test_where_there_is_nothing_to_replace_it_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config("loss=nonsaturating", "tricks=[virtual_batch_norm]", *words))
