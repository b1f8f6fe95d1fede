"""Attention against the same nets written plainly: training tokens per second, and beam search.

The plain nets write as tutorials of torchtext's time do: a loop over the target, in each step of which a word
is embedded, the keys are projected anew from the annotations, and the cell and the logits are computed. Their
LSTM reads with PyTorch's kernel. There is none for RNNsearch's cell, so it reads in a loop; next to it stands
the plain decoder behind our encoder. The plain search takes one sentence after the other, keeps its
hypotheses in Python lists and sorts them there. Both have our weights. Outputs, gradients and translations
are compared before anything is timed. All contestants run on two threads and get what ours trains with: the
float32 setting (``fast_float32``) and freed memory that is kept (``keep_freed_memory``).

    python -m benchmarks.translation --run FOLDER

searches with a trained run (rnnsearch or luong-attention) on its own test sources instead of a random net.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.bench.timing import interleave, table
from anncestry.decoding import Search, read_source
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import inference
from anncestry.engine.threads import limited_threads
from anncestry.inference.generation import generate
from anncestry.layers.recurrent.cell_variants import ResetFirstGRUCell
from anncestry.layers.seq2seq.alignment import General
from anncestry.layers.seq2seq.encoder_decoder import shifted
from anncestry.models.create import create
from anncestry.models.luong_attention import LuongAttention
from anncestry.models.rnnsearch import RNNSearch
from anncestry.runs.run import load
from anncestry.signature import BEGIN, END, PAD

THREADS = 2
CPU = torch.device("cpu")
VOCABULARY, UNITS, BATCH, STEPS = 8000, 256, 64, 15
SEARCH = Search(beam=4, max_length=30)
SPREAD = 8.0  # the deviation of random logits, with which the best word has about 0.8
Run = Callable[[], object]
State = tuple[Tensor, ...]


# ---- the plain nets ---------------------------------------------------------------------------------------


class PlainRNNSearch(nn.Module):
    """RNNsearch, one step after the other; its state is (s,).

    Args:
        our_encoder: whether the source is read as ours is.
    """

    def __init__(self, ours: RNNSearch, our_encoder: bool = False) -> None:
        super().__init__()
        self.our_encoder = our_encoder
        ours = copy.deepcopy(ours)
        self.source_embedding, self.encoder = ours.source_embedding, ours.encoder
        self.start_state, self.embedding, self.cell = ours.start_state, ours.embedding, ours.cell
        self.energy = joined(ours.score.query, ours.score.annotation)
        self.v = ours.score.v
        readout = ours.readout
        self.pairs = joined(readout.of_state, readout.of_word, readout.of_context)
        self.scores = readout.scores

    def read(self, source: Int[Tensor, "B S"]) -> tuple[Tensor, State]:
        """The annotations (B, S, 2H) and the first state."""
        embedded = self.source_embedding(source)
        if self.our_encoder:
            annotations, (_, back) = self.encoder(embedded)
            return annotations, (self.start_state(back.h).tanh(),)
        ahead = read_in_a_loop(self.encoder.ahead.cell, embedded)
        back = read_in_a_loop(self.encoder.back.cell, embedded.flip(1)).flip(1)
        return torch.cat([ahead, back], dim=2), (self.start_state(back[:, 0]).tanh(),)

    def step(self, tokens: Int[Tensor, "B"], annotations: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        embedded = self.embedding(tokens)
        queries = h.unsqueeze(1).expand(-1, annotations.shape[1], -1)
        energy = self.energy(torch.cat([queries, annotations], dim=2)).tanh()
        weights = (energy @ self.v).softmax(dim=1)
        context = torch.bmm(weights.unsqueeze(1), annotations).squeeze(1)
        after = plain_gru(self.cell, torch.cat([embedded, context], dim=1), h)
        pairs = self.pairs(torch.cat([h, embedded, context], dim=1))
        return self.scores(pairs.view(len(h), -1, 2).amax(2)), (after,)

    def forward(self, source: Int[Tensor, "B S"], targets: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        return written(self, source, targets)


class PlainLuong(nn.Module):
    """Luong's general attention with input feeding; its state is (h~, h and c of each layer)."""

    def __init__(self, ours: LuongAttention) -> None:
        super().__init__()
        ours = copy.deepcopy(ours)
        self.source_embedding, self.encoder = ours.source_embedding, ours.encoder
        self.embedding, self.scores = ours.embedding, ours.readout
        assert isinstance(ours.score, General)
        self.key = ours.score.annotation
        self.joined = joined(ours.of_context, ours.of_state)
        self.layers = nn.ModuleList()
        for layer in ours.decoder.layers:
            theirs, cell = nn.LSTMCell(layer.cell.input_size, layer.cell.hidden_size), layer.cell
            with torch.no_grad():
                theirs.weight_ih.copy_(cell.weight_ih)
                theirs.weight_hh.copy_(cell.weight_hh)
                theirs.bias_ih.copy_(cell.bias)
                theirs.bias_hh.zero_()
            self.layers.append(theirs)

    def read(self, source: Int[Tensor, "B S"]) -> tuple[Tensor, State]:
        """The annotations (B, S, H), in the source's order, and the first state."""
        annotations, layers = self.encoder(self.source_embedding(source.flip(1)))
        first = annotations.new_zeros(len(source), annotations.shape[2])
        return annotations.flip(1), (first, *(part for layer in layers for part in layer))

    def step(self, tokens: Int[Tensor, "B"], annotations: Tensor, state: State) -> tuple[Tensor, State]:
        attended, *before = state
        x, after = torch.cat([self.embedding(tokens), attended], dim=1), []
        for number, layer in enumerate(self.layers):
            h, c = layer(x, (before[2 * number], before[2 * number + 1]))
            after += [h, c]
            x = h
        weights = torch.bmm(self.key(annotations), x.unsqueeze(2)).squeeze(2).softmax(dim=1)
        context = torch.bmm(weights.unsqueeze(1), annotations).squeeze(1)
        attended = self.joined(torch.cat([context, x], dim=1)).tanh()
        return self.scores(attended), (attended, *after)

    def forward(self, source: Int[Tensor, "B S"], targets: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        return written(self, source, targets)


def plain(ours: nn.Module) -> PlainRNNSearch | PlainLuong:
    """The plain net with our weights."""
    if isinstance(ours, RNNSearch) and not ours.config.output_rank:
        return PlainRNNSearch(ours)
    if isinstance(ours, LuongAttention):
        config = ours.config
        usual = isinstance(ours.score, General) and ours.score.scale is None and ours.window is None
        if usual and config.input_feeding and config.reverse_source and not config.bidirectional:
            return PlainLuong(ours)
    raise SystemExit("only rnnsearch and luong-attention are written plainly here, as they are by default")


def written(net: Any, source: Tensor, targets: Tensor) -> Float[Tensor, "B T V"]:
    """The logits of every step, one step after the other."""
    annotations, state = net.read(source)
    outputs = []
    for tokens in shifted(targets).unbind(1):
        logits, state = net.step(tokens, annotations, state)
        outputs.append(logits)
    return torch.stack(outputs, dim=1)


def joined(*layers: nn.Linear) -> nn.Linear:
    """One layer over the concatenation of what these layers read, whose sum it computes."""
    size = sum(layer.in_features for layer in layers)
    biases: list[Tensor] = [layer.bias for layer in layers if layer.bias is not None]
    whole = nn.Linear(size, layers[0].out_features, bias=bool(biases))
    with torch.no_grad():
        whole.weight.copy_(torch.cat([layer.weight for layer in layers], dim=1))
        if biases:
            whole.bias.copy_(torch.stack(biases).sum(0))
    return whole


def plain_gru(cell: ResetFirstGRUCell, x: Float[Tensor, "B D"], h: Float[Tensor, "B H"]) -> Tensor:
    """The GRU of its paper by its equations."""
    of_r, of_z, of_n = nn.functional.linear(x, cell.weight_ih, cell.bias).chunk(3, dim=1)
    u_r, u_z, u_n = cell.weight_hh.chunk(3)
    r = (of_r + nn.functional.linear(h, u_r)).sigmoid()
    z = (of_z + nn.functional.linear(h, u_z)).sigmoid()
    n = (of_n + nn.functional.linear(r * h, u_n)).tanh()
    return z * h + (1 - z) * n


def read_in_a_loop(cell: ResetFirstGRUCell, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T H"]:
    """The states of all steps."""
    h, states = x.new_zeros(len(x), cell.hidden_size), []
    for x_t in x.unbind(1):
        h = plain_gru(cell, x_t, h)
        states.append(h)
    return torch.stack(states, dim=1)


# ---- training ---------------------------------------------------------------------------------------------


def train(name: str, rounds: int, batch: int = BATCH) -> str:
    """A training step: forward, backward, clipping and Adam, the same for both but for the net."""
    sizes: dict[str, Any] = {"input_size": VOCABULARY, "output_size": VOCABULARY, "seq_len": STEPS}
    ours: Any = create(name, hidden_size=UNITS, embed_dim=UNITS, target_len=STEPS, **sizes)
    source, targets = ours.config.signature.example(batch)
    peer = plain(ours)
    nets: dict[str, nn.Module] = {"the plain net": peer}
    if isinstance(ours, RNNSearch):
        nets["the plain decoder behind our encoder"] = PlainRNNSearch(ours, our_encoder=True)
    with fast_float32(CPU):
        apart = max(furthest(ours, net, source, targets) for net in nets.values())
        nets["anncestry"] = ours
        contestants = {key: training_step(net, source, targets) for key, net in nets.items()}
        results = interleave(contestants, rounds)
    rates = ", ".join(f"{row.name} {targets.numel() / row.seconds:,.0f}" for row in results)
    note = f"Target tokens per second: {rates}. Their logits are at most {apart:.1g} apart."
    size = f"{UNITS} units, {VOCABULARY:,} words, batch {batch}, S = T = {STEPS}"
    return table(f"{name}, a training step, {size}", results, note)


def furthest(ours: nn.Module, peer: nn.Module, source: Tensor, targets: Tensor) -> float:
    """The largest difference of the logits. It and that of the source embedding's gradients are small."""
    found = []
    for net in (ours, peer):
        logits = net(source, targets)
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        found.append((logits.detach(), net.source_embedding.weight.grad))  # pyright: ignore
        net.zero_grad()
    (logits, gradient), (same_logits, same_gradient) = found
    torch.testing.assert_close(logits, same_logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(gradient, same_gradient, rtol=0, atol=1e-4 * float(gradient.abs().max()))
    return float((logits - same_logits).abs().max())


def training_step(net: nn.Module, source: Tensor, targets: Tensor) -> Run:
    """One step on a batch."""
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

    def run() -> None:
        logits = net(source, targets)
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return run


# ---- beam search ------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """A hypothesis of the plain search."""

    tokens: list[int]
    log_prob: float
    row: int  # of the batch of states


def plain_search(net: Any, sources: list[list[int]], search: Search) -> list[tuple[list[int], float]]:
    """The best text of each source and its score, as `anncestry.decoding.beam.beam_search` finds them.

    The hypotheses of a sentence are computed side by side, which not every tutorial does.
    """
    return [plain_beam(net, torch.tensor([source]), search) for source in sources]


def plain_beam(net: Any, source: Int[Tensor, "1 S"], search: Search) -> tuple[list[int], float]:
    """The search for one source."""
    beam, longest = search.beam, search.max_length
    annotations, state = net.read(source)
    live, finished = [Text([], 0.0, 0)], []
    for length in range(1, longest + 1):
        rows = torch.tensor([text.row for text in live])
        state = tuple(part[rows] for part in state)
        tokens = torch.tensor([text.tokens[-1] if text.tokens else BEGIN for text in live])
        logits, state = net.step(tokens, annotations.repeat(len(live), 1, 1), state)
        log_probs = logits.log_softmax(dim=1)
        log_probs[:, [PAD, BEGIN]] = -math.inf
        options = []
        for row, text in enumerate(live):
            best = log_probs[row].topk(2 * beam)
            for log_prob, token in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                options.append(Text([*text.tokens, token], text.log_prob + log_prob, row))
        options.sort(key=lambda text: -text.log_prob)
        live = []
        for place, text in enumerate(options[: 2 * beam]):
            if text.tokens[-1] != END:
                live.append(text)
            elif place < beam:
                finished.append((text.tokens[:-1], text.log_prob / search.penalty(float(length))))
        live = live[:beam]
        finished.sort(key=lambda found: -found[1])
        if finished and finished[0][1] >= live[0].log_prob / search.penalty(float(longest)):
            break
    return finished[0] if finished else (live[0].tokens, live[0].log_prob / search.penalty(float(longest)))


class Clock:
    """The seconds a model spends in ``encode`` and ``step``; what else a search takes is its bookkeeping."""

    def __init__(self, model: Any) -> None:
        self.model, self.inside = copy.copy(model), 0.0
        for name in ("encode", "step"):
            object.__setattr__(self.model, name, self._timed(getattr(model, name)))

    def _timed(self, function: Callable) -> Callable:
        def run(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments)
            self.inside += time.perf_counter() - start
            return result

        return run

    def bookkeeping(self, search: Callable[[Any], object]) -> float:
        """The share of the time of a search that is spent outside of the model."""
        self.inside, start = 0.0, time.perf_counter()
        search(self.model)
        return 1 - self.inside / (time.perf_counter() - start)


def random_net(sources: Tensor, lengths: Tensor) -> nn.Module:
    """RNNsearch with random weights that writes about as much as it reads.

    Of the backward encoder and of the decoder one unit counts steps, and the end is written by the latter:
    it starts the lower, the higher the former has come. Every other word has a random score.
    """
    sizes: dict[str, Any] = {"input_size": VOCABULARY, "output_size": VOCABULARY}
    model: Any = create("rnnsearch", hidden_size=UNITS, embed_dim=UNITS, **sizes).eval()
    readout, unit, level, steepness = model.readout, 0, 0.7, 150.0
    with torch.no_grad():
        let_count(model.encoder.back.cell, unit)
        let_count(model.cell, unit)
        start = model.start_state
        start.weight[unit].mul_(3)
        start.weight[unit, unit], start.bias[unit] = -1.9, 1.4
        for layer in (readout.of_state, readout.of_word, readout.of_context):
            layer.weight[:2] = 0
        readout.of_state.weight[:2, unit], readout.of_state.bias[:2] = 1, 0
        logits = first_logits(model, sources[:64], lengths[:64])
        readout.scores.weight.mul_(SPREAD / logits.std())
        readout.scores.weight[END] = 0
        readout.scores.bias[END] = -math.inf
        others = first_logits(model, sources[:64], lengths[:64]).logsumexp(1).mean()
        readout.scores.weight[END, 0] = steepness
        readout.scores.bias[END] = others - steepness * level
    return model


def let_count(cell: ResetFirstGRUCell, unit: int) -> None:
    """Let a unit come a fourteenth nearer to 1 with each step, whatever is read."""
    with torch.no_grad():
        for row in range(unit, 3 * cell.hidden_size, cell.hidden_size):
            cell.weight_ih[row], cell.weight_hh[row] = 0, 0
        cell.bias[cell.hidden_size + unit] = math.log(13)  # z = 13 / 14 stays
        cell.bias[2 * cell.hidden_size + unit] = 20


def first_logits(model: Any, sources: Tensor, lengths: Tensor) -> Float[Tensor, "N V"]:
    """The logits of the first word."""
    return read_source(model, sources, lengths)[0]


def random_sources(count: int) -> tuple[Int[Tensor, "N S"], Int[Tensor, "N"]]:
    """Random words, in sentences about as long as those of image captions: most have 8 to 20."""
    lengths = (torch.randn(count) * 0.35 + math.log(12.5)).exp().round().long().clamp(4, 40)
    tokens = torch.randint(END + 1, VOCABULARY, (count, int(lengths.max())))
    return tokens.masked_fill(torch.arange(tokens.shape[1]) >= lengths.unsqueeze(1), PAD), lengths


def search_with(model: nn.Module, sources: Tensor, lengths: Tensor, rounds: int) -> str:
    """Translating all sources with a beam."""
    peer = plain(model)
    rows = [row[:length] for row, length in zip(sources.tolist(), lengths.tolist(), strict=True)]
    contestants: dict[str, Run] = {
        "one sentence after the other, in Python lists": lambda: plain_search(peer, rows, SEARCH),
        "anncestry": lambda: generate(model, sources, lengths, SEARCH),
    }
    with inference(CPU):
        same, texts = same_texts(generate(model, sources, lengths, SEARCH), plain_search(peer, rows, SEARCH))
        results = interleave(contestants, rounds, warm_up=0)
        clock = Clock(model)
        with limited_threads(1):  # one worker, so that the model's seconds are those of the whole
            shares = [
                clock.bookkeeping(lambda timed: generate(timed, sources, lengths, SEARCH))
                for _ in range(rounds)
            ]
    quartiles = [int(value) for value in texts.float().quantile(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))]
    least, *middle, most = quartiles
    note = f"{same} of {len(rows)} texts are the same. They have {least} to {most} tokens, quartiles "
    note += f"{', '.join(map(str, middle))}. On one thread anncestry spends "
    note += f"{sorted(shares)[len(shares) // 2]:.1%} of its time outside of the model's `encode` and `step`."
    title = f"{type(model).__name__}, {len(rows):,} sources, beam {SEARCH.beam}"
    return table(f"{title}, at most {SEARCH.max_length} tokens", results, note)


def same_texts(ours: list[list[Any]], theirs: list[tuple[list[int], float]]) -> tuple[int, Tensor]:
    """How many texts are the same, which nearly all must be, and our lengths; equal texts score the same."""
    same = 0
    for (best,), (tokens, score) in zip(ours, theirs, strict=True):
        if best.tokens == tuple(tokens):
            assert abs(best.score - score) < 1e-4 * max(1.0, abs(score)), (best.score, score)
            same += 1
    assert same >= 0.98 * len(ours), f"only {same} of {len(ours)} texts are the same"  # rounding breaks ties
    return same, torch.tensor([best.length for (best,) in ours])


def main(quick: bool = False, folder: Path | None = None) -> str:
    """All tables."""
    torch.manual_seed(0)
    keep_freed_memory()  # for every contestant
    count = 100 if quick else 1000
    with limited_threads(THREADS):
        tables = [train(name, 3 if quick else 11) for name in ("rnnsearch", "luong-attention")]
        if folder is None:
            sources, lengths = random_sources(count)
            model = random_net(sources, lengths)
        else:
            trained = load(folder)
            model, split = trained.model, trained.dataset().test
            rows = torch.arange(min(count, split.num_sources))  # pyright: ignore[reportAttributeAccessIssue]
            sources, lengths = split.read_sources(rows)  # pyright: ignore[reportAttributeAccessIssue]
        tables.append(search_with(model, sources, lengths, 1 if quick else 3))
    return "\n".join(tables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="search with this run")
    parser.add_argument("--quick", action="store_true", help="few rounds, few sources")
    arguments = parser.parse_args()
    print(main(arguments.quick, arguments.run))
