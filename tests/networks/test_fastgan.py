"""FastGAN's networks: the paper's sizes, what gates what, what the noise does, and what either path sees."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from conftest import round_of, same
from torch import Tensor, nn

from gantrain.networks import FastGANDiscriminator, FastGANGenerator
from gantrain.networks.canvas import Pad
from gantrain.networks.conditional import ConditionalDiscriminator, ConditionalGenerator, Conditioning
from gantrain.networks.fastgan import DownBlock, ExcitedStages, Gate, NoiseInjection, TwoScales
from gantrain.networks.layers import StddevLayer, has_spectral_norm, samples_meet
from gantrain.training.rounds import Progress
from gantrain.tricks.inserting import insert_before

CHEAP: dict[str, Any] = {"width": 2, "spectral_norm": False}


def excited(network: nn.Module) -> ExcitedStages:
    return next(m for m in network.modules() if isinstance(m, ExcitedStages))


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (32, 32), (64, 64), (64, 96), (96, 64), (16, 40), (28, 36)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(size: tuple[int, int], channels: int) -> None:
    shape = [channels, *size]
    images = FastGANGenerator(shape, 10, **CHEAP)(torch.randn(2, 10))
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    places = [places - 3 for places in _last_maps(size)]
    assert FastGANDiscriminator(shape, **CHEAP)(images).shape == (2, 2 * places[0] * places[1])
    assert FastGANDiscriminator(shape, **CHEAP, discriminator="whole")(images).shape == (2,)


def _last_maps(size: tuple[int, int]) -> list[int]:
    """Eight places on the shorter side, as many times the same pixels on the longer one as it needs."""
    unit = 2 ** (min(size) - 1).bit_length() // 4
    return [2 * max(-(-side // unit), 4) for side in size]


@pytest.mark.parametrize("size", [15, 257])
def test_other_sizes_are_refused(size: int) -> None:
    for network in (partial(FastGANGenerator, noise_dim=2), FastGANDiscriminator):
        with pytest.raises(ValueError, match=rf"networks=fastgan works on images of side 16 to 256, got {size}"):
            network([3, size, size])  # type: ignore[operator]


def test_it_is_the_papers_at_256() -> None:
    """Liu et al. 2021, figures 3 and 4, with the numbers of the authors' code for a width of 64, here 4."""
    generator = FastGANGenerator([3, 256, 256], 8, width=4, spectral_norm=False)
    judge = FastGANDiscriminator([3, 256, 256], width=4, spectral_norm=False)
    up, down = excited(generator), excited(judge)
    assert [_outside(stage) // 2 for stage in up.stages] == [
        1024 // 16 * 16,
        *(n // 16 for n in (512, 256, 128, 128, 64, 32)),
    ]
    assert [_outside(stage) for stage in down.stages] == [n // 16 for n in (16, 32, 64, 128, 256, 512)]
    assert up.sources == {4: 0, 5: 1, 6: 2}, "4 gates 64, 8 gates 128, 16 gates 256"
    assert down.sources == {3: 0, 4: 1, 5: 2}, "256 gates 32, 128 gates 16, 64 gates 8"
    deep = [sum(isinstance(m, nn.Conv2d) for m in stage.modules()) for stage in up.stages]
    assert deep == [0, 2, 1, 2, 1, 2, 1]
    noisy = [sum(isinstance(m, NoiseInjection) for m in stage.modules()) for stage in up.stages]
    assert noisy == [0, 2, 0, 2, 0, 2, 0]
    assert judge.maps(torch.zeros(2, 3, 256, 256))[1][-1].shape == (2, 512 // 16, 8, 8)


def _outside(stage: nn.Module) -> int:
    (*_, last) = (m for m in stage.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))
    return last.out_features if isinstance(last, nn.Linear) else last.out_channels


@pytest.mark.parametrize(
    ("size", "up", "down"),
    [(16, {2: 0}, {1: 0}), (32, {3: 0}, {2: 0}), (64, {4: 0}, {3: 0}), (128, {4: 0, 5: 1}, {3: 0, 4: 1})],
)
def test_what_gates_what_in_smaller_pictures(size: int, up: dict[int, int], down: dict[int, int]) -> None:
    assert excited(FastGANGenerator([1, size, size], 4, **CHEAP)).sources == up
    assert excited(FastGANDiscriminator([1, size, size], **CHEAP)).sources == down


def test_skip_layer_excitation() -> None:
    """Equation 1: channels of the large maps times what two convolutions make of the small ones, averaged to 4x4."""
    torch.manual_seed(0)
    network = ExcitedStages([nn.Identity(), nn.Upsample(scale_factor=2)], [3, 3], [2, 4], (4, 4), reach=2)
    x = torch.randn(2, 3, 8, 8)
    gates = network.get_submodule("excitation_1")
    first, second = (m.weight for m in gates.modules() if isinstance(m, nn.Conv2d))
    small = F.silu((F.avg_pool2d(x, 2)[:, None] * first).sum((2, 3, 4)))
    wanted = torch.sigmoid(small @ second[:, :, 0, 0].T)[:, :, None, None] * x.repeat_interleave(
        2, 2
    ).repeat_interleave(2, 3)
    torch.testing.assert_close(network(x), wanted)
    nn.init.zeros_(second)
    torch.testing.assert_close(network(x), nn.Upsample(scale_factor=2)(x) / 2)
    found: list[Tensor] = []
    assert torch.equal(network(x, maps=found), found[-1])
    assert torch.equal(found[0], x)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_gate_is_a_gated_linear_unit(memory: torch.memory_format) -> None:
    x = torch.randn(2, 6, 4, 4).contiguous(memory_format=memory)
    torch.testing.assert_close(Gate()(x), F.glu(x, 1))
    assert Gate()(x).is_contiguous(memory_format=memory)


def test_noise_is_one_map_per_sample_and_begins_as_none() -> None:
    torch.manual_seed(0)
    layer, x = NoiseInjection((16, 16)), torch.randn(64, 3, 16, 16, dtype=torch.bfloat16)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.scale.fill_(0.5)
    assert layer(x).dtype == torch.bfloat16
    x = x.double()
    noise = layer(x) - x
    torch.testing.assert_close(noise[:, :1].expand(-1, 3, -1, -1), noise)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    assert not torch.allclose(noise[0], noise[1])


def test_noise_is_drawn_in_training_and_stays_in_evaluation() -> None:
    network = FastGANGenerator([1, 16, 16], 4, **CHEAP)
    for layer in (m for m in network.modules() if isinstance(m, NoiseInjection)):
        nn.init.ones_(layer.scale)
    z = torch.randn(2, 4)
    torch.manual_seed(1)
    first, second = network(z), network(z)
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(network(z), first), "from the default generator"
    network.eval()
    state = torch.get_rng_state()
    assert torch.equal(network(z), network(z))
    assert torch.equal(torch.get_rng_state(), state), "whoever looks at samples draws nothing"


def test_a_turn_draws_its_noise_from_the_seed_alone() -> None:
    words = "dataset=digits model=fastgan_small model.generator.width=2 model.discriminator.width=2 loss=hinge"
    found = []
    for disturbed in (False, True):
        rounds, progress = (
            round_of(*words.split(), "optimizer=adam", "trainer.batch_size=4", "trainer.precision=bf16"),
            Progress(),
        )
        for _ in range(3):
            rounds.play(progress)
            torch.randn(7 if disturbed else 1)
        found.append(rounds.game.state_dict())
        scales = [m.scale.item() for m in rounds.game.generator.modules() if isinstance(m, NoiseInjection)]  # type: ignore[union-attr]
        assert any(scales), "noise has been learnt"
    assert same({**found[0]}, {**found[1]})


def test_a_down_block_is_the_mean_of_its_ways() -> None:
    block, x = DownBlock(2, 3, "none"), torch.randn(2, 2, 8, 8)
    torch.testing.assert_close(block(x), (block.main(x) + block.direct(x)) / 2)
    assert block(x).shape == (2, 3, 4, 4)


def test_each_path_judges_by_itself() -> None:
    """What averages to nothing over 2x2 pixels does not move the small path's patches, which see the picture halved."""
    torch.manual_seed(0)
    judge = FastGANDiscriminator([1, 32, 32], width=4, norm="none", spectral_norm=False)
    x = torch.randn(2, 1, 32, 32)
    fine = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(16, 16)
    large, small = judge(x).chunk(2, 1)
    other_large, other_small = judge(x + fine).chunk(2, 1)
    torch.testing.assert_close(other_small, small)
    assert (other_large != large).any()
    paths = next(m for m in judge.modules() if isinstance(m, TwoScales))
    nn.init.zeros_(paths.last[0].weight)  # type: ignore[arg-type]
    nn.init.zeros_(paths.last[0].bias)  # type: ignore[arg-type]
    assert not judge(x)[:, :25].any()
    torch.testing.assert_close(judge(x)[:, 25:], small)


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_samples_meet_in_batch_norm_alone(norm: Literal["batch", "layer", "none"]) -> None:
    judge = FastGANDiscriminator([1, 16, 16], norm=norm, **CHEAP)
    x = torch.randn(3, 1, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(judge(x)[0].sum(), x)
    assert samples_meet(judge) == slope[1:].any().item() == (norm == "batch")


def test_every_layer_has_spectral_norm() -> None:
    for network in (FastGANGenerator([1, 16, 16], 4, width=2), FastGANDiscriminator([1, 16, 16], width=2)):
        layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        assert all(map(has_spectral_norm, layers))
        assert layers


@pytest.mark.parametrize("kind", ["whole", "patch"])
@pytest.mark.parametrize("conditioning", ["concat", "embedding", "every_layer", "projection"])
def test_labels(conditioning: Conditioning, kind: Literal["whole", "patch"]) -> None:
    torch.manual_seed(0)
    make, label = partial(FastGANDiscriminator, discriminator=kind, norm="none", **CHEAP), torch.tensor([0, 2])
    shape = [1, 28, 28]
    told = ConditionalGenerator(partial(FastGANGenerator, shape, **CHEAP), 10, 3, conditioning)
    images = told(torch.randn(2, 10), label)
    assert images.shape == (2, *shape)
    if (kind, conditioning) == ("patch", "projection"):
        with pytest.raises(ValueError, match="set discriminator=whole"):
            ConditionalDiscriminator(make, shape, 3, conditioning)
        return
    judge = ConditionalDiscriminator(make, shape, 3, conditioning).double()
    images = images.detach().double()
    logits = judge(images, label=label)
    moved = judge(images, label=torch.tensor([0, 1])) != logits
    assert moved[1].any()
    assert not moved[0].any()
    picture, maps = judge.maps(images, label=label)
    assert torch.equal(picture[:, :1], Pad((28, 28), (32, 32))(images))
    assert maps[0].shape[2:] == (32, 32)


def test_a_layer_put_before_both_judges_changes_nothing_at_first() -> None:
    judge, x = FastGANDiscriminator([1, 16, 16], norm="none", **CHEAP), torch.randn(4, 1, 16, 16)
    before = judge(x)
    insert_before(judge, "head", StddevLayer(2), 16, 1, {})
    with torch.no_grad():
        judge.get_submodule("head.1").weight[:, -1] = 0  # type: ignore[index]
    torch.testing.assert_close(judge(x), before)
