"""Several predictions side by side, each in a thread of its own on one core.

Operators give the interpreter's lock back while they work, so threads run at once. One operator that is
shared out over cores waits for the slowest of them every time; two that run beside each other do not.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from anncestry.engine.prediction import Prediction

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
        with torch.no_grad(), prediction.keeping():
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
