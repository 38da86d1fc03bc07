"""What the watch keeps in status.json when a run goes back, and when more is known of what was found."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

from gantrain.health import Facts, Finding, Health
from gantrain.report.console import Console
from gantrain.report.recorder import Recorder
from gantrain.runs import RunFolder
from gantrain.training.watch import Watch

BROKEN = {"health/real_spread": 0.0}
ANEW = Finding("not_finite", 70, "out of range", "the losses of step 70", "start anew: init_from=…", "failure")


def watch_over(folder: RunFolder, recorder: Recorder) -> Watch:
    return Watch(Health(Facts()), folder, recorder, Console(), lambda _: {})


def names(folder: RunFolder) -> list[str]:
    return [found["name"] for found in folder.status.read().findings]


def test_a_run_that_went_back_keeps_what_is_so(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with closing(Recorder(folder)) as recorder:
        watch = watch_over(folder, recorder)
        for step in (10, 20):
            watch.see(step, BROKEN)
        assert names(folder) == ["constant_data"]
        watch.replay()  # no line stayed
        assert names(folder) == []
        for step in (10, 20):
            watch.see(step, BROKEN)
        assert names(folder) == ["constant_data"], "it is said once, and kept each time"


def test_who_knows_more_of_numbers_out_of_range_gives_the_advice(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with closing(Recorder(folder)) as recorder:
        watch = watch_over(folder, recorder)
        watch.see(70, {"loss/generator/total": math.nan})
        watch.add(ANEW)
        assert watch.judge({}).advice == ANEW.advice
        assert folder.status.read().findings[0]["advice"] == ANEW.advice


def test_a_run_is_given_up_once_so_much_of_it_is_over_and_it_still_fails(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with closing(Recorder(folder)) as recorder:
        watch = watch_over(folder, recorder)
        for step in (10, 20):
            assert watch.hopeless(step, 100, 0.1) is None, "nothing is found yet"
            watch.see(step, BROKEN)
        assert watch.hopeless(20, 100, None) is None
        assert watch.hopeless(20, 100, 0.3) is None
        why = watch.hopeless(30, 100, 0.3)
        assert why is not None
        assert why.startswith("given up (trainer.give_up=0.3): ")
