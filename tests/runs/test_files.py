"""Which files a run's folder holds, and which of them is meant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from gantrain.errors import UserError
from gantrain.runs import RunFolder, SweepFolder, SweepPlan, find_checkpoint, load_checkpoint


def state_of(step: int, **figures: float) -> dict[str, Any]:
    return {
        "config": f"seed: {step}",
        "data": {},
        "progress": {"step": step, "figures": figures or None},
        "game": {"w": torch.full((2,), float(step))},
        "optimizers": {},
    }


def folder_with(home: Path, *steps: int, keep: int = 9) -> RunFolder:
    folder = RunFolder(home)
    folder.checkpoints.make()
    for step in steps:
        folder.checkpoints.save(state_of(step), step, keep)
    return folder


def test_the_last_checkpoints_stay_and_the_best(tmp_path: Path) -> None:
    files = folder_with(tmp_path, 5, 10).checkpoints
    files.mark_best(files.of_step(5))
    for step in (12, 100):
        files.save(state_of(step), step, keep=2)
    names = sorted(file.name for file in files.path.iterdir())
    assert names == ["best.pt", "step_00000012.pt", "step_00000100.pt"]
    assert files.last() == files.of_step(100)
    assert load_checkpoint(files.best)["progress"]["step"] == 5
    assert torch.equal(load_checkpoint(files.of_step(12))["game"]["w"], torch.tensor([12.0, 12.0]))


def test_a_checkpoint_is_found_by_its_name(tmp_path: Path) -> None:
    files = folder_with(tmp_path, 5, 10).checkpoints
    assert find_checkpoint(tmp_path) == files.of_step(10)
    assert find_checkpoint(tmp_path, "5") == files.of_step(5)
    assert find_checkpoint(files.of_step(5), "best") == files.of_step(5), "a file stands for itself"
    assert RunFolder.of(files.of_step(5)).path == RunFolder.of(tmp_path).path == tmp_path
    for which in ("best", "7"):
        with pytest.raises(UserError, match=f"has no checkpoint '{which}': it has the steps 5, 10"):
            find_checkpoint(tmp_path, which)
    files.mark_best(files.of_step(5))
    assert find_checkpoint(tmp_path, "best") == files.best
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no checkpoint 'last', nor any other"):
        find_checkpoint(tmp_path / "empty")
    with pytest.raises(UserError, match="there is no run"):
        find_checkpoint(tmp_path / "none")


def test_the_figure_of_the_best(tmp_path: Path) -> None:
    files = folder_with(tmp_path).checkpoints
    assert files.best_figure("metrics/fid") is None
    files.mark_best(files.save(state_of(20, **{"metrics/fid": 3.5}), 20, 9))
    assert files.best_figure("metrics/fid") == files.best_figure("metrics/fid", latest=20) == 3.5
    assert files.best_figure("metrics/fid", latest=19) is None, "of a step that will be played again"
    assert files.best_figure("metrics/kid") is None
    files.best.write_bytes(b"half")
    assert files.best_figure("metrics/fid") is None


def test_a_fork_has_the_numbers_and_its_checkpoint(tmp_path: Path) -> None:
    old = folder_with(tmp_path / "a" / "old", 5)
    old.write_config("seed: 0\n")
    old.numbers.open(0)
    old.numbers.add({"x": 1.0}, 3)
    old.numbers.close()
    fork = old.fork(tmp_path / "b", state_of(5))
    assert fork.path.parent == tmp_path / "b"
    assert sorted(f.name for f in fork.path.rglob("*.*")) == ["metrics.jsonl", "step_00000005.pt"]
    assert fork.numbers.read() == [{"step": 3, "x": 1.0}]
    assert (old.has_config, fork.has_config, old.read_config()) == (True, False, "seed: 0\n")
    old.numbers.put(b'{"step": 3, "x": 1.0}\n{"step": 5, "metrics/modes": 2}\n\xff\n{"step": 5, "late": 1}\n')
    early = len(old.numbers.content()) - len(b'{"step": 5, "late": 1}\n')
    changed = old.fork(tmp_path / "c", {**state_of(5), "logged": {"metrics.jsonl": early}}, changed=True)
    assert changed.numbers.read() == [{"step": 3, "x": 1.0}], "the figures of its own step were those of the other"
    size = len(changed.numbers.content())
    assert load_checkpoint(changed.checkpoints.of_step(5))["logged"] == {"metrics.jsonl": size}
    bare = RunFolder(tmp_path / "none").fork(tmp_path / "b", state_of(5))
    assert bare.path != fork.path
    assert bare.numbers.read() == []


def test_pictures_of_steps_are_told_from_others(tmp_path: Path) -> None:
    samples = RunFolder(tmp_path).samples
    samples.make()
    steps = [samples.of_step(step) for step in (0, 20, 100)]
    others = [samples.real, samples.asked(20, 4, 1, {"class": "3"}, "png")]
    for file in (*steps, *others):
        file.write_text(file.name)
    assert samples.by_step() == steps
    assert others[1].name == "step20_n4_seed1_class-3.png"
    samples.rewind(20)
    samples.keep_last_as_final()
    assert sorted(samples.path.iterdir()) == sorted([*steps[:2], *others, samples.final])
    assert samples.final.read_text() == "00000020.png"


def test_long_words_that_begin_alike_have_names_of_their_own(tmp_path: Path) -> None:
    samples = RunFolder(tmp_path).samples
    short, one, two = (
        samples.asked(1, 4, 0, {"text": text}, "png").name for text in ("a 7", "7 " * 40 + "b", "7 " * 40 + "c")
    )
    assert short == "step1_n4_seed0_text-a-7.png"
    assert one != two
    assert {len(name) - len(short) for name in (one, two)} == {60 - len("a-7")}


def test_a_sweep_knows_its_jobs(tmp_path: Path) -> None:
    sweep = SweepFolder.fresh(tmp_path / "outputs", "by-seed")
    assert sweep.path.parent == tmp_path / "outputs" / "sweeps" / "by-seed"
    assert not sweep.is_sweep
    plan = SweepPlan(["seed=0,1", "name=größe"], None, "train")
    sweep.write_plan(plan)
    assert sweep.is_sweep
    assert sweep.read_plan() == plan
    for name in ("001", "000", "notes"):
        (sweep.path / name).mkdir()
    for name in ("001", "000"):
        (sweep.path / name / "job.json").write_text(f'["seed={int(name)}"]')
    assert [(job.path.name, job.read_words()) for job in sweep.jobs()] == [("000", ["seed=0"]), ("001", ["seed=1"])]
    sweep.remove_unless_begun()
    assert sweep.is_sweep
    assert sweep.job(["seed=1"], "seed1", 1).path.name == "001", "it keeps the folder that it has"
    assert sweep.job(["seed=7"], "seed7", 7).path.name == "007-seed7"
    assert sweep.job(["seed=8"], "seed8", 7).path.name == "008-seed8", "another has that number"
    assert sweep.job(["seed=9"], "").path.name == "009"
    (sweep.path / "010-seed10").mkdir()
    assert sweep.job(["seed=10"], "seed10", 10).path.name == "010-seed10", "a process was killed before it wrote there"
    assert [sweep.next_number() for _ in range(3)] == [0, 1, 2]
    (tmp_path / "kept").write_text("")
    for job in sweep.jobs():
        shutil.rmtree(job.path)
    sweep.remove_unless_begun()
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
