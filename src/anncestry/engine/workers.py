"""Several predictions side by side, each in a thread of its own on one core.

Operators give the interpreter's lock back while they work, so threads run at once. One operator that is
shared out over cores waits for the slowest of them every time; two that run beside each other do not.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from anncestry.arrays import Tensor
from anncestry.engine.prediction import Prediction

LARGE = 2**18  # numbers of an input, from which on threads of their own pay

Job, Result = TypeVar("Job"), TypeVar("Result")


def side_by_side(
    work: Callable[[Job], Result], jobs: Sequence[Job], prediction: Prediction, device: torch.device
) -> list[Result]:
    """What ``work`` makes of each job, in their order.

    On a CPU with several threads and jobs they run side by side; the first error of any is raised. The caller
    is within the scope of ``prediction``.
    """
    workers = min(torch.get_num_threads(), len(jobs)) if device.type == "cpu" else 1
    if workers <= 1:
        return [work(job) for job in jobs]

    def alone(job: Job) -> Result:
        torch.set_num_threads(1)  # of this thread
        with torch.no_grad(), prediction.caching_weights():
            return work(job)

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(alone, job) for job in jobs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                for future in futures:
                    future.cancel()
                raise
    finally:
        torch.set_num_threads(before)


def shared_out(work: Callable[[slice], Tensor], inputs: Tensor, prediction: Prediction) -> Tensor:
    """(N, ...): what ``work`` makes of the rows of ``inputs``; an equal part on each core where it is large.

    Args:
        work: makes of some of the rows what belongs to them.
        inputs: (N, ...).
    """
    workers = min(torch.get_num_threads(), len(inputs))
    if inputs.device.type != "cpu" or workers <= 1 or inputs.numel() < LARGE:
        return work(slice(None))
    ends = [len(inputs) * part // workers for part in range(workers + 1)]
    parts = [slice(first, last) for first, last in itertools.pairwise(ends)]
    return torch.cat(side_by_side(work, parts, prediction, inputs.device))
