"""trains-at-once-generates-one-by-one: is a Transformer trained at once and generates word by word?

Counted, without weights, are the products that must wait for one another: where the target is known (teacher
forcing), and where each word is the best one behind those generated so far. Next to the Transformer stands
sequence to sequence of recurrent nets, which takes one step after the other either way. The source has the
same length throughout.

Both ways of running must be one function: an untrained net generates a text in double precision, word by
word with its cache; its logits are compared with those of the same text by teacher forcing.

Source: Vaswani et al., 1706.03762, section 3.1 (the decoder is auto-regressive) and table 1.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import VOCABULARY
from anncestry.inspection.costs import costs
from anncestry.layers.seq2seq.encoder_decoder import DecoderNetwork, shifted
from anncestry.models.create import create

NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "Transformer": ("transformer", {"hidden_size": 32, "num_layers": 2, "num_heads": 4}),
    "sequence to sequence": ("seq2seq", {"hidden_size": 32, "embed_dim": 32, "num_layers": 2}),
}
SOURCE = 8  # words
ROUNDING, VISIBLE = 1e-9, 1e-5


class Generator(nn.Module):
    """Runs a net as it generates: each step reads the best word of the last one, whatever the targets are."""

    def __init__(self, model: DecoderNetwork) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> Any:
        return self.model.encode(source, lengths)

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.model.step(x_t, state)

    def alignment(self, state: Any) -> Tensor | None:
        return self.model.alignment(state)

    def forward(self, source: Tensor, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.model.teacher_force_by_step(shifted(targets), self.encode(source, lengths), own=1.0)


def difference(model: DecoderNetwork, length: int, seed: int) -> float:
    """The largest difference between the logits of generation, and of the same text by teacher forcing."""
    random = torch.Generator().manual_seed(seed)
    source = torch.randint(4, VOCABULARY, (4, SOURCE), generator=random)
    with torch.no_grad():
        generated = Generator(model)(source, torch.zeros(4, length, dtype=torch.int64))
        forced = model(source, generated.argmax(2))
    return ((generated - forced).abs().max() / generated.abs().max()).item()


def measure(seed: int, lengths: Sequence[int] = (4, 8, 16, 32, 64)) -> Rows:
    rows: Rows = []
    for net, (name, sizes) in NETS.items():
        for length in lengths:
            torch.manual_seed(seed)
            vocabularies = {"input_size": VOCABULARY, "output_size": VOCABULARY}
            model: Any = create(name, **vocabularies, seq_len=SOURCE, target_len=length, **sizes)
            counts = {"forced": costs(model), "generated": costs(Generator(model))}
            steps = {way: found.sequential_steps for way, found in counts.items()}
            apart = difference(model.double().eval(), length, seed)
            rows.append({"net": net, "length": length, **steps, "apart": apart})
    return rows


def growth(rows: Rows, net: str, way: str) -> float:
    """The products that each further word adds, between the two longest targets."""
    before, last = sorted((row["length"], row[way]) for row in rows if row["net"] == net)[-2:]
    return (last[1] - before[1]) / (last[0] - before[0])


def judge(rows: Rows) -> Judgement:
    longest = max(row["length"] for row in rows)
    phrases = []
    for net in NETS:
        row = next(row for row in rows if (row["net"], row["length"]) == (net, longest))
        phrases.append(
            f"{net}: {row['forced']} in training ({growth(rows, net, 'forced'):g} more for each word), "
            f"{row['generated']} in generation ({growth(rows, net, 'generated'):g} more)"
        )
    apart = max(row["apart"] for row in rows)
    because = (
        f"products that wait for one another, for a target of {longest} words: {'; '.join(phrases)}; the "
        f"logits of both ways differ by at most {apart:.1e} of the largest"
    )
    mine = [row for row in rows if row["net"] == "Transformer"]
    constant = len({row["forced"] for row in mine}) == 1
    by_word = [(row["length"], row["generated"]) for row in mine]
    slopes = {round((b - a) / (n - m), 9) for (m, a), (n, b) in pairwise(by_word)}
    if not constant or max(slopes) <= 0 or apart > VISIBLE:
        return Judgement(Verdict.FAILS, because)
    clear = len(slopes) == 1 and apart <= ROUNDING
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net, colour in zip(NETS, ("C0", "C1"), strict=True):
        mine = [row for row in rows if row["net"] == net]
        for way, style in (("forced", "o-"), ("generated", "s:")):
            points = [(row["length"], row[way]) for row in mine]
            axes.plot(*zip(*points, strict=True), style, color=colour, label=f"{net}, {way}")
    axes.set(xlabel="words of the target", ylabel="products that wait for one another")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.legend()
