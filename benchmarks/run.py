"""Every speed table, in one go: ``python -m benchmarks.run --data DIR [--quick] [--write FILE]``."""

import argparse
import datetime
from pathlib import Path

import benchmarks.densenet
import benchmarks.dilated
import benchmarks.encoding
import benchmarks.generation
import benchmarks.loop
import benchmarks.lstm
import benchmarks.perceptron
import benchmarks.pretraining
import benchmarks.recurrent
import benchmarks.startup
import benchmarks.transformer
import benchmarks.translation
from benchmarks.timing import machine

ABOUT = """`make bench` (`python -m benchmarks.run`), everything interleaved in one run. The ratio is the
median over rounds of a contestant's time over the first one's in the same round; a difference below a
tenth is mostly noise here.
"""


def main() -> None:
    """Print the tables; with ``--write``, put them into a file too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds mnist/")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that everything runs")
    parser.add_argument("--write", type=Path, help="also write the tables here")
    arguments = parser.parse_args()
    sections = [
        "# Speed\n",
        ABOUT,
        f"Measured on {datetime.date.today():%d %B %Y} on {machine()}.\n",
        benchmarks.startup.main(arguments.quick),
        benchmarks.loop.main(arguments.quick),
        benchmarks.lstm.main(arguments.quick),
        benchmarks.recurrent.main(arguments.quick),
        benchmarks.dilated.main(arguments.quick),
        benchmarks.densenet.main(arguments.quick),
        benchmarks.translation.main(arguments.quick),
        benchmarks.transformer.main(arguments.quick),
        benchmarks.encoding.main(arguments.quick),
        benchmarks.generation.main(arguments.quick),
        benchmarks.pretraining.main(arguments.quick),
    ]
    mnist = arguments.data / "mnist"
    if mnist.is_dir():
        sections.append(benchmarks.perceptron.main(mnist, arguments.quick))
    else:
        sections.append(f"The perceptron's table needs the MNIST files in {mnist}.\n")
    text = "\n".join(sections)
    print(text)
    if arguments.write:
        arguments.write.write_text(text)


if __name__ == "__main__":
    main()
