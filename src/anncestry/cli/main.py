"""``anncestry WORD ...``: finds the subcommand's module and hands it its arguments.

Each subcommand is a module with a frozen dataclass ``Arguments`` and a function ``run(arguments)``. It is
imported when it is asked for, and imports torch when it runs, so that help and mistakes answer at once.
"""

import gc
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from anncestry.cli.spinning import begin_again_spinning
from anncestry.cli.verbose import without_flag
from anncestry.errors import UserError, nearest

COMMANDS = {
    "list": "the timeline: year, name, parents, paper, tasks, sizes",
    "log": "what led to an architecture, as commits: what each step added and removed",
    "show": "layers, shapes, parameters, FLOPs, memory and sequential steps of a model",
    "diff": "what changed between two models, and what it costs",
    "train": "train any architecture on any data that fits it, or resume a run",
    "evaluate": "the scores of a run, on its own test data or on yours",
    "predict": "classify, forecast or continue inputs with a run",
    "inspect": "hidden states and gates, feature maps, attention heads of a run, as one HTML page",
    "compare": "race every architecture that fits your data under an equal budget",
    "claims": "the literature's claims, re-measured",
    "bench": "this project beside its peers, in one table, on this machine",
    "import": "make a folder of ours from the weights of PyTorch, Keras, CTranslate2, Marian, ...",
    "export": "write a run for PyTorch, Keras, transformers, Marian, ONNX, ...",
}
BRIEF = ("list", "log", "show", "diff")
"""Commands that print a page and end."""


class Stopped(KeyboardInterrupt):
    """SIGTERM, or a closed terminal (SIGHUP): ends as after Ctrl-C, with nothing half written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def stop_in_order() -> None:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does; under ``nohup`` it lives on."""

    def stop(number: int, frame: FrameType | None) -> None:
        # A closed terminal may say so twice; who asks twice for an end means it.
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
        raise Stopped(number)

    for name in ("SIGTERM", "SIGHUP"):  # Windows knows no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def usage() -> str:
    """The help of the command as a whole."""
    width = max(map(len, COMMANDS))
    lines = ["usage: anncestry COMMAND [options]        (anncestry COMMAND --help says more)", ""]
    lines += ["The family tree of artificial neural networks, alive.", ""]
    lines += [f"  {word:<{width}}  {meaning}" for word, meaning in COMMANDS.items()]
    lines += ["", "Start with:  anncestry compare --data digits --budget 5s"]
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """Run one command; the exit code is 0, 2 for a mistake of the user's, 128 + n for signal n."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else 2
    if words[0] in ("-V", "--version", "version"):
        from anncestry.version import __version__

        print(f"anncestry {__version__}")
        return 0
    command = words[0]
    try:
        if command not in COMMANDS:
            raise UserError("command", command, "is not a command", nearest(command, list(COMMANDS)))
        module = importlib.import_module(f"anncestry.cli.{command}")
        if asks_for_help(words[1:]):
            from anncestry.cli.help import help_text

            print(help_text(command, module, words[1:]))
            return 0
        import tyro

        arguments = tyro.cli(
            module.Arguments,
            args=without_flag(command, words[1:]),
            prog=f"anncestry {command}",
            description=module.__doc__,
            config=(tyro.conf.DisallowNone,),
        )
        return module.run(arguments) or 0
    except UserError as error:
        print(f"anncestry {command}: {error.spelt(_flags(command))}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        from anncestry.models.building import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0] or "memory was refused"
        print(f"anncestry {command}: needs more memory than there is ({reason}).", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"anncestry {command}: stopped.", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except BrokenPipeError:  # `anncestry list | head`
        sys.stderr.close()
        return 0


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether ``-h`` or ``--help`` stands among the options."""
    options = words[: words.index("--")] if "--" in words else words
    return any(word in ("-h", "--help") for word in options)


def _flags(command: str) -> dict[str, str]:
    """From the arguments of Python to the options of a command."""
    if command not in COMMANDS:
        return {}
    from anncestry.cli.options import options_of

    options = options_of(importlib.import_module(f"anncestry.cli.{command}").Arguments)
    return {
        option.name: option.shown.split(maxsplit=1)[0].rstrip(",") for option in options if option.is_flagged
    }


def entry() -> None:
    """The installed command."""
    try:
        begin_again_spinning()
    except UserError as error:
        print(f"anncestry: {error}", file=sys.stderr)
        sys.exit(2)
    stop_in_order()
    if sys.argv[1:] and sys.argv[1] in BRIEF:
        # Nearly all of the objects that PyTorch makes stay: to look for garbage among them again and again
        # takes a third of a second.
        gc.disable()
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        gc.freeze()  # nor is there anything to be looked for at the end, which takes another quarter
