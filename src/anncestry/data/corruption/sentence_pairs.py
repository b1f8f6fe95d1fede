"""Which sentences stand together in an input of pre-training: one after the other, or two that are compared.

A plan is a table of positions in a tokenized text: row by row where a first text begins and ends, where a
second one does, and how the second follows the first.

* ``none``: full sentences, as many as there is room for, over the borders of documents (Liu et al.,
  1907.11692, "full-sentences"). A line that is longer than the room is cut.
* ``next``: next-sentence prediction: the second sentence follows (0), or is of another document (1): Devlin
et
  al., 1810.04805, as their ``create_pretraining_data`` does it.
* ``order``: sentence-order prediction: the second sentence follows (0), or the two are swapped (1): Lan et
al.,
  1909.11942.
* ``three``: it follows (0), comes before (1), or is of another document (2), each as likely: Wang et al.,
  1908.04577.
"""

from bisect import bisect_left
from itertools import pairwise
from random import Random

import numpy as np

from anncestry.data.readers.token_files import TokenFile

PAIRS = ("none", "next", "order", "three")
NUM_RELATIONS = {"none": 0, "next": 2, "order": 2, "three": 3}
SHORT = 0.1  # the share of documents whose texts are of a random shorter length
TRIES = 10  # to find another document


def full_sentences(text: TokenFile, room: int) -> np.ndarray:
    """(N, 5) int64: blocks of whole lines, one text each."""
    blocks = _blocks(text.lines, 0, len(text.tokens), room)
    plan = np.zeros((len(blocks), 5), np.int64)
    if blocks:
        plan[:, :2] = blocks
    return plan


def within_documents(text: TokenFile, room: int) -> np.ndarray:
    """(N, 2) int64: blocks of whole lines that go over the border of no document."""
    borders = pairwise(text.lines[text.documents].tolist())
    blocks = [block for first, last in borders for block in _blocks(text.lines, first, last, room)]
    return np.array(blocks, np.int64).reshape(-1, 2)


def _blocks(starts: np.ndarray, first: int, total: int, room: int) -> list[tuple[int, int]]:
    """What lies from ``first`` to ``total``, in blocks of whole lines; one that is too long is cut."""
    blocks = []
    while first < total:
        last = first + room
        if last >= total:
            last = total
        else:
            line = int(np.searchsorted(starts, last, "right")) - 1  # the one that holds the last position
            begin, end = int(starts[line]), int(starts[line + 1])
            if first < begin and end - begin <= room:
                last = begin
        blocks.append((first, last))
        first = last
    return blocks


def sentence_pairs(text: TokenFile, room: int, kind: str, seed: int) -> np.ndarray:
    """(N, 5) int64: pairs of texts of one pass, in the order of the documents.

    Lines of a document are gathered until they fill the target length, which is the room, or in one document
    of ten a random shorter one. The first text are the lines up to a random one, the second what is behind
    it; or, where the relation wants it and always where there is but one line, lines of another document
    from a random one on, and what was not used is gathered again.

    Args:
        room: tokens of both texts together.
    """
    random, pairs = Random(seed), []
    documents = text.documents.tolist()
    starts = text.lines.tolist() if len(text.lines) < 10**7 else text.lines
    for number, (first, end) in enumerate(pairwise(documents)):
        target = random.randint(2, room) if room > 2 and random.random() < SHORT else room
        line = first
        while line < end:
            wanted = int(starts[line]) + target
            behind = min(end, bisect_left(starts, wanted, line + 1, end))
            pair, line = _pair(starts, documents, number, line, behind, target, kind, random)
            if pair is not None:
                pairs.append(_truncated(pair, room, random))
    return np.array(pairs, np.int64).reshape(-1, 5)


def _pair(
    starts, documents: list[int], number: int, line: int, behind: int, target: int, kind: str, random: Random
) -> tuple[tuple[int, ...] | None, int]:
    """One pair of the lines from ``line`` on to the one ``behind`` them, and the line to go on with."""
    begin, end = int(starts[line]), int(starts[behind])
    single = behind - line == 1
    middle = behind if single else random.randint(line + 1, behind - 1)
    border = int(starts[middle])
    if kind == "order":
        if single:  # what has no second sentence is cut in its middle
            border = (begin + end) // 2
        if border == begin:
            return None, behind
        follows = random.random() < 0.5
        return ((begin, border, border, end, 0) if follows else (border, end, begin, border, 1)), behind
    relation = random.randrange(3) if kind == "three" else int(random.random() < 0.5)
    elsewhere = NUM_RELATIONS[kind] - 1
    if single:
        relation = elsewhere
    if relation == 0:
        return (begin, border, border, end, 0), behind
    if relation != elsewhere:
        return (border, end, begin, border, relation), behind
    other = number
    for _ in range(TRIES):
        other = random.randrange(len(documents) - 1)
        if other != number:
            break
    start = random.randrange(documents[other], documents[other + 1])
    of_second = int(starts[start])
    wanted = of_second + max(1, target - (border - begin))
    stop = min(documents[other + 1], bisect_left(starts, wanted, start + 1, documents[other + 1]))
    return (begin, border, of_second, int(starts[stop]), relation), middle


def _truncated(pair: tuple[int, ...], room: int, random: Random) -> tuple[int, ...]:
    """The pair with as many tokens as there is room for.

    Token by token is taken from the longer text (the second, where they are equal), from its front or its end
    by the toss of a coin.
    """
    a, a_end, b, b_end, relation = pair
    of_first, of_second = truncated_sizes(a_end - a, b_end - b, room)
    for_first, for_second = a_end - a - of_first, b_end - b - of_second
    front = random.getrandbits(for_first).bit_count() if for_first else 0
    a, a_end = a + front, a_end - (for_first - front)
    front = random.getrandbits(for_second).bit_count() if for_second else 0
    return a, a_end, b + front, b_end - (for_second - front), relation


def truncated_sizes(first: int, second: int, room: int) -> tuple[int, int]:
    """What is left of two lengths of which the longer (the second, of equal ones) loses token after token."""
    surplus = first + second - room
    if surplus <= 0:
        return first, second
    if surplus <= abs(first - second):
        return (first - surplus, second) if first > second else (first, second - surplus)
    return room - room // 2, room // 2
