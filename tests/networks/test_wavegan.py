"""WaveGAN's networks: the paper's sizes, phase shuffle by its definition, and precision."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gantrain.networks import WaveGANDiscriminator, WaveGANGenerator
from gantrain.networks.conditional import ConditionalDiscriminator, ConditionalGenerator, Conditioning
from gantrain.networks.wavegan import Float32, PhaseShuffle, Upsample, shifted, stages


@pytest.mark.parametrize("length", [64, 65, 100, 1000, 1024, 4096, 8192, 16000, 16384])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_length(length: int, channels: int) -> None:
    sound = WaveGANGenerator([channels, length], 10, width=1)(torch.rand(2, 10))
    assert sound.shape == (2, channels, length)
    assert sound.abs().max() <= 1
    assert WaveGANDiscriminator([channels, length], width=1)(sound).shape == (2,)


def test_stages_of_the_paper() -> None:
    assert [stages(length) for length in (1024, 4096, 16384, 65536)] == [(16, 3), (16, 4), (16, 5), (16, 6)]
    assert stages(16000) == (16, 5)
    assert stages(16385) == (5, 6)
    for length in range(64, 5000, 7):
        start, count = stages(length)
        assert start * 4**count >= length > (start - 1) * 4**count
        assert 4 < start <= 16


def test_layers_of_the_paper() -> None:
    """Donahue et al. 2018, tables 3 and 4, with d = 64 and one channel."""
    generator, discriminator = WaveGANGenerator([1, 16384], 100), WaveGANDiscriminator([1, 16384])
    up = [m.weight.shape for m in generator.modules() if isinstance(m, nn.ConvTranspose1d)]
    assert up == [(1024, 512, 25), (512, 256, 25), (256, 128, 25), (128, 64, 25), (64, 1, 25)]
    down = [m.weight.shape for m in discriminator.modules() if isinstance(m, nn.Conv1d)]
    assert down == [(64, 1, 25), (128, 64, 25), (256, 128, 25), (512, 256, 25), (1024, 512, 25)]
    assert discriminator.head.weight.shape == (1, 16 * 1024)
    assert sum(isinstance(m, PhaseShuffle) and m.n == 2 for m in discriminator.modules()) == 4
    assert not any(isinstance(m, nn.BatchNorm1d) for m in generator.modules())


@pytest.mark.parametrize("length", [30, 2**21])
def test_lengths_that_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"works on sound of 64 to 1,048,576 samples, got"):
        WaveGANGenerator([1, length], 10, width=1)


@pytest.mark.parametrize(("shape", "other"), [([2], "mlp"), ([1, 8, 8], "dcgan")])
def test_what_is_no_sound_is_refused(shape: list[int], other: str) -> None:
    with pytest.raises(ValueError, match=f"works on sound, but here are .*: set networks={other}"):
        WaveGANDiscriminator(shape)


def test_settings_that_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be odd"):
        WaveGANGenerator([1, 64], 10, kernel=24)
    with pytest.raises(ValueError, match="phase_shuffle"):
        WaveGANDiscriminator([1, 64], phase_shuffle=64)


@pytest.mark.parametrize(
    ("by", "expected"),
    [(0, [0, 1, 2, 3, 4]), (1, [1, 0, 1, 2, 3]), (2, [2, 1, 0, 1, 2]), (-1, [1, 2, 3, 4, 3]), (-2, [2, 3, 4, 3, 2])],
)
def test_a_shift_reflects_at_the_ends(by: int, expected: list[int]) -> None:
    x = torch.arange(5.0).expand(1, 3, 5)
    assert torch.equal(shifted(x, torch.tensor([by])), torch.tensor(expected).float().expand(1, 3, 5))


def test_phase_shuffle_draws_a_shift_for_each_sample_from_the_turns_generator() -> None:
    x = torch.arange(20.0).expand(1000, 3, 20)
    layer = PhaseShuffle(2)
    torch.manual_seed(5)
    made = layer(x)
    torch.manual_seed(5)
    drawn = torch.randint(-2, 3, (1000,))
    assert torch.equal(made, shifted(x, drawn))
    assert torch.bincount(drawn + 2).min() > 150
    by = 10 - made[:, :, 10]  # in the middle nothing is reflected
    assert torch.equal(by[:, 0].long(), drawn)
    assert torch.equal(by, by[:, :1].expand_as(by))  # the same for all channels of a sample
    assert layer.eval()(x) is x
    assert PhaseShuffle(0)(x) is x


def test_phase_shuffle_has_second_derivatives() -> None:
    x = torch.randn(2, 2, 8, dtype=torch.float64, requires_grad=True)
    by = torch.tensor([2, -1])
    assert torch.autograd.gradgradcheck(lambda x: shifted(x, by).square(), (x,))


def test_in_bf16_the_last_layer_works_in_float32() -> None:
    generator = WaveGANGenerator([1, 256], 10, width=2, post_filter=5)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = generator.net[:-2](torch.rand(2, 10))
        sound = generator(torch.rand(2, 10))
    assert isinstance(generator.net[-2], Float32)
    assert hidden.dtype == torch.bfloat16
    assert sound.dtype == torch.float32
    assert (sound != sound.bfloat16()).any()  # finer than bf16 could say it


def test_nearest_upsampling_repeats_before_it_convolves() -> None:
    layer = Upsample(1, 1, 5, "nearest", bias=False)
    assert isinstance(layer.conv, nn.Conv1d)
    nn.init.zeros_(layer.conv.weight)
    layer.conv.weight.data[0, 0, 2] = 1  # takes each place as it is
    assert torch.equal(layer(torch.tensor([[[1.0, 2.0]]])), torch.tensor([[[1.0] * 4 + [2.0] * 4]]))
    assert WaveGANGenerator([1, 300], 10, width=1, upsample="nearest")(torch.rand(2, 10)).shape == (2, 1, 300)


def test_a_sound_between_two_lengths_stands_in_the_middle_of_silence() -> None:
    network = WaveGANDiscriminator([1, 100], width=1)
    padded = network.trunk[0](torch.ones(1, 1, 100))
    assert padded.shape == (1, 1, 112)
    assert torch.equal(padded[0, 0], torch.cat([torch.zeros(6), torch.ones(100), torch.zeros(6)]))


@pytest.mark.parametrize("conditioning", ["concat", "embedding", "projection", "every_layer"])
def test_labels_reach_both_players(conditioning: Conditioning) -> None:
    torch.manual_seed(0)
    norm = "batch" if conditioning == "projection" else "none"
    make = partial(WaveGANGenerator, [1, 100], width=2, norm=norm)
    generator = ConditionalGenerator(make, 10, 3, conditioning).eval()
    for table in (m for m in generator.modules() if isinstance(m, nn.Embedding)):
        nn.init.normal_(table.weight)
    judge = partial(WaveGANDiscriminator, width=2, phase_shuffle=0)
    discriminator = ConditionalDiscriminator(judge, [1, 100], 3, conditioning)
    noise, x = torch.rand(1, 10).expand(3, -1), torch.rand(1, 1, 100).expand(3, -1, -1)
    label = torch.arange(3)
    made, logits = generator(noise, label), discriminator(x, label=label)
    assert made.shape == (3, 1, 100)
    for values in (made.flatten(1), logits[:, None]):
        _differ(values)


def _differ(rows: Tensor) -> None:
    assert (torch.pdist(rows) > 1e-7).all()
