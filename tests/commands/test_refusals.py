"""Bad input: one sentence that says what to change, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gantrain.cli import main

CASES = [
    (["model=dcgn"], "did you mean dcgan"),
    (["modle=dcgan"], "did you mean model"),
    (["trian"], "did you mean train"),
    (["trainer.stps=3"], "did you mean trainer.steps"),
    (["trainer.steps=abc"], "trainer.steps: Value 'abc'"),
    (["trainer.steps=0"], "must be positive"),
    (["trainer.precision=fp16"], "auto, fp32, bf16"),
    (["trainer.execution=grph"], "expected one of"),
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
    (["run={tmp}/none"], "no such folder"),
    (["run={tmp}"], "no checkpoint"),
    (["init_from={tmp}/none"], "no run"),
    (["--config-dir", "{tmp}/none"], "no folder"),
    (["--foo"], "--foo"),
    (["model._target_=os.system"], "--trust=os"),
    (["model._target_=gantrain.cli.os.system"], "gantrain.cli"),
    (["model._target_=gantrain.config.hydra_compose"], "no class that a config may build"),
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
]


@pytest.mark.parametrize(("words", "sentence"), CASES, ids=[" ".join(case[0]) for case in CASES])
def test_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main([word.replace("{tmp}", str(tmp_path)) for word in words])
    out, err = capsys.readouterr()
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in out + err
    assert not (tmp_path / "outputs").exists()
