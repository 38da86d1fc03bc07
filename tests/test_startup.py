"""What a run does not use, it does not load: its first step does not wait for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

UNUSED = ["plotly", "scipy", "sklearn", "sympy", "torch._dynamo", "torch._inductor", "torch.onnx", "torch_fidelity"]
UNUSED += ["torchvision"]
"""By a small network on points that draws its first picture, steps and saves."""
PROGRAM = """
import sys
from gantrain.cli import main
from gantrain.training.rounds import Rounds

play = Rounds.play

def noted(self, progress, observe=False):
    play(self, progress, observe)
    print("after step", progress.step, *sorted(name for name in UNUSED if name in sys.modules), flush=True)

Rounds.play = noted
sys.exit(main(sys.argv[1:]))
"""


def test_a_run_on_points_loads_only_what_its_steps_need(tmp_path: Path) -> None:
    program = f"UNUSED = {UNUSED!r}\n{PROGRAM}"
    words = ["dataset=ring8", "trainer.steps=3", "checkpoint.every=1", "trainer.device=cpu", f"outputs_dir={tmp_path}"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, env=env, timeout=600)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("after")] == [
        f"after step {k}" for k in (1, 2, 3)
    ]
