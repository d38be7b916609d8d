"""Sequences written token by token: drawn, taken greedily, or found by beam search."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.shapes import BOS, EOS, PAD
from genwright.models.architectures.base import Architecture, Decodes, TokenOptions
from genwright.sampling.base import Ask, Sampler, Tick
from genwright.sampling.beam import Beams
from genwright.sampling.choose import choose


@dataclass
class _Row:
    """`at` is how many tokens it has, `end` how many at most, `told` how many were told of."""

    slots: list[int]
    at: int
    end: int
    told: int


class TokenSampler(Sampler):
    """Rows int64 (length,): the prompt and what follows it, ended by EOS and padded. A beam search of k hypotheses takes k
    slots, and tells of its tokens only when it is done."""

    Options = TokenOptions

    def __init__(self, model: Architecture, slots: int) -> None:
        super().__init__(model, slots)
        assert isinstance(model, Decodes)
        self._decodes: Decodes = model
        self._vocab, self._length = model.makes.vocab, model.makes.length
        self._cache = model.cache(slots)
        self._beams = Beams(slots, self._length, self.device)
        self._rows: dict[int, _Row] = {}
        self._written = torch.full((slots, self._length), PAD)
        self._newest = torch.full((slots,), BOS)  # written, but not yet read by the model
        self._uniform = torch.zeros(slots, self._length)  # one a place, so that a row needs no others
        self._temperature, self._top_p = torch.zeros(slots), torch.ones(slots)
        self._top_k = torch.zeros(slots, dtype=torch.int64)

    def need(self, ask: Ask) -> int:
        return ask.options.beams if isinstance(ask.options, TokenOptions) else 1

    def _check(self, ask: Ask) -> None:
        super()._check(ask)
        if self.need(ask) > self.slots:
            raise ModelError(
                "A beam search needs a slot for each of its hypotheses.",
                got=f"beams={self.need(ask)}",
                allowed=f"up to {self.slots} here",
                do="ask for fewer beams, or open the sampler with more slots",
            )
        if ask.keep is not None:
            raise ModelError(
                f"{self.model.name} writes from the beginning to the end, so it cannot keep places in between.",
                do="give what is to stay as a prompt",
            )
        if ask.start is not None:
            self._check_prompt(ask.start)

    def _check_prompt(self, prompt: Tensor) -> None:
        if prompt.ndim != 1 or prompt.is_floating_point():
            raise ModelError("A prompt is a row of tokens.", got=f"{prompt.dtype} {tuple(prompt.shape)}")
        if len(prompt) >= self._length:
            allowed = f"up to {self._length - 1} tokens"
            raise ModelError("The prompt is too long for this model.", got=f"{len(prompt)} tokens", allowed=allowed)
        if bool(((prompt <= EOS) | (prompt >= self._vocab)).any()):
            raise ModelError(
                "The prompt holds tokens that cannot be written.",
                got=prompt.tolist(),
                allowed=f"{EOS + 1} to {self._vocab - 1}",
            )

    def _begin(self, slots: list[int], ask: Ask) -> None:
        options = ask.options
        assert isinstance(options, TokenOptions)
        prompt = torch.zeros(0, dtype=torch.int64) if ask.start is None else ask.start.cpu().long()
        tokens = torch.cat([torch.tensor([BOS]), prompt])
        first, at = slots[0], torch.tensor(slots)
        alone = self._cache[first]
        self._decodes.begin(self._read(ask.given), alone)
        if len(prompt):  # all but the newest, which is read at the next step with those of the other rows
            self._decodes.logits(tokens[None, :-1].to(self.device), alone)
        self._written[at] = PAD
        self._written[at, : len(prompt)] = prompt
        self._newest[at] = tokens[-1]
        if options.beams > 1:
            self._cache.share(first, slots[1:])
            self._beams.begin(slots, options.penalty)
        elif options.temperature > 0:
            self._uniform[first] = Draws([ask.key]).uniform(self._length)[0]
            self._temperature[first], self._top_k[first], self._top_p[first] = options.temperature, options.top_k, options.top_p
        end = min(self._length, len(prompt) + options.most) if options.most else self._length
        self._rows[first] = _Row(slots, len(prompt), end, len(prompt))

    def _advance(self, running: list[int]) -> list[Tick]:
        logits = self._decodes.logits(self._newest[:, None].to(self.device), self._cache).float()
        logits[:, PAD], logits[:, BOS] = -torch.inf, -torch.inf
        rows = [self._rows[slot] for slot in running]
        broken = ~torch.isfinite(logits.amax(dim=1)).cpu()  # what is drawn of such logits looks like any other token
        self._broken |= {row.slots[0] for row in rows if bool(broken[row.slots].any())}
        logits[broken.to(logits.device)] = 0.0  # these rows are refused when they are taken; the others go on
        done: set[int] = set()
        for beams, group in groupby(sorted(rows, key=_beams), key=_beams):
            done |= (self._search if beams > 1 else self._draw)(logits, list(group))
        for row in rows:
            row.at += 1
        return [self._tick(row, row.slots[0] in done or row.at == row.end) for row in rows]

    def _draw(self, logits: Tensor, rows: list[_Row]) -> set[int]:
        """The next token of each of these rows; returns the slots of those that end with it."""
        slots = torch.tensor([row.slots[0] for row in rows])
        at = torch.tensor([row.at for row in rows])
        uniform = torch.zeros(self.slots)
        uniform[slots] = self._uniform[slots, at]
        chosen = choose(logits, uniform, self._temperature, self._top_k, self._top_p).cpu()[slots]
        self._written[slots, at], self._newest[slots] = chosen, chosen
        return set(slots[chosen == EOS].tolist())

    def _search(self, logits: Tensor, rows: list[_Row]) -> set[int]:
        """The next tokens of these rows, all of as many hypotheses; returns the slots of rows that end with them."""
        slots = torch.tensor([row.slots for row in rows])
        here = slots.to(self.device)
        origin, token = self._beams.step(logits, here)
        flat, source = slots.flatten(), origin.cpu().flatten()
        at = torch.tensor([row.at for row in rows]).repeat_interleave(slots.shape[1])
        self._written[flat] = self._written[source]
        self._written[flat, at] = self._newest[flat] = token.cpu().flatten()
        moved = flat != source
        if moved.any():
            self._cache.reorder(flat[moved].tolist(), source[moved].tolist())
        return {row.slots[0] for row, ended in zip(rows, self._beams.ended(here), strict=True) if ended}

    def _tick(self, row: _Row, done: bool) -> Tick:
        slot = row.slots[0]
        if len(row.slots) > 1:
            best = self._result(slot) if done else None
            return Tick(slot, done, None if best is None else best[row.told : row.at][best[row.told : row.at] != PAD])
        piece = self._written[slot, row.told : row.at].clone()
        row.told = row.at
        return Tick(slot, done, piece)

    def _result(self, slot: int) -> Tensor:
        slots = self._rows[slot].slots
        return self._written[self._beams.best(slots) if len(slots) > 1 else slot].clone()

    def _leave(self, slots: list[int]) -> None:
        del self._rows[slots[0]]
        self._cache.end(slots)
        # Nobody pays for how a row was drawn that is gone.
        self._temperature[slots[0]], self._top_k[slots[0]], self._top_p[slots[0]] = 0.0, 0, 1.0


def _beams(row: _Row) -> int:
    return len(row.slots)
