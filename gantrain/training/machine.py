"""The device, and what runs well on it. Rules, never timings, so that a seed means the same bits."""

from __future__ import annotations

import re
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from gantrain.errors import UserError
from gantrain.sharded import is_sharded

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

_DEFAULT_THREADS = torch.get_num_threads()  # before a run of a sweep sets its own


@dataclass(frozen=True)
class Machine:
    """A device and a precision; with `deterministic`, the same seed gives the same bits on a GPU too, as it does on a
    CPU in any case."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    deterministic: bool = True

    def autocast(self) -> AbstractContextManager[None]:
        """Forwards run in `dtype` inside."""
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, self.dtype)

    def place(self, module: nn.Module) -> None:
        """Moves a module here; convolutions take the memory format in which they are fast."""
        if self.device.type == "cuda":
            self._choose_kernels()
        module.to(self.device)
        if self.channels_last and not any(is_sharded(parameter) for parameter in module.parameters()):
            module.to(memory_format=torch.channels_last)

    def _choose_kernels(self) -> None:
        """Sets what is the process's own: how cuDNN takes its kernels. Timed ones may sum in another order next time.

        float32 means float32 in any case, and never TF32: the norms of penalties would be wrong in the third digit.
        """
        torch.backends.cudnn.deterministic = self.deterministic
        torch.backends.cudnn.benchmark = not self.deterministic  # a turn's shapes stay
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False

    @property
    def channels_last(self) -> bool:
        """Whether pictures lie in memory pixel by pixel: in bf16 everywhere, in float32 on the CPU.

        cuDNN's kernels for float32 are made for the other order.
        """
        return self.dtype != torch.float32 or self.device.type == "cpu"

    def memory(self) -> dict[str, float]:
        """The most memory that this process has held so far, in GiB: the device's, of the CPU the main memory.

        Nothing where it is not known.
        """
        if self.device.type == "cuda":
            return {"memory/peak_gib": torch.cuda.max_memory_allocated(self.device) / 2**30}
        if resource is None:
            return {}
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KiB, but on a Mac in bytes
        return {"memory/peak_gib": held / (2**30 if sys.platform == "darwin" else 2**20)}

    def __str__(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else str(self.device)
        count = torch.get_num_threads()
        threads = f", {count} thread{'s' * (count > 1)}" if self.device.type == "cpu" else ""
        return f"{name}, {'bf16' if self.dtype == torch.bfloat16 else 'fp32'}{threads}"


def choose_device(word: str, local: int | None = None) -> torch.device:
    """The device that a word names; `auto` is CUDA, else the CPU.

    Args:
        local: the number of this process among those of a run on this computer: of several each has a CUDA device.

    Raises:
        UserError: no such device here.
    """
    if local is not None and word != "cpu":
        return _device_of_its_own(word, local)
    if word == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", word):
        raise UserError(f"device={word} names no device: use auto or cpu, or where there is one cuda, cuda:1 or mps")
    try:
        device = torch.device(word)
        torch.empty(0, device=device)
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)  # on which streams and graphs are made
    except Exception as error:  # what a backend raises where it is missing differs from one to the next
        reason = str(error).splitlines()[0].split(". ")[0]
        raise UserError(f"device={word} is not here ({reason}): use auto or cpu") from error
    return device


def _device_of_its_own(word: str, local: int) -> torch.device:
    """The CUDA device with this number, or where there is none at all the CPU.

    Raises:
        UserError: there are fewer, or the word names one alone.
    """
    if word not in ("auto", "cuda"):
        raise UserError(f"trainer.device={word} names one device, but torchrun started several processes: leave it out")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not there and word == "auto":
        return torch.device("cpu")
    if local >= there:
        raise UserError(
            f"this computer has {there or 'no'} CUDA device{'s' * (there != 1)}, and torchrun started process "
            f"{local + 1} here: start no more than it has devices with --nproc-per-node, or set trainer.device=cpu"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def _bf16_is_fast(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False


def is_convolutional(module: nn.Module) -> bool:
    return any(isinstance(m, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)) for m in module.modules())


def set_threads(threads: int | None, module: nn.Module) -> None:
    """Threads of the CPU. Without convolutions one is enough: small layers gain little from more, and where the machine
    is busy, threads that wait for each other at every layer make a run many times slower."""
    torch.set_num_threads(threads or (_DEFAULT_THREADS if is_convolutional(module) else 1))


def choose_machine(
    device_word: str, precision: str, game: nn.Module, deterministic: bool = True, local: int | None = None
) -> Machine:
    """The machine for a game. bf16 by itself only for convolutions, on CUDA from Ampere on and CPUs with bf16 units.

    Args:
        local: as `choose_device` has it.

    Raises:
        UserError: the device is not here.
    """
    device = choose_device(device_word, local)
    bf16 = precision == "bf16" or (precision == "auto" and is_convolutional(game) and _bf16_is_fast(device))
    return Machine(device, torch.bfloat16 if bf16 else torch.float32, deterministic)
