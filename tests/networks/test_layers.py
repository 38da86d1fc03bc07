"""What the parts of the networks do to numbers: shortcuts, pools, borders, dropout, initial weights."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from gantrain.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    PooledDiscriminator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from gantrain.networks.conditioning import ConditionalBatchNorm
from gantrain.networks.layers import (
    fold_parametrizations,
    has_spectral_norm,
    norm2d,
    spectrally_normalise,
)
from gantrain.networks.resnet import Block, SumPool
from gantrain.tricks.inserting import insert_before


def silence(*layers: nn.Module) -> None:
    """Sets weights and biases to zero."""
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


def seen_by(layer: nn.Module, network: nn.Module, *inputs: Tensor, **told: Tensor) -> Tensor:
    """What a layer is given when the network sees these inputs."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(*inputs, **told)
    handle.remove()
    return seen[0]


# --- residual networks ------------------------------------------------------------------------------------------------


def test_a_halving_blocks_shortcut_is_the_mean_of_four_pixels() -> None:
    """Miyato et al. 2018, appendix B.4: mean pooling and a 1x1 convolution; a doubling one repeats pixels."""
    x = torch.randn(2, 3, 8, 8)
    down = Block(3, 5, "down", "none")
    silence(down.conv2)
    means = x.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))
    torch.testing.assert_close(down(x), down.shortcut(means))
    up = Block(3, 5, "up", "none")
    silence(up.conv2)
    torch.testing.assert_close(up(x), up.shortcut(x.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    keep = Block(3, 3, "keep", "none")
    silence(keep.conv2)
    assert torch.equal(keep(x), x)


def test_a_halving_blocks_residual_is_pooled_too() -> None:
    x = torch.randn(2, 3, 8, 8)
    block = Block(3, 5, "down", "none")
    silence(block.shortcut)
    whole = nn.Conv2d.forward(block.conv2, block.conv1(x.relu()).relu())
    torch.testing.assert_close(block(x), whole.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)))


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_only_the_first_block_takes_the_image_as_it_is(channels: int, norm: str) -> None:
    """Black and dark grey are no less to it than white; every later block begins with norm and ReLU."""
    network = ResNetDiscriminator([channels, 32, 32], width=16, norm=norm, spectral_norm=False)  # type: ignore[arg-type]
    blocks = [part for part in network.trunk if isinstance(part, Block)]
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        silence(block.shortcut)
        inside = block.conv1.in_channels
        dark = -torch.rand(2, inside, 8, 8) - 0.1
        torch.testing.assert_close(seen_by(block.conv1, block, dark), dark if number == 0 else block.norm1(dark).relu())
        assert isinstance(block.norm1, nn.GroupNorm) == (number > 0 and norm == "layer")


def test_features_are_summed_over_all_places_after_relu() -> None:
    x = torch.tensor([[[[1.0, -2.0], [3.0, 0.5]], [[-1.0, -1.0], [-1.0, 0.0]]]])
    assert SumPool()(x).tolist() == [[4.5, 0.0]]
    network = ResNetDiscriminator([3, 16, 16], width=16)
    assert isinstance(network.trunk[-1], SumPool)


def test_residual_networks_begin_as_the_papers_code() -> None:
    """Xavier uniform: ±gain·√(6/(fan in + fan out)), the gain √2 for the convolutions inside blocks, else 1."""
    torch.manual_seed(0)
    networks = ResNetDiscriminator([3, 32, 32], width=64, spectral_norm=False), ResNetGenerator([3, 32, 32], 128, 64)
    found = set()
    for name, layer in [item for network in networks for item in network.named_modules()]:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            receptive = math.prod(layer.weight.shape[2:])
            bound = math.sqrt(6 / (receptive * (layer.weight.shape[0] + layer.weight.shape[1])))
            gain = layer.weight.abs().max().item() / bound
            inside_block = ".conv" in name
            assert gain == pytest.approx(math.sqrt(2) if inside_block else 1, rel=0.06), name
            assert layer.bias is not None
            assert not layer.bias.any()
            found.add(inside_block)
    assert found == {True, False}


@pytest.mark.parametrize("spectral_norm", [True, False])
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (ResNetDiscriminator, 2 + 2 + 2 + 2 + 2 + 1),  # four blocks, shortcuts where they halve, and the head
        (DCGANDiscriminator, 3 + 1),
    ],
)
def test_spectral_norm_is_on_every_layer_or_on_none(kind: type[nn.Module], count: int, spectral_norm: bool) -> None:
    network = kind([3, 32, 32], width=16, spectral_norm=spectral_norm)
    layers = [part for part in network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    assert len(layers) == count
    assert all(parametrize.is_parametrized(layer, "weight") == spectral_norm for layer in layers)


# --- strided convolutions ---------------------------------------------------------------------------------------------


def test_strided_networks_begin_as_the_paper() -> None:
    """Radford et al. 2015: weights N(0, 0.02²); their reference code draws the gains of norms from N(1, 0.02²)."""
    torch.manual_seed(0)
    for network in (DCGANGenerator([3, 32, 32], 100, width=32), DCGANDiscriminator([3, 32, 32], width=64)):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d)):
                mean = 1 if isinstance(layer, nn.BatchNorm2d) else 0
                assert layer.weight.mean().item() == pytest.approx(mean, abs=0.01)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.25)
                assert layer.bias is None or not layer.bias.any()


def test_strided_networks_are_normalised_but_for_their_ends() -> None:
    """Radford et al. 2015: no norm at G's output and D's input; ReLU in G with tanh last, LeakyReLU 0.2 in D."""
    generator, judge = DCGANGenerator([3, 32, 32], 8, width=4), DCGANDiscriminator([3, 32, 32], width=4)
    kinds = [type(part).__name__ for part in generator.modules() if not list(part.children())]
    stage = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds == ["Unflatten", *stage, *stage, *stage, "ConvTranspose2d", "Tanh", "Crop"]
    kinds = [type(part).__name__ for part in judge.modules() if not list(part.children())]
    stage = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds == ["Pad", "Conv2d", "LeakyReLU", *stage, *stage, "Flatten", "Linear"]
    assert all(part.negative_slope == 0.2 for part in judge.modules() if isinstance(part, nn.LeakyReLU))
    bias = [part.bias is not None for part in judge.modules() if isinstance(part, nn.Conv2d)]
    assert bias == [True, False, False], "a norm has a bias of its own"


def test_widths_double_up_to_sixteenfold() -> None:
    judge, generator = DCGANDiscriminator([1, 256, 256], width=2), DCGANGenerator([1, 256, 256], 8, width=2)
    assert [m.out_channels for m in judge.modules() if isinstance(m, nn.Conv2d)] == [2, 4, 8, 16, 32, 32]
    widths = [m.out_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert widths == [32, 32, 16, 8, 4, 2, 1]


def test_layer_norm_is_over_all_of_a_sample_with_a_gain_per_channel() -> None:
    """Gulrajani et al. 2017: not instance norm, which would level channels too."""
    x = torch.randn(3, 4, 5, 5) * torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1) + 7
    norm = norm2d("layer", 4)
    y = norm(x)
    torch.testing.assert_close(y, (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), correction=0, keepdim=True))
    assert [tuple(p.shape) for p in norm.parameters()] == [(4,), (4,)]


@pytest.mark.parametrize("std", [0.3, 0.01])
def test_fully_connected_networks_begin_as_asked(std: float) -> None:
    torch.manual_seed(0)
    for network in (MLPGenerator([50], 50, [100], init_std=std), MLPDiscriminator([50], [100], init_std=std)):
        weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, nn.Linear)])
        assert weights.std().item() == pytest.approx(std, rel=0.05)
        assert not any(m.bias.any() for m in network.modules() if isinstance(m, nn.Linear))
    assert MLPDiscriminator([50], [100]).head.bias.any()  # type: ignore[union-attr,operator]


# --- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["dcgan", "pooled", "mlp", "mlp generator"])
def test_dropout_drops_single_numbers(network: str) -> None:
    """As the code of Durugkar et al. 2017 and of Li et al. 2017 has it: no map goes or stays as a whole."""
    torch.manual_seed(0)
    module: nn.Module = {
        "dcgan": lambda: DCGANDiscriminator([1, 16, 16], width=8, dropout=0.25),
        "pooled": lambda: PooledDiscriminator([1, 16, 16], width=8, dropout=0.25),
        "mlp": lambda: MLPDiscriminator([256], [512], dropout=0.25),
        "mlp generator": lambda: MLPGenerator([256], 256, [512], dropout=0.25),
    }[network]()
    layers = [part for part in module.modules() if "Dropout" in type(part).__name__]
    assert layers
    for layer in layers:
        ones = torch.ones(64, 8, 4, 4)
        share = (layer(ones) == 0).float().mean((2, 3))
        assert share.mean().item() == pytest.approx(0.25, abs=0.03)
        assert ((share > 0) & (share < 1)).float().mean().item() > 0.9
        assert torch.equal(layer.eval()(ones), ones)


def test_no_dropout_draws_nothing() -> None:
    for module in (DCGANDiscriminator([1, 16, 16], width=8), MLPDiscriminator([2], [8]), MLPGenerator([2], 2, [8])):
        assert not any("Dropout" in type(part).__name__ for part in module.modules())


# --- layers put before the head ---------------------------------------------------------------------------------------


class Ones(nn.Module):
    """Two features more, all one."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.ones_like(x[:, :2])], 1)


@pytest.mark.parametrize("kind", ["whole", "patch"])
def test_a_layer_before_the_head_leaves_the_verdict_on_the_rest(kind: str) -> None:
    """With no weight on what is new, the logits are what they were, bias and all."""
    torch.manual_seed(0)
    judge = DCGANDiscriminator([1, 16, 16], width=4, norm="none", discriminator=kind)  # type: ignore[arg-type]
    head = judge.head
    assert isinstance(head, (nn.Linear, nn.Conv2d))
    assert head.bias is not None
    nn.init.constant_(head.bias, 1.5)
    x = torch.randn(3, 1, 16, 16)
    before = judge(x)
    inside = head.weight.shape[1]
    insert_before(judge, "head", Ones(), inside, 2, {})
    wider = judge.get_submodule("head.1")
    assert isinstance(wider, (nn.Linear, nn.Conv2d))
    assert wider.weight[:, inside:].any()
    nn.init.zeros_(wider.weight[:, inside:])
    torch.testing.assert_close(judge(x), before)


def test_folded_parametrizations_leave_plain_weights_and_copies_as_they_are() -> None:
    layers = nn.Sequential(nn.Linear(4, 4), nn.Conv2d(1, 1, 1))
    spectrally_normalise(layers)
    layers.eval()
    folded = copy.deepcopy(layers)
    fold_parametrizations(folded)
    assert {*folded.state_dict()} == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert type(folded[0]) is nn.Linear
    assert torch.equal(folded[0].weight, layers[0].weight)
    assert has_spectral_norm(layers[0])


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv2d, nn.ConvTranspose2d])
def test_spectral_norm_is_pytorchs_and_leaves_autocast(kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = kind(5, 7, **({} if kind is nn.Linear else {"kernel_size": 3}))
    other = copy.deepcopy(layer)
    torch.manual_seed(1)
    spectrally_normalise(layer)
    torch.manual_seed(1)
    parametrizations.spectral_norm(other)
    assert layer.state_dict().keys() == other.state_dict().keys()
    assert torch.equal(layer.weight, other.weight)
    seen = []
    forward = parametrizations._SpectralNorm.forward

    def watched(self: nn.Module, weight: Tensor) -> Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return forward(self, weight)

    monkeypatch.setattr(parametrizations._SpectralNorm, "forward", watched)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, other.weight)
    assert seen == [False, True]


def test_spectral_norm_leaves_the_tables_of_conditional_norms_alone() -> None:
    """Biases begin at 0, where a norm of 1 has no meaning, and gains of 1 would shrink with the number of features."""
    network = nn.ModuleList([ConditionalBatchNorm(nn.BatchNorm2d(8), 3), nn.Conv2d(8, 8, 3)])
    spectrally_normalise(network)
    norm, conv = network
    assert (norm.gain.weight == 1).all()
    assert (norm.bias.weight == 0).all()
    assert has_spectral_norm(conv)
