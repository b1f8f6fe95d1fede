"""forget-gate: does an LSTM need its forget gate on a stream that nobody cuts into pieces?

Strings of the embedded Reber grammar follow each other without a mark where a state could be reset. The
second symbol of a string (T or P) decides its last but one, with a whole string of the inner grammar in
between; what a net predicts there is counted, among T and P alone (guessing is right half of the time). Two
nets that differ in the forget gate alone learn from the stream with their state carried on and never reset,
and, as a control, from the same strings one at a time, each from a state of zeros.

Source: Gers, Schmidhuber & Cummins, "Learning to forget: continual prediction with LSTM", Neural
Computation 12 (2000), section 4 (there one online stream and up to 30,000 strings).
"""

import random as python_random
from statistics import median

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.layers.recurrent.cell_variants import NFGCell
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.protocols import State, detach_state

SYMBOLS = "BTPSXVE"
GRAMMAR = {  # state -> (symbol, next state); the inner grammar of Reber (1967)
    0: (("T", 1), ("P", 2)),
    1: (("S", 1), ("X", 3)),
    2: (("T", 2), ("V", 4)),
    3: (("X", 2), ("S", 5)),
    4: (("P", 3), ("V", 5)),
}
STREAMS, WINDOW, HIDDEN = 16, 50, 16
GUESS, LEARNT = 0.5, 0.9
IGNORED = -100


class WithoutForgetGate(NFGCell):
    """An LSTM whose cell keeps everything: f = 1. No peepholes."""

    peeping = ""


CELLS = {"with": LSTMCell, "without": WithoutForgetGate}


def reber_string(random: python_random.Random) -> tuple[str, int]:
    """A string of the embedded grammar, and the position of the symbol that its second one decides."""
    inner, state = "B", 0
    while state != 5:
        symbol, state = random.choice(GRAMMAR[state])
        inner += symbol
    ends = random.choice("TP")
    text = f"B{ends}{inner}E{ends}E"
    return text, len(text) - 2


def stream(length: int, random: python_random.Random) -> tuple[Tensor, Tensor]:
    """``(tokens, asked)``: (length + 1,) symbols, and whether each is one that an early one decides."""
    text, asked = "", []
    while len(text) <= length:
        string, position = reber_string(random)
        asked += [index == position for index in range(len(string))]
        text += string
    tokens = torch.tensor([SYMBOLS.index(symbol) for symbol in text[: length + 1]])
    return tokens, torch.tensor(asked[: length + 1])


def build(net: str) -> CausalSequenceNetwork:
    """A net that predicts the next symbol, with or without a forget gate."""
    size = len(SYMBOLS)
    config = SequenceConfig(
        task="language-model", inputs="tokens", input_size=size, hidden_size=HIDDEN, output_size=size
    )
    return CausalSequenceNetwork(config, stack(lambda inputs: Unrolled(CELLS[net](inputs, HIDDEN)), size, 1))


def strings(count: int, random: python_random.Random) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Single strings, padded: inputs, targets (IGNORED beyond the end), whether asked, and lengths."""
    made = [reber_string(random) for _ in range(count)]
    longest = max(len(text) for text, _ in made)
    tokens = torch.zeros(count, longest, dtype=torch.int64)
    asked = torch.zeros(count, longest, dtype=torch.bool)
    lengths = torch.tensor([len(text) - 1 for text, _ in made])
    for row, (text, position) in enumerate(made):
        tokens[row, : len(text)] = torch.tensor([SYMBOLS.index(symbol) for symbol in text])
        asked[row, position] = True
    targets = tokens[:, 1:].masked_fill(torch.arange(longest - 1) >= lengths[:, None], IGNORED)
    return tokens[:, :-1], targets, asked[:, 1:], lengths


def share_right(outputs: Tensor, targets: Tensor, asked: Tensor) -> float:
    """How often the right one of T and P is the more probable, where it is asked."""
    choices = torch.tensor([SYMBOLS.index("T"), SYMBOLS.index("P")])
    given = choices[outputs[asked][:, choices].argmax(-1)]
    return (given == targets[asked]).double().mean().item()


def train(net: str, resets: bool, seed: int, num_steps: int, test_length: int) -> dict[str, float]:
    """Train one net; score it on unseen symbols and note how large its memory became."""
    torch.manual_seed(seed)
    random, unseen = python_random.Random(seed), python_random.Random(10_000 + seed)
    model = build(net)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    tokens, _ = _streams(num_steps * WINDOW, random)
    state: State = None
    for step in range(num_steps):
        if resets:
            inputs, targets, _, lengths = strings(STREAMS * 4, random)
            outputs, _ = model(inputs, None, lengths)
        else:
            here = slice(step * WINDOW, (step + 1) * WINDOW + 1)
            inputs, targets = tokens[:, here][:, :-1], tokens[:, here][:, 1:]
            outputs, state = model(inputs, state)
            state = detach_state(state)
        loss = nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return score(model, resets, unseen, test_length)


def _streams(length: int, random: python_random.Random) -> tuple[Tensor, Tensor]:
    pairs = [stream(length, random) for _ in range(STREAMS)]
    return torch.stack([tokens for tokens, _ in pairs]), torch.stack([asked for _, asked in pairs])


def score(
    model: CausalSequenceNetwork, resets: bool, random: python_random.Random, length: int
) -> dict[str, float]:
    """The share that is right (in a stream: in its second half), and the median |c| at the end."""
    with torch.no_grad():
        if resets:
            inputs, targets, asked, lengths = strings(1000, random)
            outputs, state = model(inputs, None, lengths)
        else:
            tokens, asked = _streams(length, random)
            outputs, state = model(tokens[:, :-1])
            half = length // 2
            outputs, targets, asked = outputs[:, half:], tokens[:, half + 1 :], asked[:, half + 1 :]
    memory = state[0].c.abs().median().item()
    return {"right": share_right(outputs, targets, asked), "memory": memory}


def measure(seed: int, num_seeds: int = 3, num_steps: int = 1500, test_length: int = 4000) -> Rows:
    return [
        {"gate": net, "resets": resets, "seed": run, **train(net, resets, run, num_steps, test_length)}
        for resets in (True, False)
        for net in CELLS
        for run in range(seed, seed + num_seeds)
    ]


def judge(rows: Rows) -> Judgement:
    def values(gate: str, resets: bool, field: str = "right") -> list[float]:
        return [row[field] for row in rows if row["gate"] == gate and row["resets"] == resets]

    with_gate, without = values("with", False), values("without", False)
    memory, memory_without = (median(values(gate, False, "memory")) for gate in CELLS)
    with_resets, without_resets = (median(values(gate, True)) for gate in CELLS)
    because = (
        f"right on the stream: {median(with_gate):.3f} with a forget gate, {median(without):.3f} without "
        f"(guessing {GUESS}; medians of {len(without)} seeds); with resets {with_resets:.3f} and "
        f"{without_resets:.3f}; median |c| on the stream {memory:.1f} against {memory_without:.1f}"
    )
    if median(with_gate) <= median(without):
        return Judgement(Verdict.FAILS, because)
    control = median(values("without", True)) > LEARNT  # without a gate it can be learnt, given resets
    clear = min(with_gate) > LEARNT > max(without) and control
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    columns = {("with", True): 0, ("without", True): 1, ("with", False): 2, ("without", False): 3}
    for row in rows:
        colour = "C0" if row["gate"] == "with" else "C1"
        axes.plot(columns[row["gate"], row["resets"]], row["right"], "o", color=colour, alpha=0.6)
    axes.axhline(GUESS, color="grey", linestyle="--", label="guessing")
    labels = [f"{gate} gate,\n{'reset' if resets else 'stream'}" for gate, resets in columns]
    axes.set_xticks(range(4), labels)
    axes.set(
        xlabel="net and how it reads", ylabel="share of the decided symbols that are right", ylim=(0.4, 1.02)
    )
    axes.legend()
