"""Every speed table, in one go: ``python -m benchmarks.run --data DIR [--quick] [--out FOLDER]``.

First the table of ``anncestry bench``, whose files go to FOLDER; then what is measured for this repository
alone, which goes to FOLDER too, as ``more.md``.
"""

import argparse
from pathlib import Path

import benchmarks.densenet
import benchmarks.dilated
import benchmarks.loop
import benchmarks.lstm
import benchmarks.perceptron
import benchmarks.pretraining
import benchmarks.recurrent
import benchmarks.transformer
import benchmarks.translation
from anncestry.bench.catalogue import ROWS
from anncestry.bench.running import ROUNDS, run_bench

ABOUT = """The ratio is the median over rounds of a contestant's time over the first one's in the same round;
a difference below a tenth is mostly noise here.
"""


def main() -> None:
    """Measure everything, and print what is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds mnist/")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that everything runs")
    parser.add_argument("--out", type=Path, default=Path("reports/bench"), help="gets the tables")
    arguments = parser.parse_args()
    quick = arguments.quick
    run_bench(ROWS, arguments.out, 1 if quick else ROUNDS, watch=lambda name, record: print(name, flush=True))
    sections = [
        ABOUT,
        benchmarks.loop.main(quick),
        benchmarks.lstm.main(quick),
        benchmarks.recurrent.main(quick),
        benchmarks.dilated.main(quick),
        benchmarks.densenet.memory(),
        benchmarks.translation.main(quick),
        benchmarks.transformer.main(quick),
        benchmarks.pretraining.main(quick),
    ]
    mnist = arguments.data / "mnist"
    if mnist.is_dir():
        sections.append(benchmarks.perceptron.main(mnist, quick))
    else:
        sections.append(f"The perceptron's table needs the MNIST files in {mnist}.\n")
    text = "\n".join(sections)
    print((arguments.out / "bench.md").read_text(encoding="utf-8"))
    print(text)
    (arguments.out / "more.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
