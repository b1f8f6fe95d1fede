"""A contest whose programs each have a process of their own, which take turns.

PyTorch, CTranslate2 and ONNX Runtime each bring threads of their own. Where two of them have worked in one
process, they disturb each other: a step of GPT-2 in 8-bit integers took 12.0 ms beside a CTranslate2 that had
run, and 5.7 ms alone (two cores). So each program sets the contest up in a process that runs no other.
"""

import dataclasses
import importlib
import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from anncestry.bench.catalogue import ROWS
from anncestry.bench.contest import Contest, Contestant

PROGRAMS = ("CTranslate2", "ONNX Runtime")
"""Who brings threads of its own; contestants' names begin with it. All others run on PyTorch's."""


class Left:
    """An output that stays in the process that made it until it is called for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self) -> Any:
        self._connection.send_bytes(pickle.dumps(None))
        return pickle.loads(self._connection.recv_bytes())  # of a process that this one has started


@contextmanager
def apart(row: str, tiny: bool = False) -> Iterator[Contest]:
    """The contest of a row; each contestant's ``run`` asks the process of its program, and returns `Left`."""
    with ExitStack() as stack:
        connection, contest = stack.enter_context(_process(row, tiny))
        connections = {"": connection}
        for program in {program_of(one.name) for one in contest.contestants} - {""}:
            connections[program], _ = stack.enter_context(_process(row, tiny))
        contestants = [_asking(one, connections[program_of(one.name)]) for one in contest.contestants]
        yield dataclasses.replace(contest, contestants=contestants)


def set_up(name: str, tiny: bool = False) -> AbstractContextManager[Contest]:
    """The contest of a row in this process."""
    from anncestry.engine.memory import keep_freed_memory

    keep_freed_memory()  # for every contestant
    row = next(row for row in ROWS if row.id == name)
    return importlib.import_module(f"anncestry.bench.parts.{row.part}").CONTESTS[name](tiny=tiny)


def program_of(name: str) -> str:
    """Whose threads a contestant runs on; empty for PyTorch's."""
    return next((program for program in PROGRAMS if name.startswith(program)), "")


def _asking(one: Contestant, connection: Connection) -> Contestant:
    def run() -> Left:
        connection.send_bytes(pickle.dumps(one.name))
        error = connection.recv_bytes()
        if error:
            raise RuntimeError(f"{one.name}: {error.decode()}")
        return Left(connection)

    return dataclasses.replace(one, run=run)


@contextmanager
def _process(row: str, tiny: bool) -> Iterator[tuple[Connection, Contest]]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(there, row, tiny), daemon=True
    )
    process.start()
    there.close()
    try:
        try:
            contest = pickle.loads(here.recv_bytes())
        except EOFError:
            process.join()
            raise RuntimeError(f"the process that sets {row} up ended with {process.exitcode}") from None
        yield here, contest
    finally:
        here.close()
        process.join(10)
        process.kill()


def _serve(connection: Connection, row: str, tiny: bool) -> None:
    """Set the contest up, say what it is, and run who is named; None asks for the last output."""
    with set_up(row, tiny) as contest:
        runs = {one.name: one.run for one in contest.contestants}
        described = [dataclasses.replace(one, run=_nothing) for one in contest.contestants]
        connection.send_bytes(pickle.dumps(dataclasses.replace(contest, contestants=described)))
        output = None
        while True:
            try:
                name = pickle.loads(connection.recv_bytes())
            except EOFError:
                return
            if name is None:
                connection.send_bytes(pickle.dumps(output))
                continue
            try:
                output = runs[name]()
            except Exception as error:  # it is for the asking process to end with it
                print(f"{name}: {error!r}", file=sys.stderr)
                connection.send_bytes(repr(error).encode())
            else:
                connection.send_bytes(b"")


def _nothing() -> None:
    """Stands in a contestant that is described to another process."""
