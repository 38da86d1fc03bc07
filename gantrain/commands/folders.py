"""A run's folder: its names, its status, and a fresh one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from gantrain.errors import UserError
from gantrain.files import read_text, write_text

CONFIG, STATUS, JSONL = "config.yaml", "status.json", "metrics.jsonl"


def fresh_folder(parent: Path) -> Path:
    """Makes <parent>/<time>, with a number behind it where that is taken, so that no two runs share a folder."""
    parent.mkdir(parents=True, exist_ok=True)
    stamp, number = time.strftime("%Y-%m-%d_%H-%M-%S"), 1
    while True:
        folder = parent / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def refuse_if_running(home: Path) -> None:
    """Raises:
    UserError: another process trains in this folder.
    """
    status = status_of(home)
    pid = status.get("pid")
    if status.get("status") != "running" or pid == os.getpid() or not isinstance(pid, int) or not 0 < pid < 2**31:
        return
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    except PermissionError:  # it lives, and is another user's
        pass
    raise UserError(f"{home} is being trained by process {pid}: stop it first, or remove {home / STATUS} if it is not")


def status_of(folder: Path) -> dict[str, Any]:
    """What status.json says; nothing where there is none, or a damaged one."""
    try:
        status = json.loads(read_text(folder / STATUS))
    except (FileNotFoundError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def write_status(folder: Path, status: str, reason: str | None = None) -> None:
    """Says how the run stands, and which process says so."""
    write_text(folder / STATUS, json.dumps({"status": status, "reason": reason, "pid": os.getpid()}))
