"""Feature spaces: what distances between pictures are measured in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gantrain.data import Source, to_pixels
from gantrain.kinds import Kind
from gantrain.metrics.evaluation import AT_ONCE, Evaluation, Part, RealData
from gantrain.metrics.kept import kept_arrays

CHUNK = 10 * AT_ONCE
"""So many samples are mapped, and kept on disk, together; those that are fewer may become more later."""


@dataclass(frozen=True)
class Features:
    """What a space makes of n samples: values (n, size), and class logits (n, K) where its network has them."""

    values: Tensor
    logits: Tensor | None = None

    def first(self, n: int) -> Features:
        """Those of the first n samples."""
        return Features(self.values[:n], None if self.logits is None else self.logits[:n])


class FeatureSpace:
    """Maps samples to points between which distances mean something.

    Two spaces of equal `identity` are one: what was computed in the one serves the other. A space of your own names
    itself, overrides `features`, and joins with `+metrics.spaces.mine._target_=my_package.Mine`.
    """

    name: str
    """Stands in the names of figures, such as mine in metrics/fid_mine; letters, digits and underscores."""
    size: int | None = None
    """Dimensions; None where they are those of the data."""
    resize: str = "not resized"
    """How pictures are resized and scaled, in words."""
    has_logits: bool = False
    """Its network names classes, so that an inception score can be taken."""
    of_the_run: bool = False
    """It follows the networks that are trained: real samples are mapped anew at each evaluation, and figures in it
    speak of the run's health alone, for no two of them are measured alike."""
    costly: bool = False
    """Features of real samples are worth keeping on disk, for later runs."""

    def identity(self) -> str:
        """What figures in this space depend on, such as the checksum of its weights: part of every protocol."""
        return self.name

    def versions(self) -> dict[str, str]:
        """Of the packages that have a part in it."""
        return {}

    def check(self, source: Source) -> None:
        """Before any data is read.

        Raises:
            ValueError: it has no place for such data.
        """

    def prepare(self, real: RealData) -> None:
        """Before the first evaluation: loads or trains what it needs, through `real.once`.

        Raises:
            UserError: it is not there, or cannot be read.
        """

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        """Of samples: pixels uint8 (n, C, H, W), or sound or
        numbers float32 (n, …); the result is float32 on the CPU.

        Args:
            evaluation: of the run as it stands, given to spaces `of_the_run`.
        """
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureSpace) and (type(self), self.identity()) == (type(other), other.identity())

    def __hash__(self) -> int:
        return hash((type(self), self.identity()))


class Pixels(FeatureSpace):
    """The samples themselves, pixels scaled to [0, 1]: distances of brightness, not of meaning."""

    name = "pixels"
    resize = "not resized, scaled to [0, 1]"

    def check(self, source: Source) -> None:
        if Kind.of(source.shape) is Kind.SOUND:
            raise ValueError("the space pixels is of pictures: measure sound in spectrogram")

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        return Features((x.float() / 255 if x.dtype == torch.uint8 else x).flatten(1))


class Values(Pixels):
    """Numbers as they are: distances between points."""

    name = "values"
    resize = ""

    def check(self, source: Source) -> None:
        if Kind.of(source.shape) is Kind.PICTURES:
            raise ValueError("the feature space values is for numbers: take pixels for pictures")


def generated_features(evaluation: Evaluation, space: FeatureSpace, n: int) -> Features:
    """Features of n generated samples: mapped once for all metrics of the evaluation, whatever their numbers are."""
    whole = -(-n // AT_ONCE) * AT_ONCE  # whole batches: the same features, whoever asks for how many

    def mapped(start: int, count: int) -> Features:
        parts = evaluation.encoded(whole)[start : start + count].split(AT_ONCE)
        return _joined(space.features(x, evaluation.real, evaluation) for x in parts)

    chunks = evaluation.once(_generated_chunks, space)
    if not evaluation.keeps(whole) and sum(len(chunk.values) for chunk in chunks) < whole:
        made = [space.features(encoded(x), evaluation.real, evaluation) for x in evaluation.batches(whole)]
        chunks[:] = [_joined(made)]  # mapped as they come, so that no more than their features are held
        return chunks[0].first(n)
    return _grown(chunks, whole, mapped).first(n)


def real_features(evaluation: Evaluation, space: FeatureSpace, part: Part, n: int | None = None) -> Features:
    """Features of real samples, all of the part unless n is given: once for all evaluations where the space allows."""
    real = evaluation.real
    n = real.count(part) if n is None else n

    def mapped(start: int, count: int) -> Features:
        x = torch.cat([encoded(batch["real"]).cpu() for batch in real.batches(part, count, start=start)])

        def compute() -> Features:
            now = evaluation if space.of_the_run else None
            return _joined(space.features(few, real, now) for few in x.split(AT_ONCE))

        return _kept(real, space, x, compute) if space.costly and not space.of_the_run else compute()

    holder = evaluation if space.of_the_run else real
    return _grown(holder.once(_real_chunks, space, part), n, mapped)


def encoded(x: Tensor) -> Tensor:
    """Samples as spaces take them: images as pixels uint8, others as float32."""
    return to_pixels(x) if x.dim() == 4 else x.float()


def _generated_chunks(evaluation: Evaluation, space: FeatureSpace) -> list[Features]:
    return []


def _real_chunks(holder: Evaluation | RealData, space: FeatureSpace, part: Part) -> list[Features]:
    return []


def _grown(chunks: list[Features], n: int, mapped: Callable[[int, int], Features]) -> Features:
    """The first n, after the chunks that are lacking were added; a last one that was too short is mapped anew."""
    for number in range(-(-n // CHUNK)):
        start = number * CHUNK
        count = min(CHUNK, n - start)
        if number == len(chunks):
            chunks.append(mapped(start, count))
        elif len(chunks[number].values) < count:
            chunks[number] = mapped(start, count)
    return _joined(chunks[: -(-n // CHUNK)]).first(n)


def _kept(real: RealData, space: FeatureSpace, x: Tensor, compute: Callable[[], Features]) -> Features:
    """What `compute` gives, from the disk where it was computed before: of equal samples, in an equal space."""

    def arrays() -> dict[str, Tensor]:
        made = compute()
        return {"values": made.values} | ({} if made.logits is None else {"logits": made.logits})

    held = kept_arrays(real.context.cache, space.identity(), x, arrays)
    return Features(held["values"], held.get("logits"))


def _joined(parts: Iterable[Features]) -> Features:
    found = list(parts)
    logits = [part.logits for part in found if part.logits is not None]
    return Features(torch.cat([part.values for part in found]), torch.cat(logits) if logits else None)
