"""A model as a table: layers, shapes, parameters."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils import parametrize


def summarise(module: nn.Module, call: Callable[[], object]) -> str:
    """The leaves of a module in the order in which `call` runs them, with output shapes and numbers of parameters."""
    rows: list[tuple[str, str, str, str]] = []
    handles = []

    def watch(name: str, leaf: nn.Module) -> None:
        def hook(_: nn.Module, __: object, output: object) -> None:
            shape = "x".join(str(n) for n in output.shape) if isinstance(output, Tensor) else ""
            kind = type(leaf).__name__.removeprefix("Parametrized")
            rows.append((name, kind, shape, f"{sum(p.numel() for p in leaf.parameters()):,}"))

        handles.append(leaf.register_forward_hook(hook))

    for name, part in module.named_modules():
        own = not any(True for _ in part.children()) or parametrize.is_parametrized(part)
        if own and ".parametrizations" not in name:
            watch(name, part)
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    table = [("layer", "kind", "output", "parameters"), *rows]
    widths = [max(len(row[k]) for row in table) for k in range(4)]
    lines = [f"  {n:<{widths[0]}}  {k:<{widths[1]}}  {s:<{widths[2]}}  {p:>{widths[3]}}" for n, k, s, p in table]
    return "\n".join([*lines, f"  {sum(p.numel() for p in module.parameters()):,} parameters"])
