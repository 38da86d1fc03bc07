"""Players that know a text, and what makes numbers of its letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.heads import Classifier
from gantrain.networks.layers import Norm, activation, norm1d, norm2d, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, WrappedDiscriminator
from gantrain.ranges import WIDTH, within

TextConditioning = Literal["concat", "projection"]
"""How a discriminator is told a text."""


class TextEncoder(nn.Module):
    """Character codes (N, L) to numbers (N, dim) of mean 0 and variance 1: convolutions over letters.

    Each block is a convolution, ReLU and, but for the last one, the largest of `pool` neighbours; then each channel's
    largest value over the whole text (character CNN; Reed et al. 2016, "Learning Deep Representations of Fine-Grained
    Visual Descriptions"). The codes 0, which pad, are as if they were not there, however many stand at the end.

    Args:
        letters: how many codes there are besides 0.
        dim: of what comes out.
        width: channels.
        blocks: how many; each sees `pool` times as far as the one before.
        kernel: letters that the first convolution sees at once, an odd number.
        pool: neighbours of which the largest goes on.

    Raises:
        ValueError: an even kernel.
    """

    def __init__(
        self, letters: int, dim: int = 128, width: int = 128, blocks: int = 2, kernel: int = 5, pool: int = 2
    ) -> None:
        super().__init__()
        within(WIDTH, letters=letters, dim=dim, width=width)
        within("[1, 8]", blocks=blocks, pool=pool)
        within("[1, 99]", kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, so that it has a middle, got {kernel}")
        self.pool, self.dim = pool, dim
        self.letters = nn.Embedding(letters + 1, width, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, kernel, padding=kernel // 2) for _ in range(blocks))
        self.last = nn.Linear(width, dim)

    def forward(self, codes: Tensor) -> Tensor:
        there = (codes != 0).unsqueeze(1)
        x = self.letters(codes).transpose(1, 2)
        for number, convolution in enumerate(self.convolutions):
            if number:
                x = F.max_pool1d(x, self.pool, ceil_mode=True)
                there = F.max_pool1d(there.float(), self.pool, ceil_mode=True) > 0
            # what lies behind the end is 0, as what a convolution finds beyond its input, and the least there is
            x = F.relu(convolution(x)) * there
        return F.layer_norm(self.last(x.amax(2)).float(), [self.dim])


class JointEncoder(nn.Module):
    """Texts and pictures to numbers (N, dim) whose inner products are large where they belong together.

    Args:
        text: makes the encoder of texts.
        picture: makes the discriminator whose trunk looks at pictures.
    """

    def __init__(self, text: Callable[[], TextEncoder], picture: Callable[[], Discriminator]) -> None:
        super().__init__()
        self.text = text()
        self.picture = Classifier(picture, self.text.dim)

    def forward(self, pictures: Tensor, codes: Tensor) -> Tensor:
        """Inner products (N, M) of pictures (N, *shape) and texts (M, L), divided by √dim."""
        seen, read = self.picture(pictures), self.text(codes)
        with torch.autocast(seen.device.type, enabled=False):  # a softmax follows
            return seen.float() @ read.float().T / self.text.dim**0.5


def matching_loss(products: Tensor, wrong: Tensor) -> Tensor:
    """The mean of -log P(text | picture) - log P(picture | text), each of a softmax over its own and all wrong ones.

    It is InfoNCE in both directions (van den Oord et al. 2018, equation 4; Radford et al. 2021). Reed et al. 2016 ask
    for a margin to each wrong one on average (equation 2 of "Generative Adversarial Text to Image Synthesis"), where
    the few that are hard to tell count as little as all others.

    Args:
        products: (N, N) of pictures and texts, those that belong together on the diagonal.
        wrong: (N, N) bool, whether a text is not true of a picture; what is neither wrong nor its own does not count.
    """
    own = torch.eye(len(products), dtype=torch.bool, device=products.device)
    counted = products.float().masked_fill(~(wrong | own), -torch.inf)
    chances = counted.log_softmax(1).diagonal() + counted.log_softmax(0).diagonal()
    return -chances.mean()


class TextGenerator(Generator):
    """Noise (N, noise_dim) and texts (N, text_dim) to samples: a text becomes `width` numbers beside the noise.

    Args:
        network: makes the generator within, given `noise_dim`.
    """

    def __init__(self, network: Callable[..., Generator], noise_dim: int, text_dim: int, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(text_dim, width), activation("leaky_relu"))
        self.network = network(noise_dim=noise_dim + width)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None, "a generator of texts is called with texts"
        return self.network(torch.cat([noise, self.project(condition).to(noise.dtype)], 1))


class TextDiscriminator(WrappedDiscriminator):
    """Samples (N, *shape) and texts (N, text_dim) to logits.

    With `concat` a text becomes `width` numbers, which stand beside the features at each place of the trunk's last
    maps; a convolution over single places joins both (Reed et al. 2016, section 4.1). A trunk that ends in no maps
    joins them by one linear layer. With `projection` the logit has another summand, the inner product of the features
    and a linear map of the text (Miyato & Koyama 2018, equation 4, where it is a label's).

    Args:
        network: makes the discriminator within, given `shape`.
        shape: of what it is shown.
        norm: of the layers of `concat` that the text is part of.
    """

    def __init__(
        self,
        network: Callable[..., Discriminator],
        shape: list[int],
        text_dim: int,
        width: int,
        norm: Norm = "none",
        conditioning: TextConditioning = "concat",
    ) -> None:
        inner = network(shape=shape)
        super().__init__(inner)
        self.conditioning = conditioning
        if conditioning == "projection":
            self.project: nn.Module = nn.Linear(text_dim, self.feature_count, bias=False)
            nn.init.normal_(self.project.weight, std=(text_dim * self.feature_count) ** -0.5)
        else:
            self._join(inner, shape, text_dim, width, norm)
        if inner.spectrally_normalised:
            spectrally_normalise(self)

    def _join(self, inner: Discriminator, shape: list[int], text_dim: int, width: int, norm: Norm) -> None:
        features = self.feature_count
        self.flattens = isinstance(self.trunk[-1], nn.Flatten) and not inner.flat
        layers = [nn.Linear(text_dim, width), norm1d(norm, width), activation("leaky_relu")]
        self.project = nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.Identity)))
        if self.flattens:
            self.trunk = self.trunk[:-1]
            channels = features // places_of(self.trunk, shape)
            joined: nn.Module = nn.Conv2d(channels + width, channels, 1, bias=norm == "none")
            after = norm2d(norm, channels)
        else:
            joined = nn.Linear(features + width, features, bias=norm == "none")
            after = norm1d(norm, features)
        parts = [joined, after, activation("leaky_relu")]
        self.meeting = nn.Sequential(*(part for part in parts if not isinstance(part, nn.Identity)))

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        features, text = self.trunk(x), self.project(conditions["text"])
        if self.conditioning == "projection":
            return self.logits(features) + (text.float() * features.float()).sum(1), features
        text = text.to(features.dtype).view(*text.shape, *[1] * (features.dim() - 2))
        text = text.expand(-1, -1, *features.shape[2:])
        features = self.meeting(torch.cat([features, text], 1)).flatten(1)
        return self.logits(features), features


@torch.no_grad()
def places_of(trunk: nn.Module, shape: list[int]) -> int:
    """How many places the maps have that a trunk makes of samples of a shape."""
    training = trunk.training
    maps = trunk.eval()(torch.zeros(1, *shape))
    trunk.train(training)
    return maps.shape[2:].numel()
