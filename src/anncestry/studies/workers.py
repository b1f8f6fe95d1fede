"""Runs of a race in several processes at once."""

import functools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from anncestry.data import DataOptions, Dataset, load_data
from anncestry.studies.budget import Budget
from anncestry.studies.entries import Run
from anncestry.studies.trial import attempt, run_folder, train_run
from anncestry.timeline import find


class Workers:
    """A pool of processes that train models; use as a context.

    Leaving the context by an error (Ctrl-C is one) ends the processes and drops what is not finished.

    Args:
        jobs: how many runs at once.
        threads: of each.
        folder: of the race; trained models are kept in it.
    """

    def __init__(self, jobs: int, threads: int, folder: Path | None) -> None:
        self.folder = folder
        self.futures: list[Future[Run]] = []
        context = multiprocessing.get_context("spawn")  # a forked process would inherit PyTorch's threads
        self.pool = ProcessPoolExecutor(jobs, context, initializer=_limit_threads, initargs=(threads,))

    def submit(self, model: str, data: str, options: DataOptions, seed: int, budget: Budget) -> None:
        """Queue one run."""
        self.futures.append(self.pool.submit(_train, model, data, options, seed, budget, self.folder))

    def finished(self) -> Iterator[Run]:
        """Every run, as soon as it is done."""
        for future in as_completed(self.futures):
            run = future.result()
            if run.status == "interrupted":
                raise KeyboardInterrupt
            yield run

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            for process in list((self.pool._processes or {}).values()):
                process.terminate()
        self.pool.shutdown(wait=True, cancel_futures=True)


def _limit_threads(count: int) -> None:
    torch.set_num_threads(count)
    threadpool_limits(count)


@functools.lru_cache(maxsize=1)
def _dataset(data: str, options: DataOptions, seed: int) -> Dataset:
    return load_data(data, options, seed)


def _train(
    model: str, data: str, options: DataOptions, seed: int, budget: Budget, folder: Path | None
) -> Run:
    """One run, in a worker."""
    run = Run(entrant=find(model).id, seed=seed)

    def work(run: Run) -> None:
        dataset = _dataset(data, options, seed)
        train_run(run, find(model), dataset, budget, run_folder(folder, run), lambda progress: None)

    return attempt(run, work)
