"""How much memory there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch


def free_memory(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that are free on the device; for a CPU, what the system could give and this process' cgroups allow.

    What PyTorch holds of a CUDA device and does not use is free too. `root` is where /proc and /sys are found.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        free = 4 * 2**30
    return max(0, min([free, *_room_in_cgroups(root)]))


def _room_in_cgroups(root: Path) -> Iterator[int]:
    """What each limit above this process leaves, of version 2 and of version 1.

    The system gives back what it holds of files that nobody uses just now, so that counts as room.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, limit, usage, unused = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            top, limit, usage = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            unused = "total_inactive_file"
        else:
            continue
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(top):
                break
            try:
                most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
                held = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # no such group from inside a container, or no limit: "max"
                continue
            yield most - used + int(held.get(unused, 0))
