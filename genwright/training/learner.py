"""A model in training: weights, their average and optimisers on a device, and the update that moves them.

Nothing here waits for a GPU. Whether an update failed is known on the device, where it is left out and counted; who trains
reads the losses and the counts whenever it likes (`read`).
"""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from genwright.core.batch import Batch
from genwright.core.shapes import Signature
from genwright.models.architectures.base import Architecture, build_model
from genwright.models.device import out_of_memory
from genwright.models.layers import convolution
from genwright.models.records import Plan
from genwright.training import compiling, optimizer

BAD_IN_A_ROW = 10  # updates that failed in a row after which the rest is left out


class Learner:
    """A model as a plan has it at its first step, or begun from the weights in `start`. `accumulate` is the number of
    micro-batches a step, doubled where memory runs out; `notes` says when that was."""

    def __init__(self, plan: Plan, signature: Signature, device: torch.device, start: dict[str, Tensor] | None = None) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.device = plan, device
        self.model: Architecture = build_model(plan.candidate.family, plan.candidate.config, signature).to(device)
        if start is not None:
            self.model.load_state_dict(start)
        self.average = deepcopy(self.model)
        self.players: dict[str, nn.Module] = {name: self.model.player(name) for name in self.model.players}
        self.optimizers = {name: optimizer.build(module, plan) for name, module in self.players.items()}
        self.accumulate = plan.accumulate
        self.notes: list[str] = []
        self._averaged = torch.zeros((), dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        self._counts = torch.zeros(3, dtype=torch.int64, device=device)  # failed in a row, failed ever, made since `read`
        self.compiled = plan.compiled and compiling.compile_blocks(self.model)
        if device.type == "cpu" and torch.get_num_threads() > 1:  # who has nobody to wait for need not be considerate
            convolution.considerate(self.model)

    def update(self, batch: Batch, step: int, rate: float) -> Tensor:
        """One update of every player at a learning rate; the losses (players,), on the device. Nothing changes where a loss
        or gradient is not finite, nor after BAD_IN_A_ROW of those in a row. Raises RuntimeError where memory does not even
        do for single items."""
        batch = batch.to(self.device)
        over = self._counts[0] >= BAD_IN_A_ROW
        failed, losses = over, list[Tensor]()
        before = [buffer.clone() for buffer in self.model.buffers()]  # running statistics move as soon as a loss is taken
        self.model.train()
        for place, (name, module) in enumerate(self.players.items()):
            seed = ((self.plan.seed * 1_000_003 + step) * 31 + place) % 2**63
            loss = self._gradients(batch, name, seed)
            norm = nn.utils.clip_grad_norm_(module.parameters(), self.plan.clip)
            failed = failed | ~torch.isfinite(norm) | ~torch.isfinite(loss)
            for member in self.optimizers[name]:
                optimizer.step(member, rate, failed)
            losses.append(loss)
        with torch.no_grad():
            for buffer, old in zip(self.model.buffers(), before, strict=True):
                buffer.copy_(torch.where(failed, old, buffer))
        self._count(failed, over)
        self._include(~failed)
        return torch.stack(losses)

    def _gradients(self, batch: Batch, player: str, seed: int) -> Tensor:
        """Gradients of one player's loss, and that loss; tried again in halves where memory runs out."""
        while True:
            try:
                return self._accumulated(batch, player, seed)
            except Exception as error:
                if isinstance(error, RuntimeError) and out_of_memory(error):
                    if self.accumulate * 2 > self.plan.batch_size:
                        raise
                    self.accumulate *= 2
                    self.notes.append(f"memory ran out: {self.accumulate} micro-batches a step from here on")
                elif not self.compiled:
                    raise
                else:  # a compiler has a hundred ways to fail, and none of them matters
                    self.compiled = compiling.undo(self.model)
                    self.notes.append(f"compiled code failed ({type(error).__name__}); it goes on without")

    def _accumulated(self, batch: Batch, player: str, seed: int) -> Tensor:
        torch.manual_seed(seed)
        self.model.zero_grad(set_to_none=True)
        if len(self.players) > 1:  # only the player whose turn it is gathers gradients
            for name, module in self.players.items():
                module.requires_grad_(name == player)
        total = torch.zeros((), device=self.device)
        for piece in batch.split(self.accumulate):
            with self.autocast():
                loss = self.model.loss(piece, player) * (len(piece) / self.plan.batch_size)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def autocast(self) -> Any:
        """The plan's precision, for a block."""
        if self.plan.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _count(self, failed: Tensor, over: Tensor) -> None:
        row, ever, made = self._counts
        live = (~over).long()
        bad = failed.long() * live
        self._counts = torch.stack([torch.where(over, row, (row + bad) * bad), ever + bad, made + live])

    @torch.no_grad()
    def _include(self, good: Tensor) -> None:
        """The exponential moving average takes the weights in; its decay starts low, so that the average of a short run is
        not its first weights."""
        count = self._averaged
        decay = torch.clamp((1 + count) / (10 + count), max=self.plan.average)
        weight = (torch.where(count == 0, 1.0, 1 - decay) * good).float()
        averages: list[Tensor] = [*self.average.parameters()]
        torch._foreach_lerp_(averages, [*self.model.parameters()], [weight] * len(averages))
        for old, new in zip(self.average.buffers(), self.model.buffers(), strict=True):
            old.copy_(torch.where(good, new, old))
        self._averaged = count + good

    def read(self) -> tuple[int, int, int]:
        """How many updates in a row have failed, how many ever, and how many were made since this was read last, those that
        failed among them. The one place that waits for the device."""
        row, ever, made = self._counts.tolist()
        self._counts[2] = 0
        return row, ever, made

    def restart(self, skipped: int) -> None:
        """Count anew: nothing has failed in a row, and `skipped` updates ever."""
        self._counts = torch.tensor([0, skipped, 0], device=self.device)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that another learner of the same plan needs to be this one, as the tensors themselves."""
        named = {
            "model/": self.model.state_dict(),
            "average/": self.average.state_dict(),
            "optimizer/": optimizer.pack(self.optimizers),
            "count/": {"averaged": self._averaged, "updates": self._counts},
        }
        return {prefix + name: tensor for prefix, group in named.items() for name, tensor in group.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Become the learner whose `tensors` these are."""
        self.model.load_state_dict(under("model/", tensors))
        self.average.load_state_dict(under("average/", tensors))
        optimizer.unpack(self.optimizers, under("optimizer/", tensors))
        counts = under("count/", tensors)
        self._averaged, self._counts = counts["averaged"].to(self.device), counts["updates"].to(self.device)


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
