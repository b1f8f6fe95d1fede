"""No verdict is written down in advance: other measurements get other verdicts, from the same judge."""

import pytest

from anncestry.claims import CLAIMS, Verdict, find

GATES = ("with", "without")
HOLDS, FAILS, UNDECIDED = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED


def convergence(mistakes, ended=True):
    sizes = {"dim": 2, "margin": 0.1, "seed": 0, "order": "shuffled", "R": 1.0, "gamma": 0.1, "bound": 100.0}
    return [{**sizes, "mistakes": 5, "ended": True}, {**sizes, "mistakes": mistakes, "ended": ended}]


def xor(perceptron, mlp):
    nets = (("perceptron", 0, perceptron), ("tanh MLP", 2, 0), ("tanh MLP", 8, mlp))
    return [{"net": net, "hidden": hidden, "solved": solved, "runs": 20} for net, hidden, solved in nets]


def tanh(gradients, slope=0.25):
    rows = [{"unit": "tanh", "steepest": 1.0}, {"unit": "sigmoid", "steepest": slope}]
    for seed, gradient in enumerate(gradients):
        rows.append({"unit": "tanh", "depth": 2, "seed": seed, "gradient": gradient})
        rows.append({"unit": "sigmoid", "depth": 2, "seed": seed, "gradient": 1.0})
    return rows


def vanishing(below=0.2, at_one=1.0, above=4.0):
    last = {0.5: below, 1.0: at_one, 2.0: above}
    return [{"unit": "linear", "scale": scale, "seed": 0, "by_lag": [1.0, last[scale]]} for scale in last]


def long_lags(lstm, rnn):
    rows = [{"net": "lstm", "length": 50, "seed": seed, "mse": mse} for seed, mse in enumerate(lstm)]
    return rows + [{"net": "rnn", "length": 50, "seed": seed, "mse": mse} for seed, mse in enumerate(rnn)]


def forget_gate(with_gate, without, control=1.0):
    rows = [{"gate": gate, "resets": True, "seed": 0, "right": control, "memory": 1.0} for gate in GATES]
    rows += [{"gate": "with", "resets": False, "seed": 0, "right": x, "memory": 1.0} for x in with_gate]
    return rows + [
        {"gate": "without", "resets": False, "seed": 0, "right": x, "memory": 9.0} for x in without
    ]


def shortcuts(plain, three=2.0, residual=2.1):
    nets = {"plain, 3 layers": three, "residual LSTM": residual, "highway LSTM": 3.0, "residual stack": 3.0}
    rows = [{"net": net, "seed": 0, "loss": loss, "parameters": 1} for net, loss in nets.items()]
    return rows + [
        {"net": "plain", "seed": seed, "loss": loss, "parameters": 1} for seed, loss in enumerate(plain)
    ]


def dilated(right, lstm=0.12, length=8.5, sequential=90):
    made = {"dilated": (length, sequential), "skip": (21.5, 120), "lstm": (16.5, 71)}
    rows = [
        {"net": net, "parameters": 9, "chains": 1, "length": mean, "sequential": steps}
        for net, (mean, steps) in made.items()
    ]
    for net, values in (("dilated", right), ("skip", [0.12]), ("lstm", [lstm])):
        rows += [{"net": net, "seed": seed, "right": value, "steps": 9} for seed, value in enumerate(values)]
    return rows


def steps(lstm, tcn):
    rows = []
    for net, counts in (("lstm", lstm), ("tcn", tcn)):
        for length, count in zip((32, 64, 128), counts, strict=True):
            rows += [
                {"net": net, "length": length, "width": d, "steps": count, "flops": length * d * d}
                for d in (8, 16)
            ]
    return rows


def without_pooling(strides, largest, average):
    nets = {"strides": strides, "max pooling": largest, "average pooling": average}
    nets["max pooling on the way down alone"] = largest
    return [
        {"net": net, "seed": seed, "steps": steps, "parameters": 9, "elbo": late * bound, "mse": 0.1}
        for net, bounds in nets.items()
        for seed, bound in enumerate(bounds)
        for steps, late in ((5, -1), (10, 1))
    ]


def copying(tcn, lstm):
    return [
        {"net": net, "blanks": 100, "seed": 0, "right": right, "steps": 9, "parameters": 8000}
        for net, values in (("tcn", tcn), ("lstm", lstm))
        for right in values
    ]


def stacked(difference, control=0.1):
    parts = ("outputs", "states", "gradients")
    rows = [{"layers": 2, "seed": 0, "late": True, **dict.fromkeys(parts, control)}]
    rows += [{"layers": 2, "seed": 0, "late": False, **dict.fromkeys(parts, 1e-16), "gradients": difference}]
    return rows


def local(inputs=75, weights=75, biases=1):
    sizes = {"inputs": inputs, "weights": weights, "biases": biases}
    return [{"layer": "5×5 convolution", "expected": 75, **sizes}]


def parameters(counted):
    return [{"F": 5, "D": 3, "K": 6, "image_size": 32, "counted": counted, "dense": 10**6}]


def two(height, weights, kinks=9.0):
    stack = {"depth": 2, "kernel_size": 3, "height": height, "width": 5, "weights": weights, "kinks": kinks}
    return [stack, {"depth": 2, "kernel_size": 5, "height": 5, "width": 5, "weights": 25, "kinks": 0.5}]


def one(outputs=1e-16, gradients=1e-16, field=1, channels=4, apart=1.0):
    seen = {"D": 4, "K": 2, "height": 5, "width": 5, "channels": channels, "weights": 8}
    pixel = {"F": 1, "outputs": outputs, "gradients": gradients, "field_height": field, "field_width": 1}
    window = {"F": 3, "outputs": apart, "gradients": 1.0, "field_height": 3, "field_width": 3}
    return [{**seen, **pixel}, {**seen, **window}]


def bottleneck(narrow, factorised, flops=136):
    sizes = {"F×F": (1152, 1152), "bottleneck": (136, flops), "1×F + F×1": (768, 768)}
    rows = [{"kind": kind, "C": 8, "F": 3, "weights": w, "flops": f} for kind, (w, f) in sizes.items()]
    for kind, values in (("F×F", [0.97] * 3), ("bottleneck", narrow), ("1×F + F×1", factorised)):
        few = [{"kind": kind, "channels": 4, "seed": seed, "right": 0.5} for seed in range(3)]
        rows += few + [{**few[seed], "channels": 8, "right": right} for seed, right in enumerate(values)]
    return rows


def fields(dilated=(3, 7, 15), undilated=(3, 5, 7), predicted=(3, 7, 15), holes=0, parameters=(9, 18, 27)):
    rows = []
    for net, seen, fields in (("dilated", dilated, predicted), ("undilated", undilated, undilated)):
        for depth, (size, expected, count) in enumerate(zip(seen, fields, parameters, strict=True), 1):
            sizes = {"height": size, "width": size, "predicted": expected, "parameters": count}
            rows.append({"net": net, "depth": depth, "holes": holes, **sizes})
    return rows


def families(*seeds):
    """Each seed: what three DenseNets and three ResNets of 1000, 2000 and 3000 parameters get right."""
    rows = []
    for seed, found in enumerate(seeds):
        for family, shares in zip(("DenseNet", "ResNet"), found, strict=True):
            for parameters, right in zip((1000, 2000, 3000), shares, strict=True):
                sizes = {"family": family, "blocks": "2-2", "seed": seed, "parameters": parameters}
                rows.append({**sizes, "right": right})
    return rows


def discards(kept=0.25, most=1, equal=0.1):
    rows = []
    for relu in ("before", "behind"):
        place = {"seed": 0, "right": 0.9, "layer": 1, "relu": relu, "equal": equal}
        rows.append({**place, "window": 2, "kept": kept, "fewest": 1, "most": most})
        rows.append({**place, "window": 3, "kept": 0.2, "fewest": 1, "most": 4})
    return rows


def by_length(attention, fixed=((1.0, 0.5), (1.0, 0.7))):
    """Of each net, for one seed after the other: what is right of strings of 2 and of 6 symbols."""
    nets = {"RNN encoder-decoder": [fixed[0]], "sequence to sequence": [fixed[1]], "RNNsearch": attention}
    return [
        {"net": net, "seed": seed, "length": length, "right": right, "parameters": 9, "trained": length < 9}
        for net, seeds in nets.items()
        for seed, (short, long) in enumerate(seeds)
        for length, right in ((2, short), (6, long), (9, 0.1))
    ]


def turned(copy, reverse=((0.8, 0.9),)):
    """For one seed after the other: what is right where the source is read back to front, and as it is."""
    return [
        {"task": task, "source": way, "seed": seed, "length": length, "right": right + apart}
        for task, seeds in (("copy", copy), ("reverse", reverse))
        for seed, pair in enumerate(seeds)
        for way, right in zip(("back to front", "as it is"), pair, strict=True)
        for length, apart in ((1, 0.05), (2, -0.05))
    ]


def beams(*runs, lower=0):
    """Of each run: log P and what is right, with beams of 1, 2 and 4."""
    return [
        {
            "net": "RNNsearch", "seed": seed, "beam": beam, "count": 10, "log_prob": log_prob, "exact": exact,
            "characters": 0.9, "higher": 1, "lower": lower if beam > 1 else 0, "gained": 1, "lost": 0,
        }
        for seed, run in enumerate(runs)
        for beam, log_prob, exact in zip((1, 2, 4), *run, strict=True)
    ]  # fmt: skip


def captions(tell, attend, blank=9.0):
    """BLEU of each seed."""
    nets = {"Show and Tell": tell, "Show, Attend and Tell": attend, "blank image": [blank]}
    rows = [{"net": "most frequent caption", "seed": 0, "right": 0.03, "bleu": 12.0}]
    return rows + [
        {"net": net, "seed": seed, "right": 0.1, "bleu": bleu, "parameters": 9}
        for net, values in nets.items()
        for seed, bleu in enumerate(values)
    ]


def sharing(narrow, wide, two=(0.9, 0.92, 0.94)):
    nets = {"two LSTMs": two, "one, as wide": narrow, "one, with as many parameters": wide}
    return [
        {"net": net, "units": 64, "parameters": 9, "seed": seed, "right": right}
        for net, values in nets.items()
        for seed, right in enumerate(values)
    ]


def layer_costs(of_attention=lambda n, d: 4 * n * n * d, seconds=None):
    own = {
        "self-attention": of_attention,
        "simple recurrence": lambda n, d: 2 * n * d * d,
        "LSTM": lambda n, d: 8 * n * d * d,
    }
    return [
        {
            "layer": layer,
            "length": n,
            "width": d,
            "own": count(n, d),
            "all": 3 * count(n, d),
            "seconds": seconds,
        }
        for layer, count in own.items()
        for n, d in ((32, 64), (32, 128), (64, 64), (64, 128), (100, 1000))
    ]


def paths(attention=(1, 1, 1), tcn=(3, 4, 5), lstm=(32, 64, 128), kept=0.5, lost=1e-9):
    rows = []
    for net, counts, far in (("encoder", attention, kept), ("tcn", tcn, 0.1), ("lstm", lstm, lost)):
        for length, count in zip((32, 64, 128), counts, strict=True):
            made = {"net": net, "length": length, "width": 8, "steps": count, "path": count}
            rows.append({**made, "by_lag": [2.0, 1.0, far / 2, far]})
    return rows


def positions(same=1e-15, apart=0.5, right=(1.0, 0.99), lost=(0.3, 0.4), sizes=1):
    rows = [{"net": "without", "part": part, "apart": same} for part in ("self-attention", "encoder")]
    rows.append({"net": "with positions", "part": "encoder", "apart": apart})
    fields = {"part": "trained", "steps": 9, "sizes": sizes, "guess": 0.4}
    return rows + [
        {"net": net, "right": value, **fields}
        for net, values in (("with positions", right), ("without", lost))
        for value in values
    ]


def masks(hidden=21, seen=0, loss=0.001, masked=(1.0, 0.99), without=(0.1, 0.2)):
    rows = []
    for decoder, count, values in (("with the mask", hidden, masked), ("without", seen, without)):
        rows += [
            {
                "decoder": decoder,
                "pairs": 21,
                "hidden": count,
                "steps": 9,
                "losses": [2.0, loss],
                "right": value,
            }
            for value in values
        ]
    return rows


def ways(taught=(29, 29, 29), written=(50, 92, 176), apart=1e-15):
    rows = []
    for net, counts in (("Transformer", taught), ("sequence to sequence", (9, 13, 21))):
        rows += [
            {"net": net, "length": length, "forced": known, "generated": steps, "apart": apart}
            for length, known, steps in zip((2, 4, 8), counts, written, strict=True)
        ]
    return rows


def matrices(same, usual=(1.0, 0.99)):
    nets = {"three matrices": usual, "one matrix": same, "three matrices, narrower": usual}
    return [
        {"net": net, "steps": steps, "seed": seed, "parameters": 9, "right": late * value}
        for net, values in nets.items()
        for steps, late in ((5, 0.5), (10, 1))
        for seed, value in enumerate(values)
    ]


def warmups(post, warmed=(1.0, 0.99), pre=(1.0, 0.99)):
    runs = {("post", "constant"): post, ("post", "warm-up"): warmed}
    runs |= {("pre", "constant"): pre, ("pre", "warm-up"): pre}
    return [
        {"norm": norm, "rate": rate, "seed": seed, "steps": 9, "right": value, "losses": [1.0]}
        for (norm, rate), values in runs.items()
        for seed, value in enumerate(values)
    ]


def contexts(token=0.0, read=0.3, deaf=1e-16):
    """Differences of the token layer, of the half that reads what changed, and of the other."""
    rows = []
    for layer in range(2):
        for half, side in (("forward", "left"), ("backward", "right")):
            for changed in ("left", "right"):
                value = token if layer == 0 else read if changed == side else deaf
                row = {"word": "value", "layer": layer, "half": half, "changed": changed, "texts": 9}
                rows.append({**row, "smallest": value, "largest": value, "mean": value, "forms": 0.5})
    return rows


def taggers(frozen, tuned=(0.8, 0.82), untrained=(0.4, 0.5), scratch=(0.5, 0.4)):
    nets = ("pre-trained, frozen", "pre-trained, fine-tuned", "untrained, frozen", "untrained, then trained")
    fields = {"shown": 9, "steps": 9, "loss": 3.0, "best": {"word": 0.5, "sentence": 0.9}}
    return [
        {"net": net, "seed": seed, **fields, "curve": [[0, 0.1], [9, value]]}
        for net, values in zip(nets, (frozen, tuned, untrained, scratch), strict=True)
        for seed, value in enumerate(values)
    ]


def sides(bert=(10, 0), gpt=(0, 10), left=10):
    """How many of ten words to the right change a vector, and how many surely do not."""
    counts = {("BERT", "right"): bert, ("GPT", "right"): gpt}
    counts |= {("BERT", "left"): (10, 0), ("GPT", "left"): (left, 10 - left)}
    return [
        {"net": net, "seed": 0, "side": side, "pairs": 10, "seen": seen, "still": still, "mean": 0.1}
        for (net, side), (seen, still) in counts.items()
    ]


def first_vector(read=(0.1, 0.1), last=0.0, others=0.0, everything=0.1):
    noise = {"others": others, "all": everything}
    norms = ([0.2, *read], [0.2, last, 0.0])
    return [{"seed": 0, "layer": layer, "norms": row, "noise": noise} for layer, row in enumerate(norms)]


def learners(bert, gpt=(20, 20), few=(30, 30), share=15):
    """The steps after which each falls below the level, of a curve of points ten steps apart."""
    rows = []
    for net, steps, with_error in (("BERT", bert, share), ("GPT", gpt, 100), ("GPT, 15 %", few, 15)):
        for seed, taken in enumerate(steps):
            curve = [[step, 1.0 if step < taken else 0.7] for step in range(0, 60, 10)]
            rows.append(
                {"net": net, "seed": seed, "positions": 100, "with_error": with_error, "curve": curve}
            )
    return rows


def shared_layers(albert, bert=(3.0, 3.1), parameters=5, flops=9, steps=9, seconds=None):
    rows = []
    for net, size, count, chain, losses in (
        ("BERT", 10, 9, 9, bert),
        ("ALBERT", parameters, flops, steps, albert),
    ):
        fields = {"parameters": size, "flops": count, "sequential_steps": chain, "seconds": seconds}
        rows += [
            {"net": net, "seed": seed, "layers": 4, "alone": 4.0, **fields, "curve": [[0, 4.1], [9, loss]]}
            for seed, loss in enumerate(losses)
        ]
    return rows


def detectors(electra, bert=(0.6, 0.6), few=(0.7, 0.6), share=100):
    rows = []
    nets = (("BERT", bert, 15), ("ELECTRA", electra, share), ("ELECTRA, 15 %", few, 15))
    for net, values, with_error in nets:
        fields = {
            "positions": 100,
            "with_error": with_error,
            "flops": 9,
            "best": {"word": 0.5, "sentence": 0.9},
        }
        rows += [
            {"net": net, "seed": seed, **fields, "curve": [[0, 0.1], [9, value]]}
            for seed, value in enumerate(values)
        ]
    return rows


CASES = [
    ("perceptron-convergence", convergence(100), HOLDS),
    ("perceptron-convergence", convergence(101, ended=False), FAILS),
    ("perceptron-convergence", convergence(99, ended=False), UNDECIDED),
    ("xor", xor(0, 18), HOLDS),
    ("xor", xor(1, 20), FAILS),
    ("xor", xor(0, 0), FAILS),
    ("xor", xor(0, 17), UNDECIDED),
    ("tanh-gradients", tanh([2.0, 3.0, 1.1]), HOLDS),
    ("tanh-gradients", tanh([0.5, 0.9, 1.1]), FAILS),
    ("tanh-gradients", tanh([2.0, 3.0, 1.1], slope=0.5), FAILS),
    ("tanh-gradients", tanh([2.0, 3.0, 0.9]), UNDECIDED),
    ("vanishing-gradient", vanishing(), HOLDS),
    ("vanishing-gradient", vanishing(below=0.6), FAILS),
    ("vanishing-gradient", vanishing(at_one=1.1), FAILS),
    ("vanishing-gradient", vanishing(above=0.9), UNDECIDED),
    ("lstm-long-lags", long_lags([0.001, 0.002], [0.16, 0.17]), HOLDS),
    ("lstm-long-lags", long_lags([0.1, 0.2], [0.1, 0.1]), FAILS),
    ("lstm-long-lags", long_lags([0.001, 0.002], [0.003, 0.17]), UNDECIDED),
    ("lstm-long-lags", long_lags([0.1, 0.12], [0.16, 0.17]), UNDECIDED),
    ("forget-gate", forget_gate([1.0, 0.95], [0.5, 0.6]), HOLDS),
    ("forget-gate", forget_gate([0.5, 0.6], [0.7, 0.8]), FAILS),
    ("forget-gate", forget_gate([1.0, 0.95], [0.5, 0.92]), UNDECIDED),
    ("forget-gate", forget_gate([1.0, 0.95], [0.5, 0.6], control=0.5), UNDECIDED),
    ("deep-shortcuts", shortcuts([3.0, 3.1]), HOLDS),
    ("deep-shortcuts", shortcuts([1.9, 1.8]), FAILS),
    ("deep-shortcuts", shortcuts([3.0, 3.1], residual=3.05), UNDECIDED),
    ("deep-shortcuts", shortcuts([2.05, 2.06]), UNDECIDED),
    ("dilated-vs-skip", dilated([0.99, 0.96]), HOLDS),
    ("dilated-vs-skip", dilated([0.11, 0.12]), FAILS),
    ("dilated-vs-skip", dilated([0.99, 0.96], length=30.0), FAILS),
    ("dilated-vs-skip", dilated([0.99, 0.6]), UNDECIDED),
    ("dilated-vs-skip", dilated([0.99, 0.96], lstm=0.4), UNDECIDED),
    ("dilated-vs-skip", dilated([0.99, 0.96], sequential=130), UNDECIDED),
    ("sequential-steps", steps((33, 65, 129), (8, 10, 12)), HOLDS),
    ("sequential-steps", steps((33, 65, 129), (33, 65, 129)), FAILS),
    ("sequential-steps", steps((33, 34, 35), (8, 10, 12)), UNDECIDED),
    ("tcn-copy-memory", copying([1.0, 0.97], [0.12, 0.13]), HOLDS),
    ("tcn-copy-memory", copying([0.1, 0.12], [0.2, 0.2]), FAILS),
    ("vae-without-pooling", without_pooling([-12.0, -13.0], [-14.0, -15.1], [-13.0, -14.1]), HOLDS),
    ("vae-without-pooling", without_pooling([-12.0, -13.0], [-14.0, -15.1], [-11.0, -11.9]), FAILS),
    ("vae-without-pooling", without_pooling([-12.0, -13.0], [-14.0, -15.1], [-12.5, -12.9]), UNDECIDED),
    ("vae-without-pooling", without_pooling([-12.0], [-14.0], [-14.0]), UNDECIDED),
    ("tcn-copy-memory", copying([1.0, 0.9], [0.12, 0.13]), UNDECIDED),
    ("stacked-lstm", stacked(1e-15), HOLDS),
    ("stacked-lstm", stacked(1e-3), FAILS),
    ("stacked-lstm", stacked(1e-9), UNDECIDED),
    ("stacked-lstm", stacked(1e-15, control=1e-15), UNDECIDED),
    ("local-connectivity", local(), HOLDS),
    ("local-connectivity", local(inputs=3072), FAILS),
    ("local-connectivity", local(weights=74), FAILS),
    ("local-connectivity", local(biases=0), FAILS),
    ("conv-parameters", parameters(456), HOLDS),
    ("conv-parameters", parameters(450), FAILS),
    ("two-3x3", two(5, 18), HOLDS),
    ("two-3x3", two(6, 18), FAILS),
    ("two-3x3", two(5, 25), FAILS),
    ("two-3x3", two(5, 18, kinks=0.5), FAILS),
    ("one-by-one", one(), HOLDS),
    ("one-by-one", one(outputs=1e-3), FAILS),
    ("one-by-one", one(gradients=1e-3), FAILS),
    ("one-by-one", one(field=3), FAILS),
    ("one-by-one", one(channels=1), FAILS),
    ("one-by-one", one(outputs=1e-8), UNDECIDED),
    ("one-by-one", one(apart=0.0), UNDECIDED),
    ("bottleneck-savings", bottleneck([0.97, 0.965, 0.9], [0.965, 0.97, 0.98]), HOLDS),
    ("bottleneck-savings", bottleneck([0.97, 0.97, 0.97], [0.97, 0.97, 0.97], flops=137), FAILS),
    ("bottleneck-savings", bottleneck([0.9, 0.91, 0.95], [0.97, 0.97, 0.97]), FAILS),
    ("bottleneck-savings", bottleneck([0.97, 0.97, 0.97], [0.9, 0.9, 0.9]), FAILS),
    ("bottleneck-savings", bottleneck([0.97, 0.95, 0.9], [0.965, 0.97, 0.98]), UNDECIDED),
    ("dilation-field", fields(), HOLDS),
    ("dilation-field", fields(dilated=(3, 5, 7), predicted=(3, 5, 7)), FAILS),
    ("dilation-field", fields(dilated=(3, 7, 13)), FAILS),
    ("dilation-field", fields(undilated=(3, 7, 15)), FAILS),
    ("dilation-field", fields(holes=1), FAILS),
    ("dilation-field", fields(parameters=(9, 18, 36)), FAILS),
    ("pooling-discards", discards(), HOLDS),
    ("pooling-discards", discards(kept=0.3), FAILS),
    ("pooling-discards", discards(most=2), FAILS),
    ("pooling-discards", discards(equal=0.75), UNDECIDED),
    ("densenet-vs-resnet", families(([0.7, 0.9, 0.9], [0.6, 0.7, 0.9])), HOLDS),
    ("densenet-vs-resnet", families(([0.6, 0.7, 0.9], [0.6, 0.9, 0.9])), FAILS),
    ("densenet-vs-resnet", families(([0.6, 0.7, 0.7], [0.6, 0.9, 0.9])), FAILS),
    (
        "densenet-vs-resnet",
        families(([0.7, 0.9, 0.9], [0.6, 0.7, 0.9]), ([0.6, 0.7, 0.9], [0.6, 0.7, 0.9])),
        UNDECIDED,
    ),
    ("densenet-vs-resnet", families(([0.9, 0.9, 0.9], [0.6, 0.7, 0.9])), UNDECIDED),
    ("fixed-context-length", by_length([(1.0, 1.0), (1.0, 0.99)]), HOLDS),
    ("fixed-context-length", by_length([(1.0, 0.5)]), FAILS),
    ("fixed-context-length", by_length([(1.0, 1.0)], fixed=((1.0, 0.5), (1.0, 1.0))), FAILS),
    ("fixed-context-length", by_length([(1.0, 1.0), (1.0, 0.9)]), UNDECIDED),
    ("fixed-context-length", by_length([(1.0, 1.0)], fixed=((1.0, 0.5), (1.0, 0.95))), UNDECIDED),
    ("fixed-context-length", by_length([(1.0, 1.0)], fixed=((1.0, 0.5), (0.6, 0.2))), UNDECIDED),
    ("reversed-source", turned([(0.9, 0.8), (0.95, 0.9)]), HOLDS),
    ("reversed-source", turned([(0.8, 0.9), (0.9, 0.95)]), FAILS),
    ("reversed-source", turned([(0.9, 0.8), (0.95, 0.9), (0.8, 0.9)]), UNDECIDED),
    ("beam-finds-more", beams(((-3.0, -2.0, -2.0), (0.5, 0.6, 0.6))), HOLDS),
    ("beam-finds-more", beams(((-2.0, -2.0, -2.0), (0.5, 0.6, 0.6))), FAILS),
    ("beam-finds-more", beams(((-3.0, -2.0, -2.0), (0.5, 0.5, 0.5))), FAILS),
    ("beam-finds-more", beams(((-3.0, -2.0, -2.5), (0.5, 0.6, 0.6))), UNDECIDED),
    ("beam-finds-more", beams(((-3.0, -2.0, -2.0), (0.5, 0.6, 0.6)), lower=6), UNDECIDED),
    (
        "beam-finds-more",
        beams(((-3.0, -2.0, -2.0), (0.5, 0.6, 0.6)), ((-3.0, -2.0, -2.0), (0.5, 0.5, 0.4))),
        UNDECIDED,
    ),
    ("input-need-not-be-a-sequence", captions([30.0, 40.0], [50.0, 60.0]), HOLDS),
    ("input-need-not-be-a-sequence", captions([11.0, 11.5], [50.0, 60.0]), FAILS),
    ("input-need-not-be-a-sequence", captions([30.0, 40.0], [50.0, 60.0], blank=45.0), FAILS),
    ("input-need-not-be-a-sequence", captions([20.0, 40.0], [50.0, 60.0]), UNDECIDED),
    ("shared-encoder-decoder", sharing((0.9, 0.91, 0.92), (0.93, 0.94, 0.95)), HOLDS),
    ("shared-encoder-decoder", sharing((0.8, 0.81, 0.82), (0.85, 0.86, 0.87)), FAILS),
    ("shared-encoder-decoder", sharing((0.8, 0.81, 0.82), (0.93, 0.94, 0.95)), UNDECIDED),
    ("shared-encoder-decoder", sharing((0.9, 0.91, 0.92), (0.5, 0.94, 0.95)), UNDECIDED),
    ("attention-vs-recurrence", layer_costs(), HOLDS),
    ("attention-vs-recurrence", layer_costs(seconds=0.5), HOLDS),
    ("attention-vs-recurrence", layer_costs(lambda n, d: n * d * d), FAILS),
    ("attention-vs-recurrence", layer_costs(lambda n, d: 40 * n * n * d), FAILS),
    ("attention-vs-recurrence", layer_costs(lambda n, d: 8 * n * n * d), UNDECIDED),
    ("path-length-attention", paths(), HOLDS),
    ("path-length-attention", paths(attention=(1, 2, 3)), FAILS),
    ("path-length-attention", paths(kept=1e-9), FAILS),
    ("path-length-attention", paths(tcn=(3, 4, 6)), UNDECIDED),
    ("path-length-attention", paths(tcn=(3, 3, 3)), UNDECIDED),
    ("path-length-attention", paths(lstm=(32, 40, 50)), UNDECIDED),
    ("path-length-attention", paths(lost=0.1), UNDECIDED),
    ("path-length-attention", paths(kept=0.05), UNDECIDED),
    ("shared-over-positions", positions(), HOLDS),
    ("shared-over-positions", positions(same=1e-3), FAILS),
    ("shared-over-positions", positions(sizes=2), FAILS),
    ("shared-over-positions", positions(lost=(1.0, 1.0)), FAILS),
    ("shared-over-positions", positions(same=1e-9), UNDECIDED),
    ("shared-over-positions", positions(apart=1e-15), UNDECIDED),
    ("shared-over-positions", positions(right=(1.0, 0.9)), UNDECIDED),
    ("shared-over-positions", positions(lost=(0.3, 0.8)), UNDECIDED),
    ("masked-attention-hides", masks(), HOLDS),
    ("masked-attention-hides", masks(hidden=20), FAILS),
    ("masked-attention-hides", masks(without=(1.0, 1.0)), FAILS),
    ("masked-attention-hides", masks(seen=1), UNDECIDED),
    ("masked-attention-hides", masks(loss=0.5), UNDECIDED),
    ("masked-attention-hides", masks(without=(0.1, 0.6)), UNDECIDED),
    ("masked-attention-hides", masks(masked=(1.0, 0.9)), UNDECIDED),
    ("trains-at-once-generates-one-by-one", ways(), HOLDS),
    ("trains-at-once-generates-one-by-one", ways(taught=(29, 29, 30)), FAILS),
    ("trains-at-once-generates-one-by-one", ways(written=(29, 29, 29)), FAILS),
    ("trains-at-once-generates-one-by-one", ways(apart=0.1), FAILS),
    ("trains-at-once-generates-one-by-one", ways(apart=1e-7), UNDECIDED),
    ("trains-at-once-generates-one-by-one", ways(written=(50, 92, 93)), UNDECIDED),
    ("queries-keys-values-same", matrices((1.0, 0.98)), HOLDS),
    ("queries-keys-values-same", matrices((0.9, 0.9)), FAILS),
    ("queries-keys-values-same", matrices((1.0, 0.96)), UNDECIDED),
    ("queries-keys-values-same", matrices((0.5, 0.5), usual=(0.5, 0.5)), UNDECIDED),
    ("post-norm-needs-warmup", warmups((0.3, 0.4)), HOLDS),
    ("post-norm-needs-warmup", warmups((1.0, 0.99)), FAILS),
    ("post-norm-needs-warmup", warmups((0.3, 0.4), warmed=(0.3, 0.3)), FAILS),
    ("post-norm-needs-warmup", warmups((0.3, 0.4), pre=(0.3, 0.4)), FAILS),
    ("post-norm-needs-warmup", warmups((0.3, 0.6)), UNDECIDED),
    ("post-norm-needs-warmup", warmups((0.3, 0.4), warmed=(1.0, 0.8)), UNDECIDED),
    ("elmo-vectors-differ-by-context", contexts(), HOLDS),
    ("elmo-vectors-differ-by-context", contexts(token=0.1), FAILS),
    ("elmo-vectors-differ-by-context", contexts(read=0.0), FAILS),
    ("elmo-vectors-differ-by-context", contexts(read=1e-5), UNDECIDED),
    ("elmo-vectors-differ-by-context", contexts(deaf=1e-3), UNDECIDED),
    ("elmo-needs-no-fine-tuning", taggers((0.8, 0.81)), HOLDS),
    ("elmo-needs-no-fine-tuning", taggers((0.4, 0.5)), FAILS),
    ("elmo-needs-no-fine-tuning", taggers((0.8, 0.81), tuned=(0.9, 0.9)), FAILS),
    ("elmo-needs-no-fine-tuning", taggers((0.8, 0.81), tuned=(0.84, 0.84)), UNDECIDED),
    ("elmo-needs-no-fine-tuning", taggers((0.8, 0.81), scratch=(0.79, 0.3)), UNDECIDED),
    ("both-sides-change-a-word", sides(), HOLDS),
    ("both-sides-change-a-word", sides(gpt=(1, 9)), FAILS),
    ("both-sides-change-a-word", sides(bert=(0, 10)), FAILS),
    ("both-sides-change-a-word", sides(bert=(9, 1)), UNDECIDED),
    ("both-sides-change-a-word", sides(left=9), UNDECIDED),
    ("cls-feeds-the-classifier", first_vector(), HOLDS),
    ("cls-feeds-the-classifier", first_vector(last=1e-12), FAILS),
    ("cls-feeds-the-classifier", first_vector(others=1e-12), FAILS),
    ("cls-feeds-the-classifier", first_vector(read=(0.0, 0.0)), FAILS),
    ("cls-feeds-the-classifier", first_vector(read=(0.1, 0.0)), UNDECIDED),
    ("cls-feeds-the-classifier", first_vector(everything=0.0), UNDECIDED),
    ("bert-learns-from-fewer-positions", learners((40, 30)), HOLDS),
    ("bert-learns-from-fewer-positions", learners((90, 90)), HOLDS),
    ("bert-learns-from-fewer-positions", learners((20, 10)), FAILS),
    ("bert-learns-from-fewer-positions", learners((40, 30), share=50), FAILS),
    ("bert-learns-from-fewer-positions", learners((40, 20)), UNDECIDED),
    ("bert-learns-from-fewer-positions", learners((40, 30), few=(20, 20)), UNDECIDED),
    ("bert-learns-from-fewer-positions", learners((90, 90), gpt=(20, 90), few=(90, 90)), UNDECIDED),
    ("albert-shares-parameters", shared_layers((3.05, 3.1)), HOLDS),
    ("albert-shares-parameters", shared_layers((3.05, 3.1), seconds=0.5), HOLDS),
    ("albert-shares-parameters", shared_layers((3.2, 3.3)), FAILS),
    ("albert-shares-parameters", shared_layers((3.05, 3.1), parameters=10), FAILS),
    ("albert-shares-parameters", shared_layers((3.05, 3.1), flops=8), FAILS),
    ("albert-shares-parameters", shared_layers((3.05, 3.1), steps=8), FAILS),
    ("albert-shares-parameters", shared_layers((2.9, 3.25)), UNDECIDED),
    ("albert-shares-parameters", shared_layers((3.9, 3.9), bert=(3.9, 3.9)), UNDECIDED),
    ("electra-learns-from-all", detectors((0.8, 0.8)), HOLDS),
    ("electra-learns-from-all", detectors((0.5, 0.5)), FAILS),
    ("electra-learns-from-all", detectors((0.8, 0.8), share=99), FAILS),
    ("electra-learns-from-all", detectors((0.8, 0.8), few=(0.7, 0.8)), UNDECIDED),
    ("electra-learns-from-all", detectors((0.8, 0.6)), UNDECIDED),
    ("electra-learns-from-all", detectors((0.3, 0.3), bert=(0.4, 0.4), few=(0.4, 0.4)), UNDECIDED),
]


@pytest.mark.parametrize(("name", "rows", "verdict"), CASES)
def test_the_verdict_follows_the_measurement(name, rows, verdict):
    assert find(name).experiment().judge(rows).verdict is verdict


def test_every_claim_can_hold_and_can_fail():
    reached = {(name, verdict) for name, _, verdict in CASES}
    assert all({(claim.id, HOLDS), (claim.id, FAILS)} <= reached for claim in CLAIMS)
