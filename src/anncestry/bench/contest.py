"""A contest: what does the same work in several ways, and the plain data that is left of it.

A ratio above 1 is a win: the best peer's time over ours, in the same precision, each at the best of its own
settings that were run.
"""

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anncestry.bench.timing import Meter, Timed, Timings, interleave, ratio_of

FAR_BEHIND = 1.5
"""A peer that took so many times as long as the best one in the first round runs in no further one."""


@dataclass(frozen=True)
class Contestant:
    """One way to do the work.

    Attributes:
        name: of who does it, with its settings.
        run: does it once; what it returns is held against the first contestant's.
        precision: only contestants of one precision are held against each other.
        ours: whether it is this project's.
        against: the name of the contestant that its time is a multiple of, where it has no peer.
    """

    name: str
    run: Callable[[], Any]
    precision: str = "float32"
    ours: bool = False
    against: str = ""


@dataclass(frozen=True)
class Agreement:
    """How alike two outputs are.

    Attributes:
        name: of the figure: ``least cosine``.
        of: makes it of an output and of the first contestant's.
        form: in which it is shown.
    """

    name: str
    of: Callable[[Any, Any], float]
    form: str = ".5f"


@dataclass
class Contest:
    """What is timed beside each other.

    Attributes:
        contestants: the first is what outputs are held against.
        amount: how much of what is counted one run does: rates are this over the seconds.
        counted: what is counted, ``tokens``; empty where seconds say it all.
        agreement: of outputs; None where nothing is to be held against each other.
        unmeasured: lines on what could not be run here: peers that are missing, precisions.
        note: what else a reader must know.
        warm_up: calls of each contestant before.
    """

    contestants: Sequence[Contestant]
    amount: float = 1
    counted: str = ""
    agreement: Agreement | None = None
    unmeasured: list[str] = field(default_factory=list)
    note: str = ""
    warm_up: int = 1


def hold(contest: Contest, rounds: int, meter: Meter | None = None) -> dict[str, Any]:
    """Run a contest; what comes back is plain data, ready for JSON.

    Returns:
        ``contestants`` with their samples and quartiles in seconds, ``comparisons`` of ours with peers,
        ``agreement``, ``counted``, ``amount``, ``unmeasured``, ``note`` and ``quiet``, a sentence.
    """
    of_name = {one.name: one for one in contest.contestants}
    alike = _agreements(contest)
    runs = {name: one.run for name, one in of_name.items()}
    timings = interleave(
        runs, rounds, contest.warm_up, once=lambda seconds: _far_behind(of_name, seconds), meter=meter
    )
    return {
        "contestants": [_row(of_name[row.name], row, alike.get(row.name)) for row in timings],
        "comparisons": _comparisons(of_name, timings),
        "agreement": contest.agreement.name if contest.agreement else "",
        "counted": contest.counted,
        "amount": contest.amount,
        "unmeasured": list(contest.unmeasured),
        "note": contest.note,
        "quiet": str(timings.quiet),
    }


def _agreements(contest: Contest) -> dict[str, str]:
    if contest.agreement is None:
        return {}
    outputs = {one.name: _fetched(one.run()) for one in contest.contestants}
    first = outputs[contest.contestants[0].name]
    return {
        name: format(contest.agreement.of(output, first), contest.agreement.form)
        for name, output in outputs.items()
    }


def _fetched(output: Any) -> Any:
    """An output, also where it was left in another process (`anncestry.bench.apart`)."""
    return output() if callable(output) else output


def _far_behind(of_name: Mapping[str, Contestant], seconds: Mapping[str, float]) -> Collection[str]:
    """Peers that cannot be the best of their precision; who is referred to stays."""
    best: dict[str, float] = {}
    for name, one in of_name.items():
        if not one.ours:
            best[one.precision] = min(seconds[name], best.get(one.precision, seconds[name]))
    referred = {one.against for one in of_name.values()}
    return {
        name
        for name, one in of_name.items()
        if not one.ours and name not in referred and seconds[name] > FAR_BEHIND * best[one.precision]
    }


def _row(one: Contestant, timed: Timed, alike: str | None) -> dict[str, Any]:
    low, _, high = (
        statistics.quantiles(timed.samples, n=4, method="inclusive")
        if len(timed.samples) > 1
        else (timed.seconds,) * 3
    )
    return {
        "name": one.name,
        "precision": one.precision,
        "ours": one.ours,
        "seconds": timed.seconds,
        "low": low,
        "high": high,
        "samples": list(timed.samples),
        "agreement": alike or "",
    }


def _comparisons(of_name: Mapping[str, Contestant], timings: Timings) -> list[dict[str, Any]]:
    """Each of ours with the best peer of its precision, or as a multiple of what it names."""
    times = {row.name: row for row in timings}
    found = []
    for name, one in of_name.items():
        if not one.ours:
            continue
        peers = [times[peer] for peer, other in of_name.items() if _rivals(one, other)]
        if one.against:
            ratio = ratio_of(times[name].samples, times[one.against].samples)
            found.append(_comparison(one, one.against, ratio, is_multiple=True))
        elif peers:
            best = min(peers, key=lambda row: row.seconds)
            ratio = ratio_of(best.samples, times[name].samples)
            found.append(_comparison(one, best.name, ratio, is_multiple=False))
    return found


def _rivals(one: Contestant, other: Contestant) -> bool:
    return not other.ours and other.precision == one.precision


def _comparison(one: Contestant, peer: str, ratio: tuple[float, ...], is_multiple: bool) -> dict[str, Any]:
    middle, low, high = ratio
    return {
        "ours": one.name,
        "precision": one.precision,
        "peer": peer,
        "ratio": middle,
        "low": low,
        "high": high,
        "is_multiple": is_multiple,  # of the peer's time; else the peer's time over ours
    }
