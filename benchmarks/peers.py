"""Quality after equal seconds of training, beside peers: `make bench-peers` (an environment of its own, where the peers lie).

Pictures without labels, the same ones for all; about equal parameters; one machine, one model at a time. `diffusion` against
diffusers' UNet2DModel trained as its example for unconditional pictures does (DDPM, AdamW, EMA), `vae` against pythae's VAE,
`dcgan` against the DCGAN of Radford et al. (2015) with that paper's settings. What is compared is KID by our extractor, learned
from the training pictures; of the VAEs also a bound of the likelihood, both with the one noise that explains the validation
pictures best. Prints a line a figure, and a table at the end.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.__main__ import machine
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.evaluation import extractor
from genwright.evaluation.metrics.base import ranked
from genwright.evaluation.metrics.kid import distance
from genwright.models import cost
from genwright.models.architectures.base import architectures
from genwright.models.architectures.vae import Vae
from genwright.models.device import fast_bfloat16, prepare
from genwright.models.records import Candidate, Plan
from genwright.recipes.recipe import parse
from genwright.sampling.sampler import Ask, drawn
from genwright.training import optimizer
from genwright.training.learner import Learner
from trials.frauds import cleaned

PARTS = (1 / 6, 1 / 3, 2 / 3, 1.0)  # of the seconds, at which samples are looked at
SLOTS = 500  # samples drawn together


class Contender(Protocol):
    """A model in training."""

    def step(self, share: float) -> None:
        """One step; `share` of the seconds are over."""
        ...

    def samples(self, n: int) -> Tensor:
        """(n, 1, rows, columns) in [-1, 1]."""
        ...

    def bound(self) -> float | None:
        """A bound of the log-likelihood of test pictures, in nats a value; None where there is none."""
        ...


class Ours:
    """A family as a recipe without further words trains it; its rate falls with the seconds."""

    def __init__(self, family: str, dataset: Dataset, settings: Settings, seed: int, dial: float, **sampling: Any) -> None:
        kind, self.dataset, self.sampling = architectures.get(family), dataset, sampling
        config = kind.sized(dataset.signature, dial).model_dump(mode="json")
        size = int(kind.defaults.get("batch_size", 64))
        price = cost.estimate(family, config, dataset.signature, size)
        candidate = Candidate(family=family, dial=dial, config=config, cost=price, batch_size=size)
        told: dict[str, Any] = {"learning_rate": 1e-3, **kind.defaults, "candidate": candidate, "seed": seed}
        device = prepare(settings)
        if not fast_bfloat16(device):
            told["precision"] = "float32"
        told |= {"steps": 10**6, "warmup": 100, "evaluate_every": 10**6, "measure": ranked(dataset.signature).name}
        self.plan, self.made = Plan.model_validate({**told, "batch_size": size}), 0
        torch.manual_seed(seed)
        self.learner = Learner(self.plan, dataset.signature, device)

    def step(self, share: float) -> None:
        sought = self.learner.model.sought(self.dataset.signature)
        batch = self.dataset.train.batch(self.plan.batch_size, self.plan.seed, self.made, sought)
        falling = min(1.0, (1 - share) / self.plan.decay) if self.plan.decay else 1.0
        rate = self.plan.learning_rate * optimizer.rate(self.plan, self.made) * falling
        self.learner.update(batch, self.made, rate)
        self.made += 1

    def samples(self, n: int, given: Callable[[int], dict[str, Tensor]] = lambda place: {}) -> Tensor:
        model = copy.deepcopy(self.learner.average).eval()
        options = type(model).Options.model_validate(self.sampling)
        with torch.no_grad():
            return drawn(model, [Ask((self.plan.seed, place), options, given(place)) for place in range(n)], min(SLOTS, n))

    def bound(self) -> float | None:
        model = copy.deepcopy(self.learner.average).eval()
        if not isinstance(model, Vae):
            return None
        given = model.read(1, {})

        def both(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            several = type(given)(given.vector.expand(len(x), -1))
            centre, log_variance = model._posterior(x, several)
            latent = centre + torch.randn_like(centre) * (0.5 * log_variance).exp()
            return model._decode(latent, several), centre, log_variance

        return _bound(both, self.dataset, self.learner.device)


class Diffusers:
    """diffusers' U-Net with its own scheduler and average, about as large."""

    def __init__(self, dataset: Dataset, device: torch.device, seed: int, width: int) -> None:
        from diffusers import DDPMScheduler, UNet2DModel
        from diffusers.training_utils import EMAModel

        torch.manual_seed(seed)
        self.dataset, self.device, self.seed, self.made = dataset, device, seed, 0
        self.model = UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(width, 2 * width, 4 * width),
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            norm_num_groups=8,
        ).to(device)
        self.scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
        self.average = EMAModel(self.model.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)

    def step(self, share: float) -> None:
        x = self.dataset.train.batch(64, self.seed, self.made).made.to(self.device)
        noise = torch.randn_like(x)
        times = torch.randint(0, 1000, (len(x),), device=self.device)
        told = self.model(self.scheduler.add_noise(x, noise, times), times).sample
        loss = F.mse_loss(told, noise)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:  # warm-up, then a cosine to nothing, as in its example
            group["lr"] = 1e-4 * min(1.0, (self.made + 1) / 500) * 0.5 * (1 + math.cos(math.pi * share))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.step(self.model.parameters())
        self.made += 1

    @torch.no_grad()
    def samples(self, n: int) -> Tensor:
        from diffusers import DDIMScheduler

        self.average.store(self.model.parameters())
        self.average.copy_to(self.model.parameters())
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(50)
        generator, found = torch.Generator(self.device).manual_seed(self.seed), []
        for start in range(0, n, SLOTS):
            x = torch.randn(min(SLOTS, n - start), 1, 28, 28, generator=generator, device=self.device)
            for time_ in scheduler.timesteps:
                x = scheduler.step(self.model(x, time_).sample, time_, x).prev_sample
            found.append(x.clamp(-1, 1).cpu())
        self.average.restore(self.model.parameters())
        return torch.cat(found)

    def bound(self) -> float | None:
        return None


class Pythae:
    """pythae's VAE with its convolutional networks for pictures of this size, trained as its trainer does by default; `width`
    is how many channels come first, of which it has 128 and nine times our parameters."""

    def __init__(self, dataset: Dataset, device: torch.device, seed: int, latent: int, width: int) -> None:
        from pythae.models import VAE, VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder

        class Encoder(BaseEncoder):
            def __init__(self) -> None:
                super().__init__()
                layers: list[nn.Module] = []
                for inner, outer in pairwise([1, *widths]):
                    layers += [nn.Conv2d(inner, outer, 4, 2, 1), nn.BatchNorm2d(outer), nn.ReLU()]
                self.net = nn.Sequential(*layers, nn.Flatten())
                self.mean, self.log_variance = nn.Linear(widths[-1], latent), nn.Linear(widths[-1], latent)

            def forward(self, x: Tensor) -> Any:
                h = self.net(x)
                return ModelOutput(embedding=self.mean(h), log_covariance=self.log_variance(h))

        class Decoder(BaseDecoder):
            def __init__(self) -> None:
                super().__init__()
                _, second, third, last = widths
                self.expand = nn.Linear(latent, 16 * last)
                self.net = nn.Sequential(
                    *(nn.ConvTranspose2d(last, third, 3, 2, 1), nn.BatchNorm2d(third), nn.ReLU()),
                    *(nn.ConvTranspose2d(third, second, 3, 2, 1, output_padding=1), nn.BatchNorm2d(second), nn.ReLU()),
                    *(nn.ConvTranspose2d(second, 1, 3, 2, 1, output_padding=1), nn.Sigmoid()),
                )

            def forward(self, z: Tensor) -> Any:
                return ModelOutput(reconstruction=self.net(self.expand(z).view(len(z), -1, 4, 4)))

        torch.manual_seed(seed)
        widths = [width * 2**level for level in range(4)]
        self.dataset, self.device, self.seed, self.made, self.latent = dataset, device, seed, 0, latent
        config = VAEConfig(input_dim=(1, 28, 28), latent_dim=latent, reconstruction_loss="mse")
        self.model = VAE(config, encoder=Encoder(), decoder=Decoder()).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def step(self, share: float) -> None:
        x = (self.dataset.train.batch(64, self.seed, self.made).made.to(self.device) + 1) / 2
        self.model.train()
        self.optimizer.zero_grad()
        self.model({"data": x}).loss.backward()
        self.optimizer.step()
        self.made += 1

    @torch.no_grad()
    def samples(self, n: int) -> Tensor:
        self.model.eval()
        latent = torch.randn(n, self.latent, generator=torch.Generator().manual_seed(self.seed)).to(self.device)
        return torch.cat([self.model.decoder(z)["reconstruction"].cpu() * 2 - 1 for z in latent.split(SLOTS)])

    def bound(self) -> float | None:
        self.model.eval()

        def both(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            told = self.model.encoder((x + 1) / 2)
            latent = told.embedding + torch.randn_like(told.embedding) * (0.5 * told.log_covariance).exp()
            return self.model.decoder(latent)["reconstruction"] * 2 - 1, told.embedding, told.log_covariance

        return _bound(both, self.dataset, self.device)


class Radford:
    """The DCGAN of the paper, for 28 pixels: Adam with a rate of 0.0002 and a first beta of 0.5, batch norm, weights of
    deviation 0.02."""

    def __init__(self, dataset: Dataset, device: torch.device, seed: int, width: int) -> None:
        torch.manual_seed(seed)
        self.dataset, self.device, self.seed, self.made = dataset, device, seed, 0

        def up(inner: int, outer: int, size: int, stride: int, padding: int) -> list[nn.Module]:
            deconvolution = nn.ConvTranspose2d(inner, outer, size, stride, padding, bias=False)
            return [deconvolution, nn.BatchNorm2d(outer), nn.ReLU(True)]

        self.generator = nn.Sequential(
            *up(100, 4 * width, 7, 1, 0),
            *up(4 * width, 2 * width, 4, 2, 1),
            nn.ConvTranspose2d(2 * width, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        ).to(device)
        self.critic = nn.Sequential(
            *(nn.Conv2d(1, 2 * width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(4 * width), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(4 * width, 1, 7, 1, 0, bias=False), nn.Flatten()),
        ).to(device)
        for part in [*self.generator.modules(), *self.critic.modules()]:
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(part.weight, 0, 0.02)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight, 1, 0.02)
        players = (self.generator, self.critic)
        self.optimizers = [torch.optim.Adam(one.parameters(), lr=2e-4, betas=(0.5, 0.999)) for one in players]

    def step(self, share: float) -> None:
        x = self.dataset.train.batch(128, self.seed, self.made).made.to(self.device)
        made = self.generator(torch.randn(len(x), 100, 1, 1, device=self.device))
        yes, no = torch.ones(len(x), 1, device=self.device), torch.zeros(len(x), 1, device=self.device)
        right = F.binary_cross_entropy_with_logits(self.critic(x), yes)
        wrong = F.binary_cross_entropy_with_logits(self.critic(made.detach()), no)
        self.optimizers[1].zero_grad()
        (right + wrong).backward()
        self.optimizers[1].step()
        self.optimizers[0].zero_grad()
        F.binary_cross_entropy_with_logits(self.critic(made), yes).backward()
        self.optimizers[0].step()
        self.made += 1

    @torch.no_grad()
    def samples(self, n: int) -> Tensor:
        self.generator.eval()
        noise = torch.randn(n, 100, 1, 1, generator=torch.Generator().manual_seed(self.seed)).to(self.device)
        found = torch.cat([self.generator(z).cpu() for z in noise.split(SLOTS)])
        self.generator.train()
        return found

    def bound(self) -> float | None:
        return None


Parts = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""A reconstruction from a drawn latent, and the mean and log variance of that."""


@torch.no_grad()
def _bound(both: Parts, dataset: Dataset, device: torch.device) -> float:
    """The evidence lower bound of test pictures with Gaussian noise whose variance is the mean squared error of validation
    pictures (sigma-VAE: Rybkin et al. 2021), in nats a value."""
    errors = []
    for side in (dataset.validation, dataset.test):
        x = side.contents(side.subset(2000)).to(device)
        made, centre, log_variance = both(x)
        errors.append(float(F.mse_loss(made, x)))
    size = x[0].numel()
    divergence = float(0.5 * (centre.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(dim=1).mean())
    variance = errors[0]
    return -0.5 * math.log(2 * math.pi * variance) - 0.5 * errors[1] / variance - divergence / size


def data(folder: Path, images: Path) -> Dataset:
    """The pictures of IDX files in `images`, without labels."""
    recipe = parse(
        {
            "name": "peers",
            "content": {"kind": "image", "size": [28, 28], "channels": 1},
            "sources": [{"kind": "idx", "path": str(images.resolve()), "labels": None}],
            "cleaning": ["corrupt"],
            "split": {"validation": 0.03, "test": 0.08},
        }
    )
    return cleaned(recipe, Workspace(folder))


def contenders(dataset: Dataset, settings: Settings) -> dict[str, Callable[[int], Any]]:
    device = prepare(settings)
    return {
        "diffusion": lambda seed: Ours("diffusion", dataset, settings, seed, 0.25, steps=20, sampler="dpm"),
        "diffusers UNet2D": lambda seed: Diffusers(dataset, device, seed, 16),
        "vae": lambda seed: Ours("vae", dataset, settings, seed, 1.0),
        "pythae VAE": lambda seed: Pythae(dataset, device, seed, 56, 40),
        "dcgan": lambda seed: Ours("dcgan", dataset, settings, seed, 1.0),
        "DCGAN as in the paper": lambda seed: Radford(dataset, device, seed, 16),
        "DCGAN as in the paper, twice as wide": lambda seed: Radford(dataset, device, seed, 32),
    }


def trained(contender: Contender, seconds: float, device: torch.device, looks: Sequence[float] = PARTS) -> Iterator[float]:
    """Train for so many seconds; stops at each of these parts of them, and what is done there does not count."""
    spent, parts = 0.0, list(looks)
    while parts:
        began = time.perf_counter()
        for _ in range(10):
            contender.step(min(1.0, spent / seconds))
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent += time.perf_counter() - began
        if spent >= parts[0] * seconds:
            yield parts.pop(0)


def parameters(contender: Any) -> int:
    """What generates and what helps it learn."""
    modules = (
        [contender.learner.model]
        if isinstance(contender, Ours)
        else [part for part in vars(contender).values() if isinstance(part, nn.Module)]
    )
    return sum(p.numel() for module in modules for p in module.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("images", type=Path, help="folder of IDX files, e.g. of Fashion-MNIST")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--only", nargs="*", help="names of contenders")
    parser.add_argument("--solvers", action="store_true", help="also DPM-Solver++ at 20 steps beside DDPM at 1,000")
    parser.add_argument("--workspace", type=Path, default=Path("peers"))
    parser.add_argument("--out", type=Path, help="a JSON file of all figures")
    asked = parser.parse_args()
    settings = Settings(workspace=asked.workspace)
    device, dataset = prepare(settings), data(asked.workspace, asked.images)
    looked = extractor.learn(dataset.train)
    side = dataset.test
    real = looked(side.contents(side.subset(asked.samples)))
    print(f"{machine()}; {device}; {asked.seconds:.0f} s each, {asked.seeds} seeds, {asked.samples} samples", flush=True)
    figures: list[dict[str, Any]] = []

    def note(**told: Any) -> None:
        figures.append(told)
        print(json.dumps(told), flush=True)
        if asked.out is not None:
            asked.out.write_text(json.dumps(figures))

    def kid(samples: Tensor) -> float:
        return distance(looked(samples), real)

    floor = kid(dataset.validation.contents(dataset.validation.subset(asked.samples)))
    note(name="other real pictures", kid=floor)
    for name, begin in contenders(dataset, settings).items():
        if asked.only and name not in asked.only:
            continue
        for seed in range(asked.seeds):
            contender = begin(seed)
            looks = PARTS if isinstance(contender, Ours) else PARTS[-1:]  # of a peer, what it comes to is what counts
            for part in trained(contender, asked.seconds, device, looks):
                value = kid(contender.samples(asked.samples if part == 1 else min(1000, asked.samples)))
                told = {"parameters": parameters(contender), "steps": contender.made, "bound": contender.bound()}
                note(name=name, seed=seed, part=part, kid=value, **told)
            if asked.solvers and name == "diffusion" and not seed:
                for sampler, steps in (("ddim", 20), ("dpm", 20), ("heun", 20), ("ddpm", 1000)):
                    contender.sampling = {"steps": steps, "sampler": sampler}
                    note(name=f"{name} by {sampler}", seed=seed, steps=steps, kid=kid(contender.samples(asked.samples)))
    _table(figures)


def _table(figures: list[dict[str, Any]]) -> None:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in figures:
        if one.get("part", 1) == 1:
            rows[one["name"]].append(one)
    print(f"\n| {'model':<24} | KID x 1,000 | of each seed | nats a value |\n|---|---|---|---|")
    for name, several in rows.items():
        each = ", ".join(f"{one['kid']:.1f}" for one in several)
        bounds = [one["bound"] for one in several if one.get("bound") is not None]
        told = f"{mean(bounds):.3f}" if bounds else ""
        print(f"| {name:<24} | {mean(one['kid'] for one in several):.1f} | {each} | {told} |")


if __name__ == "__main__":
    main()
