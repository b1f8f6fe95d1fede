"""Runs of a race in several processes at once."""

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue

import torch
from threadpoolctl import threadpool_limits

from anncestry.data import DataOptions, Dataset, load_data
from anncestry.race.budget import Budget
from anncestry.race.folder import remove_leftover
from anncestry.race.records import Run
from anncestry.race.trial import attempt, run_folder, train_run
from anncestry.timeline import find
from anncestry.training.outcome import Progress

News = tuple[str, int, Progress | None]  # entrant, seed; None when the run begins


class Workers:
    """Processes that train models; use as a context.

    A process that is killed costs the run that it was at; another replaces it. Leaving the context by an
    error (Ctrl-C is one) ends the processes and drops what is not finished.

    Args:
        jobs: how many runs at once.
        threads: of each.
        folder: of the race; trained models are kept in it.
    """

    def __init__(self, jobs: int, threads: int, folder: Path | None) -> None:
        self.threads, self.folder = threads, folder
        self.futures: list[Future[Run]] = []
        self.told: SimpleQueue[Future[Run] | News] = SimpleQueue()  # what is done, and what is on
        self.hands = ThreadPoolExecutor(jobs)  # each of them waits for a process of its own
        self.idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(jobs):
            self.idle.put(self._process())
        self.processes: set[BaseProcess] = set()
        self.ended = False

    def _process(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a forked process would inherit PyTorch's threads
        reader, writer = context.Pipe(duplex=False)  # its own: no lock that a killed one could take with it
        threading.Thread(target=self._listen, args=(reader,), daemon=True).start()
        return ProcessPoolExecutor(1, context, initializer=_prepare, initargs=(self.threads, writer))

    def _listen(self, reader: Connection) -> None:
        """Pass on what a process tells, until it and its pool are gone, which hold the other end."""
        with reader:
            while True:
                try:
                    self.told.put(reader.recv())
                except (EOFError, OSError):  # also in the middle of what it told
                    return

    def submit(self, model: str, data: str, options: DataOptions, seed: int, budget: Budget) -> None:
        """Queue one run."""
        future = self.hands.submit(self._run, model, data, options, seed, budget)
        future.add_done_callback(self.told.put)
        self.futures.append(future)

    def _run(self, model: str, data: str, options: DataOptions, seed: int, budget: Budget) -> Run:
        """One run in a process that waits for one; in the hand of a thread."""
        pool = self.idle.get()
        try:
            try:
                future = pool.submit(_train, model, data, options, seed, budget, self.folder)
            except BrokenProcessPool:  # killed while it waited
                pool = self._process()
                future = pool.submit(_train, model, data, options, seed, budget, self.folder)
            (process,) = pool._processes.values()
            self.processes.add(process)
            if self.ended:  # meanwhile
                process.terminate()
            try:
                return future.result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = self._process()
                return Run(
                    entrant=find(model).id, seed=seed, status="failed", error=_killed(process.exitcode)
                )
        finally:
            self.idle.put(pool)

    def finished(self, watch: Callable[[str, int, Progress | None], None]) -> Iterator[Run]:
        """Every run, as soon as it is done.

        Args:
            watch: called in between, with the entrant and the seed when a run begins, and with its progress.
        """
        done: set[tuple[str, int]] = set()
        while len(done) < len(self.futures):
            told = self.told.get()
            if isinstance(told, tuple):
                if told[:2] not in done:  # news may come after the end
                    watch(*told)
                continue
            run = told.result()
            if run.status == "interrupted":
                raise KeyboardInterrupt
            done.add((run.entrant, run.seed))
            yield run

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            self.ended = True
            for future in self.futures:
                future.cancel()
            for process in list(self.processes):
                process.terminate()
        self.hands.shutdown(wait=True)
        while not self.idle.empty():
            self.idle.get().shutdown(wait=True)


def _killed(code: int | None) -> str:
    """Why a process is gone, from its exit code: below 0 for a signal."""
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    memory = "; the system does that when memory runs out" if code == -signal.SIGKILL else ""
    return f"its process was killed ({how}){memory}"


_writers: list[Connection] = []  # of a worker: one, to tell the race how far it is


def _prepare(threads: int, writer: Connection) -> None:
    """Of each process: so many threads, whom to tell, and no life without the race."""
    _writers.append(writer)
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # else it would train on, for nobody, and write into the folder of a race that goes on


@functools.lru_cache(maxsize=1)
def _dataset(data: str, options: DataOptions, seed: int) -> Dataset:
    return load_data(data, options, seed)


def _train(
    model: str, data: str, options: DataOptions, seed: int, budget: Budget, folder: Path | None
) -> Run:
    """One run, in a worker."""
    run = Run(entrant=find(model).id, seed=seed)

    def tell(progress: Progress | None) -> None:
        _writers[0].send((run.entrant, seed, progress))

    def work(run: Run) -> None:
        tell(None)
        remove_leftover(run_folder(folder, run))
        dataset = _dataset(data, options, seed)
        train_run(run, find(model), dataset, budget, run_folder(folder, run), tell)

    return attempt(run, work)
