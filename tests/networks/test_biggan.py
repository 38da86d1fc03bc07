"""BigGAN's networks: the paper's sizes, attention, where labels and noise go, first weights, spectral norm, bf16."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks import BigGANDiscriminator, BigGANGenerator, DCGANDiscriminator, DCGANGenerator
from gantrain.networks.attention import SelfAttention
from gantrain.networks.biggan import SPECTRAL_EPSILON, ClassBatchNorm, ScaledBatchNorm
from gantrain.networks.conditional import ConditionalGenerator, conditional_discriminator
from gantrain.networks.layers import SpectralNorm, has_spectral_norm

SMALL: dict[str, Any] = {"width": 2, "attention": [8]}
G_SMALL: dict[str, Any] = {**SMALL, "noise_dim": 12, "embedding": 4}


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (64, 64), (16, 40), (28, 36)])
@pytest.mark.parametrize("classes", [None, 3])
def test_sizes(size: tuple[int, int], classes: int | None) -> None:
    shape, label = [3, *size], torch.tensor([0, 2]) if classes else None
    images = BigGANGenerator(shape, classes=classes, **G_SMALL)(torch.randn(2, 12), label)
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    told = {} if label is None else {"label": label}
    assert BigGANDiscriminator(shape, classes, **SMALL)(images, **told).shape == (2,)


def test_it_is_as_large_as_the_papers() -> None:
    """158.3 million parameters at 128x128 in table 1; these two numbers are those of the authors' public weights."""
    plain: dict[str, Any] = {"initial": "normal", "spectral_norm": False}
    with torch.device("meta"):
        generator = BigGANGenerator([3, 128, 128], 120, 1000, attention=[64], **plain)
        judge = BigGANDiscriminator([3, 128, 128], 1000, attention=[64], **plain)
    counts = [sum(p.numel() for p in network.parameters()) for network in (generator, judge)]
    assert counts == [70_433_988, 87_982_370]


def test_attention_is_its_closed_form() -> None:
    """Each place adds what the maxima over 2x2 hold, weighted by likeness; written place by place."""
    torch.manual_seed(0)
    layer, x = SelfAttention(8), torch.randn(2, 8, 4, 4)
    assert torch.equal(layer(x), x), "the gate begins closed"
    nn.init.constant_(layer.gate, 0.5)
    theta, phi, g, o = (m.weight[:, :, 0, 0] for m in (layer.theta, layer.phi, layer.g, layer.o))
    wanted = x.clone()
    for n in range(2):
        windows = [x[n, :, i : i + 2, j : j + 2].flatten(1) for i in (0, 2) for j in (0, 2)]
        keys = [(phi @ window).amax(1) for window in windows]
        values = [(g @ window).amax(1) for window in windows]
        for i in range(4):
            for j in range(4):
                likeness = torch.stack([(theta @ x[n, :, i, j]) @ key for key in keys]).exp()
                found = sum(w * value for w, value in zip(likeness / likeness.sum(), values, strict=True))
                wanted[n, :, i, j] += 0.5 * (o @ found)
    torch.testing.assert_close(layer(x), wanted)


def test_parts_of_the_noise_go_into_blocks_of_their_own() -> None:
    """12 numbers for the first maps and two blocks: another part changes nothing before its block."""
    torch.manual_seed(0)
    network = BigGANGenerator([1, 16, 16], classes=3, **{**G_SMALL, "noise_dim": 11}).eval()
    assert network.parts == [4, 4, 3]
    maps: list[Tensor] = []
    for module in (network.first, *network.stages):
        module.register_forward_hook(lambda _, __, out: maps.append(out))
    z, label = torch.randn(2, 11), torch.tensor([0, 1])
    network(z, label)
    for place, changed in enumerate([slice(0, 4), slice(4, 8), slice(8, 11)]):
        before, other = maps[:3], z.clone()
        other[:, changed] += 1
        maps.clear()
        network(other, label)
        same = [torch.equal(a, b) for a, b in zip(before, maps, strict=True)]
        assert same == [k < place for k in range(3)]
        maps[:] = before
    before = maps[:3]
    maps.clear()
    network(z, label.flip(0))
    assert [torch.equal(a, b) for a, b in zip(before, maps, strict=True)] == [True, False, False]


def test_gains_and_biases_are_linear_in_the_condition() -> None:
    norm, x, condition = ScaledBatchNorm(3, 5), torch.randn(4, 3, 2, 2), torch.randn(4, 5)
    gain, bias = 1 + condition @ norm.gain.weight.T, condition @ norm.bias.weight.T
    wanted = F.batch_norm(x, None, None, training=True) * gain[..., None, None] + bias[..., None, None]
    torch.testing.assert_close(norm(x, condition), wanted)
    by_label = ClassBatchNorm(3, 2)
    nn.init.zeros_(by_label.gain.weight)
    nn.init.constant_(by_label.bias.weight, 2.0)
    wanted = F.batch_norm(x, None, None, training=True) + 2
    torch.testing.assert_close(by_label(x, torch.tensor([0, 1, 0, 1])), wanted)


def test_the_logit_has_the_products_of_label_and_features() -> None:
    judge = BigGANDiscriminator([1, 16, 16], 3, **SMALL).eval()
    x, label = torch.randn(2, 1, 16, 16), torch.tensor([2, 0])
    logits, features = judge.score(x, label=label)
    assert judge.embedding is not None
    wanted = judge.head(features).squeeze(1) + (judge.embedding.weight[label] * features).sum(1)
    torch.testing.assert_close(logits, wanted)


def test_every_layer_but_the_shared_embedding_has_spectral_norm() -> None:
    generator, judge = BigGANGenerator([1, 16, 16], classes=3, **G_SMALL), BigGANDiscriminator([1, 16, 16], 3, **SMALL)
    for network, without in ((generator, ["embedding"]), (judge, [])):
        layers = {n: m for n, m in network.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.Embedding))}
        assert [name for name, layer in layers.items() if not has_spectral_norm(layer)] == without
        norms = [m for m in network.modules() if isinstance(m, SpectralNorm)]
        assert {m.eps for m in norms} == {SPECTRAL_EPSILON} == {1e-6}


def test_first_weights() -> None:
    """Rows, or columns where there are fewer, are orthonormal; or N(0, 0.02²)."""
    for network in (BigGANGenerator([1, 16, 16], classes=3, **G_SMALL), BigGANDiscriminator([1, 16, 16], 3, **SMALL)):
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d, nn.Embedding)):
                weight = (layer.parametrizations.weight.original if has_spectral_norm(layer) else layer.weight).flatten(
                    1
                )
                gram = weight @ weight.T if len(weight) <= weight.shape[1] else weight.T @ weight
                torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0)
    plain = BigGANGenerator([1, 32, 32], 12, 3, 16, None, skip_noise=False, initial="normal", spectral_norm=False)
    assert plain.stages[0][0].conv1.weight.std().item() == pytest.approx(0.02, rel=0.05)  # type: ignore[index,union-attr]


@pytest.mark.parametrize("classes", [None, 3])
def test_bf16_is_finite(classes: int | None) -> None:
    label = torch.arange(8) % 3
    generator = BigGANGenerator([3, 16, 16], classes=classes, **G_SMALL)
    judge = BigGANDiscriminator([3, 16, 16], classes, **SMALL)
    for module in (*generator.modules(), *judge.modules()):
        if isinstance(module, SelfAttention):
            nn.init.ones_(module.gate)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(8, 12) * 3, label if classes else None)
        loss = judge(images, **({"label": label} if classes else {})).float().mean()
    loss.backward()
    found = [p.grad for p in (*generator.parameters(), *judge.parameters()) if p.grad is not None]
    assert all(g.isfinite().all() for g in found)
    assert math.isfinite(loss.item())


def test_what_does_not_fit_is_refused() -> None:
    make, judge = partial(BigGANGenerator, [1, 16, 16]), partial(BigGANDiscriminator, [1, 16, 16])
    with pytest.raises(ValueError, match=r"attention=\[64\]: no map has a side of 64, but 8, 16"):
        make(12, attention=[64])
    with pytest.raises(ValueError, match=r"attention=\[16\]: no map has a side of 16, but 8"):
        judge(attention=[16])
    with pytest.raises(ValueError, match=r"raise model\.noise\.dim"):
        make(2)
    with pytest.raises(ValueError, match="set skip_noise=false"):
        make(12, 3, embedding=None)
    with pytest.raises(ValueError, match="side 16 to 256, got 8"):
        BigGANGenerator([1, 8, 8], 12)
    for kind in ("projection", "every_layer"):
        with pytest.raises(ValueError, match=r"set model\.conditioning=built_in"):
            ConditionalGenerator(partial(make, **SMALL), 12, 3, kind)  # type: ignore[arg-type]
    for build in (
        lambda: ConditionalGenerator(partial(DCGANGenerator, [1, 16, 16], width=2), 12, 3, "built_in"),
        lambda: conditional_discriminator(
            partial(DCGANDiscriminator, [1, 16, 16], width=2), [1, 16, 16], 3, "built_in"
        ),
    ):
        with pytest.raises(ValueError, match=r"such as biggan and r3gan: set model\.conditioning=projection"):
            build()


def test_attention_by_itself_is_at_64_or_at_half_the_side() -> None:
    sides = {
        size: BigGANGenerator.auto("attention", [3, size, size], per_sample=False) for size in (16, 28, 64, 128, 256)
    }
    assert sides == {16: [8], 28: [16], 64: [32], 128: [64], 256: [64]}
