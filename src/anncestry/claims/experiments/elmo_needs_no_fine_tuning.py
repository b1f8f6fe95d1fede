"""elmo-needs-no-fine-tuning: is a frozen biLM as good below a tagger as one that is fine-tuned?

A small ELMo reads sentences of a made-up language without tags, in which each word can have two tags and the
neighbours decide which; spellings are random letters and say nothing. Then a tagger, which is no more than a
linear map of the mixture of all layers, learns from ten sentences with their tags. Four are compared that
differ in what is below: the biLM as it was pre-trained, frozen, or fine-tuned with the tagger; one that was
never trained, frozen, or trained with the tagger. A tagger of a word alone would be right for half of them.

Source: Peters et al., 1802.05365, sections 3.2 to 3.4.
"""

from collections.abc import Iterator
from statistics import median
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_language import NUM_TAGS, NUM_WORDS, Language, cross_entropy, training
from anncestry.data.splits.character_encoding import TEXT_BEGINS, TEXT_ENDS, CharacterEncoder
from anncestry.models.create import create
from anncestry.protocols import IGNORED

NETS = ("pre-trained, frozen", "pre-trained, fine-tuned", "untrained, frozen", "untrained, then trained")
NUM_CHARS, LETTERS = 6, 4
LENGTH, BATCH, LEARNING_RATE = 12, 32, 3e-3
END, BEGIN = NUM_WORDS, NUM_WORDS + 1  # among the words that are asked for
AHEAD, NEAR, FAR = 0.05, 0.02, 0.05  # of the tags


def spelling(random: torch.Generator) -> Int[Tensor, "words characters"]:
    """How marks and words are spelled: four random letters each."""
    encoder, known = CharacterEncoder(NUM_CHARS), set()
    while len(known) < NUM_WORDS:
        letters = torch.randint(ord("a"), ord("z") + 1, (LETTERS,), generator=random).tolist()
        known.add("".join(map(chr, letters)))
    encoder.indices(sorted(known))
    return encoder.characters().long()


def build(task: str, width: int, seed: int, **parts: Any) -> Any:
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "proj_size": width,
        "hidden_size": 2 * width,
        "num_layers": 2,
        "num_chars": NUM_CHARS,
    }
    filters: dict[str, Any] = {"filter_widths": (1, 2, 3), "filter_counts": (16, 16, 32), "num_highways": 1}
    num = NUM_WORDS + 2 if task == "bidirectional-lm" else NUM_TAGS
    still: dict[str, Any] = {"dropout": 0.0, "mix_dropout": 0.0, "task_hidden": 0}
    return create("elmo", task=task, output_size=num, seq_len=LENGTH, **sizes, **filters, **still, **parts)


def between_marks(words: Int[Tensor, "B T"]) -> tuple[Int[Tensor, "B T2"], Int[Tensor, "B T2 2"]]:
    """``(rows, targets)``: rows of the spelling, and the words behind each and before it."""

    def framed(inside: Tensor, *ends: int) -> Tensor:
        first, last = (torch.full((len(words), 1), end) for end in ends)
        return torch.cat([first, inside, last], dim=1)

    rows = framed(words + TEXT_ENDS + 1, TEXT_BEGINS, TEXT_ENDS)
    neighbours = framed(framed(words, BEGIN, END), IGNORED, IGNORED)
    return rows, torch.stack([neighbours[:, 2:], neighbours[:, :-2]], dim=2)


def pre_trained(
    language: Language, spelled: Tensor, width: int, num_steps: int, seed: int
) -> tuple[Any, float]:
    """``(biLM, loss)``: the loss is the mean of the last 20 steps, in nats a word and direction."""
    model, random = build("bidirectional-lm", width, seed), torch.Generator().manual_seed(1000 + seed)
    found: list[float] = []

    def losses() -> Iterator[Tensor]:
        while True:
            rows, targets = between_marks(language.sentences(BATCH, LENGTH, random)[0])
            loss = cross_entropy(model(spelled[rows])[0], targets)
            found.append(loss.item())
            yield loss

    for _ in training(model, losses(), num_steps, LEARNING_RATE):
        pass
    last = found[-20:]
    return model.bilm, sum(last) / len(last)


def tag(model: Any, spelled: Tensor, words: Int[Tensor, "N T"]) -> Float[Tensor, "N T K"]:
    return model(spelled[words + TEXT_ENDS + 1])[0]


def measure(
    seed: int,
    num_seeds: int = 2,
    num_steps: int = 400,
    tagger_steps: int = 300,
    width: int = 32,
    shown: int = 10,
    count: int = 200,
) -> Rows:
    rows: Rows = []
    for run in range(seed, seed + num_seeds):
        language, random = Language.of(run), torch.Generator().manual_seed(2000 + run)
        spelled = spelling(random)
        (words, tags), (unseen, wanted) = (
            language.sentences(size, LENGTH, random) for size in (shown, count)
        )
        best = {
            kind: (language.best_guess(unseen, kind == "word") == wanted).double().mean().item()
            for kind in ("word", "sentence")
        }
        bilm, loss = pre_trained(language, spelled, width, num_steps, run)
        for net in NETS:
            model = build("tagging", width, 100 + run, freeze=net.endswith("frozen"))
            if net.startswith("pre-trained"):
                model.bilm.load_state_dict(bilm.state_dict())
            losses = (cross_entropy(tag(model, spelled, words), tags) for _ in range(tagger_steps))
            curve = []
            for step in training(model, losses, tagger_steps, LEARNING_RATE):
                if step % max(1, tagger_steps // 10) == 0:
                    with torch.no_grad():
                        right = tag(model, spelled, unseen).argmax(2) == wanted
                    curve.append([step, right.double().mean().item()])
            row: dict[str, Any] = {"net": net, "seed": run, "shown": shown, "steps": num_steps}
            rows.append({**row, "loss": loss, "best": best, "curve": curve})
    return rows


def judge(rows: Rows) -> Judgement:
    right = {net: [row["curve"][-1][1] for row in rows if row["net"] == net] for net in NETS}
    frozen, tuned, untrained, scratch = (right[net] for net in NETS)
    best = {kind: median(row["best"][kind] for row in rows) for kind in ("word", "sentence")}
    losses = ", ".join(f"{row['loss']:.2f}" for row in rows if row["net"] == NETS[0])
    phrases = [f"{net} {', '.join(f'{value:.3f}' for value in right[net])}" for net in NETS]
    because = (
        f"tags of unseen sentences that are right with {rows[0]['shown']} labelled ones, seed by seed: "
        f"{'; '.join(phrases)} (from the word alone {best['word']:.3f} at best, from the sentence "
        f"{best['sentence']:.3f}); {rows[0]['steps']} steps of pre-training led to {losses} nats a word"
    )
    without = [max(pair) for pair in zip(untrained, scratch, strict=True)]
    cost = median(tuned) - median(frozen)
    if median(frozen) <= median(without) or cost > FAR:
        return Judgement(Verdict.FAILS, because)
    ahead = all(mine >= other + AHEAD for mine, other in zip(frozen, without, strict=True))
    return Judgement(Verdict.HOLDS if ahead and cost <= NEAR else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for number, net in enumerate(NETS):
        for index, row in enumerate(row for row in rows if row["net"] == net):
            style = "-" if net.endswith("frozen") else ":"
            label = net if index == 0 else None
            axes.plot(*zip(*row["curve"], strict=True), style, color=f"C{number // 2}", label=label)
    best = median(row["best"]["sentence"] for row in rows)
    axes.axhline(best, color="0.6", linestyle="--", label="at best")
    axes.set(xlabel="steps of the tagger", ylabel="tags of unseen sentences that are right")
    axes.legend(title="a curve for each seed")
