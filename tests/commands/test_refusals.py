"""Bad input: one sentence that says what to change, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gantrain.cli import main

CASES = [
    (["model=dcgn"], "did you mean dcgan"),
    (["modle=dcgan"], "did you mean model"),
    (["trian"], "did you mean train"),
    (["wgan_gp"], "did you mean loss=wgan_gp?"),
    (["ring8", "seed=1"], "did you mean dataset=ring8?"),
    (["sample", "{tmp}"], "did you mean run="),
    (["~nobody_at_all(x"], "cannot be read"),
    (["a" * 300], "there is no command"),
    (["steps=3"], "did you mean trainer.steps?"),
    (["width=3", "model=dcgan"], "did you mean model.generator.width or model.discriminator.width?"),
    (["dataset=gaussian1d", "optimizer.lr=1"], "did you mean optimizer.generator.lr or optimizer.discriminator.lr?"),
    (["trainer.stps=3"], "did you mean trainer.steps"),
    (["trainer.steps=abc"], "trainer.steps=abc should be a whole number"),
    (["trainer.steps=1.5"], "should be a whole number"),
    (["trainer.steps=true"], "should be a whole number"),
    (["trainer.minutes=nan"], "should be a number"),
    (["trainer.steps=0"], "must be positive"),
    (["trainer.batch_size=1000000000000"], "trainer.batch_size must be 10000000 or less"),
    (["trainer.threads=100000"], "trainer.threads must be 1024 or less"),
    (["trainer.data_budget=-5"], "trainer.data_budget must be 0 or more"),
    (["+run=outputs"], "leave out the +"),
    (["++run=outputs"], "leave out the +"),
    (["run={tmp}/a_file"], "a_file is damaged or no checkpoint"),
    (["-m", "seed=0,1", "--cfg", "job"], "leave out --multirun"),
    (["-m", "tricks.ema.half_life=1,abc", "trainer.steps=1"], "tricks.ema.half_life='abc' should be a number"),
    (["trainer.precision=fp16"], "auto, fp32, bf16"),
    (["trainer.reuse_fakes=true", "trainer.on_nonfinite=skip"], "on_nonfinite=rollback or stop"),
    (["trainer.reuse_fakes=true", "trainer.execution=compile"], "use eager or auto"),
    (["trainer.reuse_fakes=1"], "should be true, false or auto, got 1"),
    (["trainer.execution=graph", "trainer.device=cpu"], "needs CUDA"),
    (["dataset=digits_captions", "model.norm=layer"], "conditioning=concat"),
    (["trainer.execution=grph"], "one of auto, eager, compile, graph"),
    (["trainer.batch_size=10", "trainer.accumulate=3"], "equal parts"),
    (["trainer.device=tpu7"], "use auto or cpu"),
    (["+foo=1"], "foo is no setting"),
    (["~tricks"], "the group tricks cannot be taken away"),
    (["model.generator.widht=3", "model=dcgan"], "did you mean model.generator.width"),
    (["model=dcgan", "model.generator.width=abc"], "should be a whole number"),
    (["model=dcgan", "model.generator.norm=foo"], "one of batch, layer, instance, none"),
    (["+model.generator.colour=red"], "is no setting of MLPGenerator"),
    (["model=dcgan", "loss=wgan_gp", "model.discriminator.norm=batch"], "norm=layer"),
    (["dataset=ring8", "model=dcgan"], "set networks=mlp"),
    (["dataset.image_size=7"], "8 or more"),
    (["dataset.image_size=512", "model=dcgan"], "dataset.image_size"),
    (["loss=hinge", "tricks=[label_smoothing]"], "needs a loss with targets"),
    (["tricks=[emma]"], "did you mean ema"),
    (["optimizer.generator.lr=fast"], "should be a number"),
    (["optimizer.lr=-1"], "lr must be 0 or more"),
    (["dataset=mnist", "data_dir={tmp}/none"], "MNIST/raw"),
    (["dataset=cifar10", "data_dir={tmp}/none"], "cifar-10-batches-py"),
    (["dataset=celeba", "data_dir={tmp}/none"], "by hand"),
    (["dataset=image_folder"], "dataset.path"),
    (["dataset=image_folder", "dataset.path={tmp}/none"], "no folder"),
    (["dataset=array"], "dataset.path"),
    (["metrics.use=[modes]"], "dataset=ring8"),
    (["metrics.use=[mods]"], "did you mean modes"),
    (["dataset=ring8", "loss=wgan", "loss.tricks=true"], "loss.tricks"),
    (["dataset=ring8", "~metrics.known"], "metrics.known is empty, which holds all that metrics.use may name"),
    (["run={tmp}/none"], "no such folder"),
    (["run={tmp}"], "no checkpoint"),
    (["init_from={tmp}/none"], "no run"),
    (["--config-dir", "{tmp}/none"], "no folder"),
    (["--foo"], "--foo"),
    (["model._target_=os.system"], "--trust=os"),
    (["model._target_=gantrain.cli.os.system"], "gantrain.cli"),
    (["model._target_=gantrain.config.composing.hydra_compose"], "no class that a config may build"),
    (["loss={adversarial: 3}"], "adversarial"),
    (["trainer.steps=1=2"], "trainer.steps"),
    (["dataset.image_size=auto"], "no automatic value"),
    (["loss.adversarial.real_label=auto", "loss=lsgan"], "real_label"),
    (["loss=nonsaturating", "loss.adversarial.real_label=auto"], "no automatic value"),
    (["loss.adversarial._target_=gantrain"], "package.Class"),
    (["dataset=null"], "dataset"),
    (["trainer.batch_size=1"], "larger trainer.batch_size"),
    (["-m", "run={tmp}", "seed=0,1"], "--multirun"),
    (["sample", "run={tmp}", "seed=abc"], "seed"),
    (["sample", "run={tmp}", "ema=maybe"], "ema"),
    (["sample"], "run="),
    (["sample", "run={tmp}/none"], "no run"),
    (["sample", "rn=3"], "did you mean run"),
    (["sample", "~dataset"], "dataset is no"),
    (["tricks.ema.half_lfe=3"], "did you mean tricks.ema.half_life"),
    (["tricks.ada.images=3"], "ada is not among the run's tricks"),
    (["~run"], "run holds nothing"),
    (["checkpoint=last"], "checkpoint holds checkpoint.every, checkpoint.keep"),
    (["log=1"], "log holds log.every"),
    (["metrics.use=modes"], "should be a list"),
    (["+dataset=mnist"], "leave out the +"),
    (["+tricks.ema=3"], "leave out the +"),
    (["~tricks=[]"], "the group tricks cannot be taken away"),
    (["loss@model=hinge"], "no group"),
    (["trainer.steps=1,2"], "add --multirun"),
    (["trainer.device=gpu"], "device=gpu names no device: use auto or cpu"),
    (["trainer.device=meta"], "names no device"),
    (["run="], "run= names nothing"),
    (["run=''"], "names nothing"),
    (["init_from="], "names nothing"),
    (["sample", "run="], "names nothing"),
    (["name=${nope}"], "${nope} names no key"),
    (["trainer.steps=${nope}"], "${nope} names no key"),
    (["name=${seed"], "${seed"),
    (["trainer.steps=${trainer.steps}"], "leads back to itself"),
    (["outputs_dir={tmp}/a_file"], "no folder that can be written to"),
    (["--config-dir", "{tmp}/own", "loss=tab"], "not by tabs"),
    (["--config-dir", "{tmp}/own", "loss=itself"], "asks for itself"),
    (["--config-dir", "{tmp}/own", "loss=bytes"], "no YAML text"),
    (["--cfg", "hydra", "modle=dcgan"], "did you mean model"),
    (["--cfg", "hydra", "trainer.steps=abc"], "whole number"),
    (["--cfg", "all", "a=b=c("], "cannot be read"),
    (["--cfg", "hydra", "--package", "nope"], "the config has no nope"),
    (["modle=dcgan", "--info"], "did you mean model"),
    (["--info", "nope"], "invalid choice"),
    (["name=${nope}", "--info"], "names no key"),
    (["--shell-completion", "modle=dcgan"], "did you mean model"),
    (["-m", "loss=hinge,lsgan", "trainer.steps=abc"], "whole number"),
    (["-m", "dataset=ring8", "trainer.steps=1,abc"], "trainer.steps=abc should be a whole number"),
    (["-m", "seed=0,1", "trainer.device=gpu"], "names no device"),
    (["-m", "seed=0,1", "model=dcgan", "model.generator.width=abc"], "whole number"),
    (["-m", "seed=0,1", "tricks.ema.half_lfe=3"], "half_life"),
    (["-m", "seed=0,1", "a=b=c("], "cannot be read"),
]


@pytest.mark.parametrize(("words", "sentence"), CASES, ids=[" ".join(case[0]) for case in CASES])
def test_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    (tmp_path / "own" / "loss").mkdir(parents=True)
    for name, held in (
        ("tab", b"a:\n\tb: 3\n"),
        ("itself", b"defaults:\n  - itself\n  - _self_\n"),
        ("bytes", b"\xff"),
    ):
        (tmp_path / "own" / "loss" / f"{name}.yaml").write_bytes(held)
    code = main([word.replace("{tmp}", str(tmp_path)) for word in words])
    out, err = capsys.readouterr()
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in out + err
    assert not (tmp_path / "outputs").exists()


RESUMED = [
    (["trainer.steps=abc"], "trainer.steps=abc should be a whole number"),
    (["trainer.steps="], "whole number"),
    (["trainer.steps"], "cannot be read"),
    (["log=1"], "log holds log.every"),
    (["checkpoint=x"], "checkpoint holds checkpoint.every, checkpoint.keep"),
    (["log.evry=1"], "did you mean log.every"),
    (["log.every=0"], "must be positive"),
    (["trainer.minutes=nan"], "should be a number"),
    (["trainer.execution=grph"], "one of auto, eager, compile, graph"),
    (["~trainer.steps"], "takes one value"),
    (["trainer.steps=8,9"], "takes one value"),
    (["trainer.steps=${nope}"], "${"),
    (["data_dir=${oc.env:HOME}"], "${"),
    (["trainer.steps=5", "trainer.device=gpu"], "names no device"),
    (["loss=hinge"], "cannot change"),
]


def test_words_for_a_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    short = ["dataset=ring8", "trainer.batch_size=8", "metrics.use=[]", "log.samples_every=100"]
    assert main([*short, "trainer.steps=2"]) == 0
    (run,) = (tmp_path / "outputs").glob("*/*")
    capsys.readouterr()
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*")}
    for words, sentence in RESUMED:
        assert main([f"run={run}", *words]) == 2, words
        out, err = capsys.readouterr()
        assert sentence in err
        assert len(err.splitlines()) == 1, err
        assert "Traceback" not in out + err
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*")} == before
    assert main([f"run={run}", "trainer.steps=3e0"]) == 0, "a whole number, however it is written"
