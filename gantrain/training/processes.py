"""Several processes that train one run together, as torchrun starts them, each on a device of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gantrain.training.finite import NotFinite
from gantrain.training.liveness import Liveness
from gantrain.training.ranks import DeviceLost, Ranks, Result

PATIENCE = timedelta(days=7)
"""How long a process waits for the others: an evaluation may take hours, and of one that is gone liveness tells."""


class Processes(Ranks):
    """This process among those of `torch.distributed`: gloo carries what lies on the CPU, NCCL what lies on CUDA."""

    def __init__(self) -> None:
        self.number, self.count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.local = int(os.environ.get("LOCAL_RANK", "0"))
        self.local_count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        store, _, _ = next(dist.rendezvous("env://", self.number, self.count))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(
            backend, store=dist.PrefixStore("ranks", store), rank=self.number, world_size=self.count, timeout=PATIENCE
        )
        self._liveness = Liveness(dist.PrefixStore("liveness", store.clone()), self.number, self.count)

    def close(self, well: bool = True) -> None:
        """Lets go of the others, which go on or end by themselves; `well`: after what was done together was done.

        NCCL would wait for others that are in the middle of it.
        """
        self._liveness.close()
        if dist.is_initialized() and (well or not torch.cuda.is_available()):
            dist.destroy_process_group()

    def add(self, x: Tensor) -> Tensor:
        return _Sum.apply(x)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        there = [parameter.grad is not None for parameter in parameters]
        slopes = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        counts = slopes[0].new_ones(len(there)) if all(there) else slopes[0].new_tensor(there, dtype=slopes[0].dtype)
        flat = torch.cat([*(slope.reshape(-1) for slope in slopes), counts])
        dist.all_reduce(flat)
        flat.div_(self.count)
        *means, everywhere = flat.split([*(p.numel() for p in parameters), len(there)])
        # the host reads only where one is missing here: elsewhere it may be there, or missing too
        found = there if all(there) else (everywhere > 0).tolist()
        for parameter, mean, is_there in zip(parameters, means, found, strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(mean.view_as(parameter))
            elif is_there:
                parameter.grad = torch.empty_like(parameter).copy_(mean.view_as(parameter))

    def mean(self, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total / self.count

    def spread(self, tensors: Iterable[Tensor]) -> None:
        with torch.no_grad():
            for tensor in tensors:
                held = tensor.detach().contiguous()
                dist.broadcast(held, 0)
                tensor.detach().copy_(held)

    def first(self, call: Callable[[], Result]) -> Result:
        told: Result = json.loads(self._told(json.dumps(call()).encode() if self.number == 0 else b""))
        return told

    def state(self, call: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        written = io.BytesIO()
        mine = None
        if self.number == 0 and (mine := call()) is not None:
            torch.save(dict(mine), written)
        told = self._told(written.getvalue())
        if not told:
            return None
        return mine if self.number == 0 else torch.load(io.BytesIO(told), weights_only=True)

    def in_turn(self, call: Callable[[], Result]) -> Result:
        made = None if self.local else [call()]
        dist.all_reduce(torch.zeros(1))  # whoever comes first waits for the others
        return call() if made is None else made[0]

    def agree(self, stopped: signal.Signals | None, seconds: float) -> tuple[signal.Signals | None, float]:
        told = torch.tensor([float(stopped or 0), seconds if self.number == 0 else 0.0], dtype=torch.float64)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        number, seconds = told.tolist()
        return (signal.Signals(int(number)) if number else None), seconds

    @contextmanager
    def watched(self) -> Iterator[None]:
        try:
            yield
        except DeviceLost:
            raise
        except Exception as error:
            _outlive_the_launcher()
            # what a broken connection raises, here or in a backward pass, is a RuntimeError
            broken = isinstance(error, RuntimeError) and not isinstance(error, NotFinite)  # which all find at once
            sentence = self._liveness.lost() if broken else None
            if sentence is None:
                self._liveness.failed(error)
            if self.number and not torch.cuda.is_available():
                dist.destroy_process_group()  # who waits for this process need not wait longer
            self._liveness.leave_it_to_the_first()
            if sentence is not None:
                if self.number:
                    self._liveness.tell(sentence)
                raise DeviceLost(sentence) from None
            raise

    def when_lost(self, tell: Callable[[str], object], way_out: Callable[[], str]) -> None:
        self._liveness.tell, self._liveness.way_out = tell, way_out

    def _told(self, words: bytes) -> bytes:
        size = torch.tensor([len(words)])
        dist.broadcast(size, 0)
        if not int(size):
            return b""
        held = torch.frombuffer(bytearray(words), dtype=torch.uint8) if words else torch.empty(int(size)).byte()
        dist.broadcast(held, 0)
        return held.numpy().tobytes()


def _outlive_the_launcher() -> None:
    """Lets this process say why it ends: torchrun asks all to end as soon as one has."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class _Sum(torch.autograd.Function):
    """The sum over processes. What a process gives reaches the loss of each, so that their gradients add up too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return _Sum.apply(slope)
