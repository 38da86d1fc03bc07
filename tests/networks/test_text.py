"""What becomes of texts: encoders that see letters alone, the loss that teaches them, players that are told."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gantrain.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, ResNetDiscriminator
from gantrain.networks.layers import has_spectral_norm, samples_meet
from gantrain.networks.text import JointEncoder, TextDiscriminator, TextEncoder, TextGenerator, matching_loss

SHAPE = [3, 16, 16]


def codes(*lengths: int, size: int = 12) -> Tensor:
    torch.manual_seed(2)
    made = torch.randint(1, 9, (len(lengths), size))
    for row, length in zip(made, lengths, strict=True):
        row[length:] = 0
    return made


@pytest.mark.parametrize("settings", [{}, {"blocks": 3, "pool": 3}, {"blocks": 1, "kernel": 7}, {"pool": 2}])
@pytest.mark.parametrize("autocast", [False, True])
def test_padding_is_as_if_it_were_not_there(settings: dict[str, int], autocast: bool) -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(8, dim=6, width=5, **settings)
    texts = codes(1, 4, 7, 12)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), torch.no_grad():
        longer = [encoder(nn.functional.pad(texts, (0, more))) for more in range(8)]
        alone = torch.cat([encoder(row[:length][None]) for row, length in zip(texts, (1, 4, 7, 12), strict=True)])
    for found in longer[1:]:
        torch.testing.assert_close(found, longer[0], rtol=0, atol=1e-2 if autocast else 1e-6)
    torch.testing.assert_close(alone, longer[0], rtol=0, atol=3e-2 if autocast else 1e-6)
    assert longer[0].dtype == torch.float32


def test_letters_and_their_order_count() -> None:
    torch.manual_seed(0)
    encoder, text = TextEncoder(8), codes(12)
    changed, turned = text.clone(), text.flip(1)
    changed[0, 11] = text[0, 11] % 8 + 1
    with torch.no_grad():
        found = encoder(torch.cat([text, changed, turned]))
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert (found[0] - found[2]).abs().max() > 1e-3
    torch.testing.assert_close(found.mean(1), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.var(1, correction=0), torch.ones(3), rtol=0, atol=1e-2)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be odd"):
        TextEncoder(8, kernel=4)


def test_the_generator_is_told_the_text() -> None:
    torch.manual_seed(0)
    generator = TextGenerator(partial(DCGANGenerator, SHAPE, width=2), 4, 6, 3).eval()
    noise = torch.randn(1, 4).expand(2, -1)
    made = generator(noise, torch.randn(2, 6))
    assert made.shape == (2, *SHAPE)
    assert not torch.allclose(made[0], made[1])


@pytest.mark.parametrize(
    ("network", "flattens"),
    [
        (partial(DCGANDiscriminator, width=4, norm="none"), True),
        (partial(DCGANDiscriminator, width=4, norm="none", spectral_norm=True), True),
        (partial(ResNetDiscriminator, width=4), False),
        (partial(MLPDiscriminator, hidden=[8]), False),
    ],
)
def test_text_and_picture_meet_in_the_discriminator(network: partial[nn.Module], flattens: bool) -> None:
    torch.manual_seed(0)
    discriminator = TextDiscriminator(network, SHAPE, 6, 3)
    assert discriminator.flattens == flattens
    layers = [m for m in discriminator.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    normalised = {has_spectral_norm(layer) for layer in layers}
    assert normalised == {network.keywords.get("spectral_norm", network.func is ResNetDiscriminator)}
    x, text = torch.randn(1, *SHAPE).expand(2, -1, -1, -1), torch.randn(2, 6, requires_grad=True)
    logits, features = discriminator.eval().score(x, text=text)
    assert logits.shape == (2,)
    assert features.shape == (2, discriminator.feature_count)
    assert logits[0] != logits[1]
    # a product of both, and not a sum: how much a picture counts depends on the text
    other = discriminator.score(torch.randn_like(x), text=text)[0]
    assert (other - logits).diff().abs() > 1e-7


def test_a_text_stands_at_each_place_of_the_last_maps() -> None:
    discriminator = TextDiscriminator(partial(DCGANDiscriminator, width=4, norm="none"), SHAPE, 6, 3)
    joined = discriminator.meeting[0]
    assert isinstance(joined, nn.Conv2d)
    assert (joined.in_channels, joined.out_channels, joined.kernel_size) == (8 + 3, 8, (1, 1))
    assert not samples_meet(discriminator)
    assert samples_meet(TextDiscriminator(partial(DCGANDiscriminator, width=4, norm="none"), SHAPE, 6, 3, "batch"))


@pytest.mark.parametrize("autocast", [False, True])
def test_by_projection_the_logit_has_the_inner_product_of_features_and_text(autocast: bool) -> None:
    network = partial(DCGANDiscriminator, width=4, norm="none")
    discriminator = TextDiscriminator(network, SHAPE, 6, 3, conditioning="projection")
    x, text = torch.randn(5, *SHAPE), 50 * torch.randn(5, 6)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), torch.no_grad():
        logits, features = discriminator.score(x, text=text)
    alone = features.float() @ discriminator.head.weight[0] + discriminator.head.bias
    wanted = alone + ((text @ discriminator.project.weight.T) * features.float()).sum(1)
    assert torch.allclose(logits, wanted, rtol=2e-2 if autocast else 1e-5, atol=2e-2 if autocast else 1e-5)
    assert not torch.allclose(logits, alone, atol=2e-2)
    spectral = partial(DCGANDiscriminator, width=4, norm="none", spectral_norm=True)
    assert has_spectral_norm(TextDiscriminator(spectral, SHAPE, 6, 3, conditioning="projection").project)


def test_what_belongs_together_is_chosen_among_all_that_is_wrong() -> None:
    products = torch.tensor([[2.0, 0.5, 1.8], [1.4, 1.0, -3.0], [0.0, 0.2, 0.1]], requires_grad=True)
    wrong = torch.tensor([[0, 1, 1], [1, 0, 1], [0, 1, 0]], dtype=torch.bool)
    total = 0.0
    for k in range(3):
        own = math.exp(products[k, k].item())
        texts = [math.exp(products[k, j].item()) for j in range(3) if wrong[k, j]]
        pictures = [math.exp(products[i, k].item()) for i in range(3) if wrong[i, k]]
        total -= math.log(own / (own + sum(texts))) + math.log(own / (own + sum(pictures)))
    found = matching_loss(products, wrong)
    assert found.item() == pytest.approx(total / 3)
    found.backward()
    assert products.grad is not None
    assert products.grad[2, 0] == 0, "what is neither wrong nor its own"
    assert products.grad.isfinite().all()
    assert matching_loss(products, torch.zeros_like(wrong)) == 0


def test_the_joint_encoder_learns_which_text_goes_with_which_picture() -> None:
    torch.manual_seed(0)
    encoder = JointEncoder(
        partial(TextEncoder, 8, dim=16, width=16), partial(DCGANDiscriminator, SHAPE, width=4, norm="none")
    )
    pictures, texts, wrong = torch.randn(8, *SHAPE), codes(*range(5, 13)), ~torch.eye(8, dtype=torch.bool)
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        matching_loss(encoder(pictures, texts), wrong).backward()
        optimizer.step()
    assert torch.equal(encoder(pictures, texts).argmax(1), torch.arange(8))
