"""How a picture of any shape becomes one of a given height and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from gantrain.ranges import within

Fit = Literal["crop", "pad", "stretch"]
Size = tuple[int, int]
"""Height and width."""


def sides(image_size: int | list[int], interval: str = "[1, 4096]") -> Size:
    """Height and width of what a user calls `image_size`: one number for a square, or [height, width].

    Raises:
        ValueError: more or fewer numbers than two, or one out of the interval.
    """
    if isinstance(image_size, int):
        within(interval, image_size=image_size)
        return image_size, image_size
    if len(image_size) != 2:
        raise ValueError(f"image_size is one number, or [height, width], got {image_size}")
    within(interval, image_size=image_size)
    height, width = image_size
    return height, width


def shaped(side: int, ratio: float) -> Size:
    """Height and width whose shorter is `side`, about `ratio` of width to height, on which networks work unbordered."""
    unit = max(side // 4, 1)
    longer = max(round(side * max(ratio, 1 / ratio) / unit), 4) * unit
    return (side, longer) if ratio > 1 else (longer, side)


def size_in_words(size: Size) -> str:
    """As `image_size` is written."""
    return str(size[0]) if size[0] == size[1] else f"[{size[0]},{size[1]}]"


@dataclass(frozen=True)
class Fitting:
    """Scales pictures to a size, with antialiasing.

    Attributes:
        size: that they get.
        fit: `crop` takes the largest part of that shape about the centre, `pad` shows all of the picture between black
            (or transparent) borders, `stretch` shows all of it, squeezed into the shape.
        share: of a picture's width that a crop takes at most.
    """

    size: Size
    fit: Fit = "crop"
    share: float = 1.0

    def part(self, height: int, width: int) -> tuple[float, float]:
        """Height and width of the part about the centre that is shown of a picture."""
        if self.fit != "crop":
            return height, width
        tall, wide = self.size
        most = min(width, round(self.share * width))
        if height * wide <= most * tall:
            return height, height * wide / tall
        return most * tall / wide, most

    def shown(self, height: int, width: int) -> Size:
        """The size at which that part is shown, which with `pad` is less than the whole."""
        if self.fit != "pad":
            return self.size
        tall, wide = self.size
        if height * wide <= width * tall:
            return max(1, round(height * wide / width)), wide
        return tall, max(1, round(width * tall / height))

    def __call__(self, picture: Image.Image) -> Image.Image:
        height, width = self.part(picture.height, picture.width)
        tall, wide = self.shown(picture.height, picture.width)
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        box = (left, top, left + width, top + height)
        scaled = picture.resize((wide, tall), Image.Resampling.LANCZOS, box=box)
        if (tall, wide) == self.size:
            return scaled
        page = Image.new(picture.mode, self.size[::-1])  # zeros: black, and transparent where there is alpha
        page.paste(scaled, ((self.size[1] - wide) // 2, (self.size[0] - tall) // 2))
        return page

    def effects(self, sizes: Mapping[Size, int]) -> Effects:
        """What it does to pictures of these sizes, of which there are so many each."""
        count = sum(sizes.values())
        lost = border = stretched = upscaled = largest = 0.0
        smallest = float("inf")
        for (height, width), n in sizes.items():
            part, shown = self.part(height, width), self.shown(height, width)
            scales = [after / before for after, before in zip(shown, part, strict=True)]
            lost += n * (1 - part[0] * part[1] / (height * width))
            border += n * (1 - shown[0] * shown[1] / (self.size[0] * self.size[1]))
            stretched += n * max(scales) / min(scales)
            smallest, largest = min(smallest, *scales), max(largest, *scales)
            upscaled += n * (max(scales) > 1)
        return Effects(lost / count, border / count, stretched / count, (smallest, largest), round(upscaled))


@dataclass(frozen=True)
class Effects:
    """What a fitting does to pictures.

    Attributes:
        lost: the share of a picture that is cut away, on average.
        border: the share of the result that is border, on average.
        stretched: how many times more one side grows than the other, on average; 1 where shapes stay.
        scale: the least and the largest factor by which sides are scaled.
        upscaled: how many pictures are blown up.
    """

    lost: float
    border: float
    stretched: float
    scale: tuple[float, float]
    upscaled: int


@dataclass(frozen=True)
class PairFitting(Fitting):
    """Fits each half of a picture that holds two side by side into one half of the size."""

    def __call__(self, picture: Image.Image) -> Image.Image:
        """Both of them side by side.

        Raises:
            ValueError: the picture has no two halves.
        """
        middle, odd = divmod(picture.width, 2)
        if odd:
            raise ValueError(f"it is {picture.width} pixels wide, of which there is no half")
        height, width = self.size[0], self.size[1] // 2
        half, page = Fitting((height, width), self.fit), Image.new(picture.mode, self.size[::-1])
        for k in (0, 1):
            page.paste(half(picture.crop((k * middle, 0, (k + 1) * middle, picture.height))), (k * width, 0))
        return page


def halves(sizes: Mapping[Size, int]) -> dict[Size, int]:
    """How many halves there are of which size, where so many pictures of these sizes hold two side by side."""
    found: dict[Size, int] = {}
    for (height, width), count in sizes.items():
        half = (height, max(width // 2, 1))
        found[half] = found.get(half, 0) + 2 * count
    return found
