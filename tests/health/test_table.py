"""Every kind of sick run is caught, and no healthy one disturbed: the table of benchmarks/health.md, one seed of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "health_table.py"


def health_table() -> ModuleType:
    specification = importlib.util.spec_from_file_location("health_table", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["health_table"] = module
    specification.loader.exec_module(module)
    return module


TABLE = health_table()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TABLE.SICK, *TABLE.HEALTHY])
def test_what_is_found(name: str, tmp_path: Path) -> None:
    kind = {**TABLE.SICK, **TABLE.HEALTHY}[name]
    TABLE.train(tmp_path, {name: kind}, [5])
    judged = TABLE.judge(tmp_path / f"{name}-5")
    assert bool(judged.found) is (name in TABLE.SICK), judged


def test_the_table_counts_runs(tmp_path: Path) -> None:
    kind = TABLE.Kind(["dataset=ring8", "trainer.steps=40", "trainer.batch_size=8", "log.every=5"])
    TABLE.train(tmp_path, {"ring8": kind}, [0])
    said = TABLE.table(tmp_path)
    assert " of 1 healthy runs disturbed" in said
    assert "0 of 0 sick runs caught" in said
