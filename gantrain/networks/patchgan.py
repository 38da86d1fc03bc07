"""A discriminator that judges overlapping patches (Isola, Zhu, Zhou & Efros 2017, section 3.2.2 and appendix 6.1.2)."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from gantrain.networks.canvas import in_words
from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, activation, initialise_dcgan, norm2d, spectrally_normalise
from gantrain.networks.network import Discriminator, NormByLoss, images_only
from gantrain.ranges import WIDTH, within

Patch = Literal[1, 16, 34, 70, 142, 286]

STAGES: dict[int, int] = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""How many halvings there are, by the side of the patch in pixels; the paper's own are 1, 16, 70 and 286."""
USUAL = 70
"""The side of a patch in the paper's best results, and the largest with `auto`."""
WIDEST = 8
"""How many times `width` the widest layer has."""


def smallest_side(patch: int) -> int:
    """The shortest side of pictures on which patches of this side leave a logit."""
    return 3 * 2 ** STAGES[patch] if STAGES[patch] else 1


class PatchGANDiscriminator(Discriminator, NormByLoss):
    """Images (N, C, H, W) to a logit for each patch (N, P), of a network that slides over images of any size.

    n convolutions of stride 2 and two of stride 1, 4x4 each, make patches of 16, 34, 70, 142 and 286 pixels, with
    P = (H / 2^n - 2)(W / 2^n - 2); the one of 1x1 convolutions judges each pixel for itself. Patches may reach over the
    border, where they see zeros: of 256 pixels a patch of 286 sees all, as in the paper. Where a picture is given
    beside the one that is judged, `shape` has the channels of both.

    Args:
        shape: [C, H, W]. It only says for which size there are patches: the weights are the same for all.
        patch: side of a patch, in pixels; with `auto` 70, or the largest below that pictures are large enough for.
        width: channels of the first stage; each further one has twice as many, up to eight times as many.
        norm: of all stages but the first. `instance` is what the authors' batch norm is at their batch of one; `auto`
            is layer norm where a loss forbids samples to meet, else batch norm.
        spectral_norm: of every layer (Miyato et al. 2018).

    Raises:
        ValueError: the samples are no images, or too small for one patch.
    """

    def __init__(
        self,
        shape: list[int],
        patch: Patch = 70,
        width: int = 64,
        norm: Norm = "instance",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=patchgan")
        if min(size) < smallest_side(patch):
            raise ValueError(_too_small(size, patch))
        stages = STAGES[patch]
        kernels = [(4, 2, 1)] * stages + [(4, 1, 1)] if stages else [(1, 1, 0)] * 2
        self.trunk, inside = Sequential(), channels
        for stage, kernel in enumerate(kernels):
            outside, kind = width * min(WIDEST, 2**stage), "none" if stage == 0 else norm
            parts = [nn.Conv2d(inside, outside, *kernel, bias=kind == "none"), norm2d(kind, outside)]
            parts.append(activation("leaky_relu"))
            self.trunk.append(Sequential(*(part for part in parts if not isinstance(part, nn.Identity))))
            inside = outside
        self.head = nn.Conv2d(inside, 1, *kernels[-1])
        self.apply(initialise_dcgan)
        if spectral_norm:
            spectrally_normalise(self)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "patch":
            return max(
                patch for patch in STAGES if patch <= USUAL and smallest_side(patch) <= min(shape[1:], default=1)
            )
        return super().auto(key, shape, per_sample)


def _too_small(size: tuple[int, int], patch: int) -> str:
    side = min(size)
    fitting = max(other for other in STAGES if smallest_side(other) <= side and other <= max(side, 16))
    return (
        f"a discriminator of {patch}x{patch} patches has none on pictures of {in_words(size)}, it needs sides of "
        f"{smallest_side(patch)} or more: set model.discriminator.patch={fitting}, or a larger dataset.image_size"
    )
