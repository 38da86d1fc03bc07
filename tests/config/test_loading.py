"""What answers at once loads little."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("script", "left_out"),
    [
        ("from gantrain.cli import main; main(['--help'])", ("torch", "hydra", "omegaconf")),
        ("from gantrain.cli import main; main(['sample', '--help'])", ("torch", "hydra", "omegaconf")),
        ("from gantrain.cli import main; main(['--cfg', 'job', 'loss=wgan_gp'])", ("torch", "matplotlib")),
        ("from gantrain.cli import main; main(['modle=dcgan'])", ("torch", "matplotlib")),
    ],
)
def test_what_is_not_needed_is_not_loaded(script: str, left_out: tuple[str, ...]) -> None:
    script += f"; import sys; print('loaded', [name for name in {left_out!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "loaded []", done.stderr
