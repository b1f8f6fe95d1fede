"""Texts with masked tokens: ``Paris is the [MASK] of France.``"""

from dataclasses import dataclass
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.given import Given, ReadsTexts, Text, label_of
from anncestry.data.processors.packed import PackedProcessor, as_pair
from anncestry.errors import UserError
from anncestry.protocols import IGNORED

MASK = "[MASK]"
"""How a mask may be written, whatever the tokenizer calls it."""
BEST = 5  # predictions that are shown for each mask


@dataclass(frozen=True)
class MaskedTokensProcessor(PackedProcessor):
    """Texts, or pairs of texts, with masked tokens, and what a model predicts for each mask.

    A mask stands for one token: a word, or a piece of one.
    """

    kind = "packed-masked"

    def is_blank(self, text: Text) -> bool:
        """Whether a line is blank, so that it has no mask."""
        return ReadsTexts.is_blank(self, text)

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T"]]:
        """Texts, or pairs of them, also with a tab between the two (`given_texts`).

        Raises:
            UserError: a text has no mask, or this tokenizer has no mask token.
        """
        mask = self._mask
        lines = list(map(label_of, self.texts(source)))
        texts = [line.replace(MASK, self.tokenizer.tokens[mask]) for line in lines]
        inputs, _ = self.encode([as_pair(text) for text in texts], special=True)
        for line, is_mask in zip(lines, (inputs == mask).any(1).tolist(), strict=True):
            if not is_mask:
                hint = f"As in: Paris is the {MASK} of France."
                raise UserError("text", line, f"must have a {MASK} for each token to be predicted", hint=hint)
        return lines, inputs

    def mask_targets(self, inputs: Int[Tensor, "N T"]) -> Int[Tensor, "N T"]:
        """Targets that ask for a prediction at each mask; `IGNORED` everywhere else."""
        return torch.where(inputs == self._mask, 0, IGNORED)

    def decode(self, outputs: Float[Tensor, "M V"]) -> list[dict[str, Any]]:
        """``{"words": [[word, probability], ...]}`` of the five likeliest, for each mask."""
        chances = outputs.detach().float().cpu().softmax(-1)[..., : len(self.tokenizer)]
        chances, tokens = chances.topk(min(BEST, chances.shape[-1]))  # no token has a row beyond
        return [
            {"words": [[self._shown(token), chance] for token, chance in zip(positions, row, strict=True)]}
            for positions, row in zip(tokens.tolist(), chances.tolist(), strict=True)
        ]

    def fill_in(self, inputs: Int[Tensor, "N T"], outputs: Float[Tensor, "M V"]) -> list[dict[str, Any]]:
        """``{"filled": the text with the likeliest words, "masks": the words of `decode` for each}``.

        Args:
            outputs: logits of words for every mask, in reading order.
        """
        inputs = inputs.cpu()
        is_mask = inputs == self._mask
        filled = inputs.masked_scatter(is_mask, outputs[..., : len(self.tokenizer)].argmax(-1).cpu())
        words, first, rows = [row["words"] for row in self.decode(outputs)], 0, []
        for tokens, length, count in zip(
            filled, self.lengths_of(inputs), is_mask.sum(1).tolist(), strict=True
        ):
            text = self.tokenizer.decode(tokens[:length].tolist())
            rows.append({"filled": text, "masks": words[first : first + count]})
            first += count
        return rows

    def _shown(self, token: int) -> str:
        """A token as a person reads it; of WordPiece with the marks of a piece that goes on."""
        piece = self.tokenizer.tokens[token]
        if self.tokenizer.kind == "wordpiece":
            return piece
        return self.tokenizer.decode([token]).strip() or piece

    @property
    def _mask(self) -> int:
        mask = self.tokenizer.special.mask
        if mask is None:
            raise UserError("tokenizer", self.tokenizer.kind, "has no mask token")
        return mask
