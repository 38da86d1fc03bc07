"""What to do about a run that is out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig

SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "bad allocation", "alloc_failed")
"""In the words of PyTorch's RuntimeError of the CPU, and of libraries of a device."""


class OutOfMemory(MemoryError):
    """What to try is in the sentence."""


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def out_of_memory(error: BaseException, cfg: DictConfig, at_once: int = 1) -> OutOfMemory:
    """The same error in one sentence, with what was held at once and what to try.

    Args:
        at_once: how many runs trained at once.
    """
    trainer = cfg.trainer
    batch_size, accumulate = trainer.batch_size, trainer.accumulate
    reason = " ".join(str(error).split()).split(". ")[0].rstrip(".") or "out of memory"
    parts = f" in trainer.accumulate={accumulate} parts" if accumulate > 1 else ""
    tries = []
    if at_once > 1:
        tries.append(f"trainer.replicas={at_once // 2}" if at_once > 3 else "one seed after the other, -m seed=0,1,…")
    if at_once == 1 and batch_size % (2 * accumulate) == 0 and batch_size // (2 * accumulate) >= 2:
        tries.append(f"trainer.accumulate={2 * accumulate}, which holds half as much at a time and learns the same")
    if batch_size >= 4:
        tries.append(f"trainer.batch_size={batch_size // 2}")
    if trainer.precision.value != "bf16" and torch.cuda.is_available():
        tries.append("trainer.precision=bf16")
    tries += ["smaller networks or a smaller dataset.image_size"]
    tried = "; ".join(tries[:-1]) + f"; or {tries[-1]}" if len(tries) > 1 else tries[0]
    return OutOfMemory(f"{reason}, with trainer.batch_size={batch_size}{parts}: start anew with {tried}")


@contextmanager
def memory_advised(cfg: DictConfig, at_once: int = 1) -> Iterator[None]:
    """Inside, an error for want of memory is told with what to try.

    Raises:
        OutOfMemory: there was one.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemory) or not is_out_of_memory(error):
            raise
        raise out_of_memory(error, cfg, at_once) from error
