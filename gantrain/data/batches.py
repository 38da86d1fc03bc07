"""Batches by position: which samples a batch holds follows from the seed and the position alone."""

from __future__ import annotations

import copy
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from gantrain import shares
from gantrain.data.augment import Augment
from gantrain.data.captions import one_caption_each
from gantrain.seeding import Purpose, mix
from gantrain.shares import Share

FULL_SCALE = 2**15
"""What 1 is in a pack of sound."""


class Batches(ABC):
    """An endless supply of real data.

    `size` is the number of distinct samples, None where samples are drawn afresh. `waited` counts the seconds in which
    the caller stood still for data. `facts` are tensors that belong to the data and not to the model, such as the mean
    and the standard deviation that map standardised numbers back.
    """

    size: int | None = None
    waited: float = 0.0
    facts: Mapping[str, Tensor] = {}

    @abstractmethod
    def draw(self, position: int, n: int) -> dict[str, Tensor]:
        """The n samples from `position` on, on the device: "real" (n, C, H, W) or
        (n, channels, samples) in [-1, 1], or numbers (n, D); "label" (n,). Where a share of a turn is played, of these
        n, which are the whole turn's, those of the share."""

    def unaugmented(self, seed: int | None = None) -> Batches:
        """The same samples without augmentation; what lies on the device is shared.

        Args:
            seed: of their order, which stays as it is unless given.
        """
        return self

    def close(self) -> None:  # noqa: B027  (most have nothing to let go of)
        """Lets go of threads and files."""


class Order:
    """The order of N samples: epoch e is `randperm(N)` seeded by (seed, stream, e); batches straddle epochs."""

    def __init__(self, size: int, seed: int, stream: int = 0) -> None:
        self.size, self.seed, self.stream = size, seed, stream
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.int64)

    def indices(self, position: int, n: int) -> Tensor:
        """Indices (n,) int64 of the samples at position … position + n - 1."""
        parts = []
        while n > 0:
            epoch, start = divmod(position, self.size)
            if epoch != self._epoch:
                generator = torch.Generator().manual_seed(mix(self.seed, Purpose.DATA_ORDER, self.stream, epoch))
                self._permutation, self._epoch = torch.randperm(self.size, generator=generator), epoch
            part = self._permutation[start : start + n]
            parts.append(part)
            position, n = position + len(part), n - len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def to_real(x: Tensor) -> Tensor:
    """uint8 pixels and int16 sound become float32 in [-1, 1]; numbers stay as they are."""
    if x.dtype == torch.int16:
        return x.float().div_(FULL_SCALE)
    return x.float().div_(127.5).sub_(1.0) if x.dtype == torch.uint8 else x


def to_pixels(x: Tensor) -> Tensor:
    """Images in [-1, 1] to uint8 pixels: the nearest of 256 levels; what is not a number is black."""
    return ((x + 1) * 127.5).nan_to_num().round_().clamp_(0, 255).to(torch.uint8)


class DeviceBatches(Batches):
    """Everything lies on the device; a batch is one gather."""

    def __init__(
        self, fields: Mapping[str, np.ndarray], device: torch.device, seed: int, augment: Augment | None = None
    ) -> None:
        self._fields = {name: torch.from_numpy(np.array(values)).to(device) for name, values in fields.items()}
        self.size = len(fields["real"])
        self._order = Order(self.size, seed)
        self._device = device
        self._augment = augment

    def draw(self, position: int, n: int) -> dict[str, Tensor]:
        index = shares.take(self._order.indices(position, n)).to(self._device, non_blocking=True)
        batch = {name: values.index_select(0, index) for name, values in self._fields.items()}
        return _finish(batch, self._augment)

    def unaugmented(self, seed: int | None = None) -> DeviceBatches:
        other = copy.copy(self)
        other._augment = None
        other._order = Order(self._order.size, self._order.seed if seed is None else seed)
        return other


class StreamedBatches(Batches):
    """For data larger than the budget: a thread reads the memory-mapped pack ahead, into pinned memory for CUDA.

    The order and the values equal those of `DeviceBatches`. An error in the thread is raised by `draw`.
    """

    ahead = 4

    def __init__(
        self, fields: Mapping[str, np.ndarray], device: torch.device, seed: int, augment: Augment | None = None
    ) -> None:
        self._fields = dict(fields)
        self.size = len(fields["real"])
        self._order = Order(self.size, seed)
        self._device = device
        self._augment = augment
        self._thread: threading.Thread | None = None
        self._expected: tuple[int, int, Share] | None = None

    def draw(self, position: int, n: int) -> dict[str, Tensor]:
        asked = (position, n, shares.playing() or Share())
        if asked != self._expected:
            self.close()
            self._start(*asked)
        began = time.perf_counter()
        item = self._ready.get()
        self.waited += time.perf_counter() - began
        if isinstance(item, BaseException):
            raise item
        self._expected = _after(*asked)
        return _finish({k: v.to(self._device, non_blocking=True) for k, v in item.items()}, self._augment)

    def unaugmented(self, seed: int | None = None) -> StreamedBatches:
        other = StreamedBatches(self._fields, self._device, self._order.seed if seed is None else seed)
        other.facts = self.facts
        return other

    def close(self) -> None:
        if self._thread is not None:
            self._halt.set()
            self._thread.join()
            self._thread = None

    def _start(self, position: int, n: int, share: Share) -> None:
        self._ready: queue.Queue[dict[str, Tensor] | BaseException] = queue.Queue(self.ahead)
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(position, n, share), name="data", daemon=True)
        self._thread.start()

    def _read(self, position: int, n: int, share: Share) -> None:
        pin = self._device.type == "cuda"
        while not self._halt.is_set():
            item: dict[str, Tensor] | BaseException
            try:
                index = share.take(self._order.indices(position, n)).numpy()
                item = {k: torch.from_numpy(np.ascontiguousarray(v[index])) for k, v in self._fields.items()}
                if pin:
                    item = {k: v.pin_memory() for k, v in item.items()}
            except Exception as error:  # handed to the thread that waits for data
                item = error
            while not self._halt.is_set():
                try:
                    self._ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            position, n, share = _after(position, n, share)


def _after(position: int, n: int, share: Share) -> tuple[int, int, Share]:
    """What is drawn after a share of the n samples from a position on."""
    share, moves_on = share.next()
    return position + n * moves_on, n, share


class DrawnBatches(Batches):
    """Samples drawn afresh on the device from a known distribution, by the default generator."""

    def __init__(self, sample: Callable[[int, torch.device], dict[str, Tensor]], device: torch.device) -> None:
        self._sample = sample
        self._device = device

    def draw(self, position: int, n: int) -> dict[str, Tensor]:
        return {name: shares.take(values) for name, values in self._sample(n, self._device).items()}


def _finish(batch: dict[str, Tensor], augment: Augment | None) -> dict[str, Tensor]:
    """All pictures and sound of a batch in [-1, 1]; pictures augmented, those that belong together in the same way."""
    sound = {name: to_real(values) for name, values in batch.items() if values.dtype == torch.int16}
    pictures = {name: to_real(values) for name, values in batch.items() if values.dim() == 4}
    if augment is not None and pictures:
        beside = list(pictures.values())
        whole = augment(torch.cat(beside, 1) if len(beside) > 1 else beside[0])
        pictures = dict(zip(pictures, whole.split([x.shape[1] for x in beside], 1), strict=True))
    batch = {**batch, **sound, **pictures}
    return one_caption_each(batch) if "caption" in batch else batch
