"""What PyTorch's DCGAN example makes of a data set in the same time: the baseline of benchmarks/real_pictures.md.

    python scripts/dcgan_example.py --core-minutes 30 --out dcgan.npy dataset=cifar10
    python scripts/dcgan_example.py --core-minutes 30 --out faces.npy dataset=celeba

The networks and the loop of github.com/pytorch/examples/dcgan, written anew: 64 and 64 channels, 100 normal numbers,
sigmoid and binary cross entropy, Adam at 2e-4 with momentum 0.5, batches of 64, float32, D on real, D on fake, then G.
It has a stage less at 32 pixels, and 28 are padded to 32. Pictures come from gantrain's pack, which costs it less than
its own loading of files. Minutes are of one core: 30 are a quarter of an hour of two.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.commands.assembly import plain
from gantrain.config import build, complete, compose, data_folder, hydra_at
from gantrain.data import DataContext

NOISE, WIDTH, BATCH = 100, 64, 64


def initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def generator(stages: int, channels: int) -> nn.Sequential:
    widths = [WIDTH * 2**k for k in reversed(range(stages))]
    layers: list[nn.Module] = [nn.ConvTranspose2d(NOISE, widths[0], 4, 1, 0, bias=False)]
    for inside, outside in zip(widths, [*widths[1:], channels], strict=True):
        layers += [nn.BatchNorm2d(inside), nn.ReLU(True), nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh()).apply(initialise)


def discriminator(stages: int, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for k in range(1, stages):
        layers += [nn.Conv2d(WIDTH * 2 ** (k - 1), WIDTH * 2**k, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(WIDTH * 2**k), nn.LeakyReLU(0.2, True)]
    last = nn.Conv2d(WIDTH * 2 ** (stages - 1), 1, 4, 1, 0, bias=False)
    return nn.Sequential(*layers, last, nn.Sigmoid()).apply(initialise)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--core-minutes", type=float, default=30.0)
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--n", type=int, default=10000, help="pictures to save")
    ask.add_argument("--out", type=Path, required=True, help=".npy, uint8 (N, C, H, W)")
    ask.add_argument("overrides", nargs="+", help="dataset=…, as gantrain takes them")
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    with hydra_at(None):
        cfg = complete(compose([*asked.overrides, "metrics=none", "trainer.steps=1"], "train"))
    source = build(plain(cfg.dataset), "dataset")
    channels, _, side = source.shape
    whole = 2 ** (side - 1).bit_length()
    stages, border = whole.bit_length() - 3, (whole - side) // 2
    g, d = generator(stages, channels), discriminator(stages, channels)
    adam = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (d, g)]

    def judged(x: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy(d(x).flatten(), torch.full((len(x),), label))

    with closing(source.open(DataContext(data_folder(cfg), torch.device("cpu"), asked.seed))) as batches:
        started, steps = time.process_time(), 0
        while time.process_time() - started < asked.core_minutes * 60:
            real = F.pad(batches.draw(steps * BATCH, BATCH)["real"], [border] * 4, value=-1.0)
            fake = g(torch.randn(BATCH, NOISE, 1, 1))
            d.zero_grad()
            judged(real, 1.0).backward()
            judged(fake.detach(), 0.0).backward()
            adam[0].step()
            g.zero_grad()
            judged(fake, 1.0).backward()
            adam[1].step()
            steps += 1
    g.eval()
    with torch.no_grad():
        made = [g(torch.randn(min(100, asked.n - k), NOISE, 1, 1)) for k in range(0, asked.n, 100)]
    pictures = torch.cat(made)[:, :, border : border + side, border : border + side]
    np.save(asked.out, ((pictures + 1) * 127.5).round().to(torch.uint8).numpy())
    print(f"{steps:,} steps of {BATCH} in {asked.core_minutes:g} core minutes; {asked.out}")


if __name__ == "__main__":
    main()
