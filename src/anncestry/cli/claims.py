"""The literature's claims: each is a small experiment, and its verdict is computed from what was measured."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from anncestry.amounts import check_seed
from anncestry.claims import CLAIMS, select
from anncestry.errors import require

STYLES = {"holds": "green", "does not hold here": "red", "undecided": "yellow"}


@dataclass(frozen=True)
class Arguments:
    """Which claims to check, and where the numbers and pictures go."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Claims of `anncestry claims --list`; default: all of them."""
    list: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the claims and who made them, and run nothing."""
    out: Path = Path("claims")
    """The folder for claims.html, claims.json, claims.md and one picture per claim."""
    seed: int = 0
    """The first of the seeds that the experiments use."""


def run(arguments: Arguments) -> int:
    """Run the experiments one by one; what is done is on disk, whatever happens to the rest."""
    from rich.console import Console

    console = Console()
    claims = select(arguments.names)
    check_seed(arguments.seed, "--seed")
    for name in ("out", "seed") if arguments.list else ():
        value = getattr(arguments, name)
        rule = "has no effect with --list, which runs and writes nothing"
        require(value == getattr(Arguments, name), f"--{name}", str(value), rule)
    if arguments.list:
        show_list(console, claims if arguments.names else CLAIMS)
        return 0

    from anncestry.claims.common.running import run_claims

    with console.status("") as status:

        def watch(number, claim, evidence) -> None:
            place = f"{number}/{len(claims)} {claim.id}"
            if evidence is None:
                status.update(place)
                return
            line = f"{place}: {evidence.verdict} ({evidence.seconds:.1f} s)"
            console.print(line, style=STYLES[evidence.verdict], highlight=False)

        results, interrupted = run_claims(claims, arguments.out, arguments.seed, watch)
    if results:
        show_verdicts(console, results)
        page = arguments.out / "claims.html"
        console.print(f"Report: {page}", soft_wrap=True, markup=False, highlight=False)
    if interrupted:
        console.print(f"Stopped; {len(results)} of {len(claims)} claims are done.", highlight=False)
    return 130 if interrupted else 0


def show_list(console, claims) -> None:
    """The claims with their papers."""
    from rich.table import Table

    table = Table("claim", "sentence", "paper", show_lines=True)
    table.columns[0].no_wrap = True
    for claim in claims:
        table.add_row(claim.id, claim.sentence, claim.paper)
    console.print(table)


def show_verdicts(console, results) -> None:
    """The verdicts with the numbers they rest on."""
    from rich.table import Table

    table = Table("claim", "verdict", "because", show_lines=True)
    table.columns[0].no_wrap = True
    for claim, evidence in results:
        verdict = evidence.verdict.value
        table.add_row(claim.id, f"[{STYLES[verdict]}]{verdict}[/]", evidence.because)
    console.print(table)
