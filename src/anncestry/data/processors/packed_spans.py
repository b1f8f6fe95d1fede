"""A question and a text between special tokens, and the answer span in the text.

As in the program of Devlin et al. (1810.04805, section 4.2; google-research/bert, ``run_squad.py``): a text
that is too long is read in windows which begin 128 tokens after each other; a token is a start only in the
window where it has most text around it; the answer is the best of all windows with at most 30 tokens. Where
questions may have no answer, the first token stands for that (its section 4.3).

*Departures:* the best start and end are searched exactly, where the program looks at the 20 best of each; the
answer is cut from the text by the characters that the tokens were read from, where the program aligns its
own cleaned text with it; a window of few tokens moves on by half of them, so that windows always overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.given import Given, ReadsTexts, Text, label_of
from anncestry.data.processors.packed import PackedProcessor
from anncestry.data.processors.packed_targets import SplitInputs
from anncestry.data.processors.sentences import pad
from anncestry.data.readers.squad import Question
from anncestry.data.splits.questions import Windows
from anncestry.errors import UserError
from anncestry.tokenizers.spec import packed_parts

NEVER = -1e30  # below every score
CHUNK = 64  # windows whose pairs of positions are compared at once


@dataclass(frozen=True)
class SpanProcessor(PackedProcessor):
    """A question and a text; the answer is a span of the text.

    Attributes:
        max_tokens: of a window, with the question and the special tokens.
        stride: how many tokens after each other windows begin.
        max_question: the longest question; a longer one is cut if it may be.
        max_answer: the longest answer, in tokens.
        may_lack: whether a text may have no answer.
        threshold: by how much the logits of no answer must exceed those of the best one.
    """

    max_tokens: int = 384
    stride: int = 128
    max_question: int = 64
    max_answer: int = 30
    may_lack: bool = False
    threshold: float = 0.0

    kind = "packed-span"

    def windows(self, questions: Sequence[Question]) -> Windows:
        """The windows of questions, in their order.

        Raises:
            UserError: a question or a text holds no token, or a question is too long and not to be cut.
        """
        rows: list[list[int]] = []
        positions: list[list[tuple[int, int]]] = []
        central, owners, offsets = [], [], []
        texts: dict[str, tuple[list[int], list[tuple[int, int]]]] = {}  # many questions are of one text
        for number, question in enumerate(questions):
            asked = self._question(question.text)
            if question.context not in texts:
                texts[question.context] = self.tokenizer.encode_with_offsets(
                    question.context, self.read_special
                )
            tokens, spans = texts[question.context]
            if not tokens:
                raise UserError("context", question.context, "must hold at least one token")
            room = self.room(pair=True) - len(asked)
            bounds = _bounds(len(tokens), room, min(self.stride, max(1, room // 2)))
            best = _most_context(bounds, len(tokens))
            for window, (begin, end) in enumerate(bounds):
                rows.append(self.pack(asked, tokens[begin:end]))
                positions.append(spans[begin:end])
                central.append([best[position] == window for position in range(begin, end)])
                owners.append(number)
                offsets.append(self._offset(len(asked)))
        inputs, lengths = pad(rows, self.filler)
        begins, ends = torch.full_like(inputs, -1), torch.full_like(inputs, -1)
        inside = torch.zeros_like(inputs, dtype=torch.bool)
        for row, (offset, spans) in enumerate(zip(offsets, positions, strict=True)):
            begins[row, offset : offset + len(spans)] = torch.tensor([begin for begin, _ in spans])
            ends[row, offset : offset + len(spans)] = torch.tensor([end for _, end in spans])
            inside[row, offset : offset + len(spans)] = torch.tensor(central[row])
        begin = self.tokenizer.special.begin
        assert begin is not None, "for_a_task gives every tokenizer one"
        nothing = torch.tensor([row.index(begin) for row in rows])
        return Windows(inputs, lengths, torch.tensor(owners), begins, ends, inside, nothing)

    def _question(self, text: str) -> list[int]:
        tokens = self.tokenizer.encode(text, self.read_special)
        if not tokens:
            raise UserError("question", text, "must hold at least one token")
        longest = min(self.max_question, self.room(pair=True) // 2)
        if len(tokens) > longest and not self.cut:
            rule = f"has {len(tokens)} tokens, and a question has at most {longest}"
            hint = "`cut` leaves out the end of questions that are too long."
            raise UserError("question", text[:80], rule, hint=hint)
        return tokens[:longest]

    def _offset(self, question_length: int) -> int:
        """Where the text begins, behind a question of so many tokens."""
        parts = packed_parts(self.tokenizer.template)[1]
        return parts.index("B") - 1 + question_length

    def targets(self, questions: Sequence[Question], windows: Windows) -> Int[Tensor, "windows 2"]:
        """The first and the last token of the first answer; where a window does not hold all of it, the
        token for no answer twice."""
        targets = windows.nothing[:, None].repeat(1, 2)
        for row, number in enumerate(windows.question.tolist()):
            question = questions[number]
            if not question.starts:
                continue
            begin, end = question.starts[0], question.starts[0] + len(question.answers[0])
            touched = ((windows.begins[row] < end) & (windows.ends[row] > begin)).nonzero()[:, 0]
            if len(touched) and self._all_there(question.context, row, windows, begin, end):
                targets[row, 0], targets[row, 1] = touched[0], touched[-1]
        return targets

    def _all_there(self, context: str, row: int, windows: Windows, begin: int, end: int) -> bool:
        """Whether nothing but blanks of an answer lies outside the tokens of a window."""
        inside = windows.begins[row] >= 0
        first, last = int(windows.begins[row][inside][0]), int(windows.ends[row].max())
        return not context[begin : max(begin, first)].strip() and not context[min(end, last) : end].strip()

    def answers(
        self, questions: Sequence[Question], windows: Windows, outputs: Float[Tensor, "windows T 2"]
    ) -> list[dict[str, Any]]:
        """``{"answer": text, "score": sum of both logits, "places": [from, to]}`` for each question; an
        answer that is none is empty and has no positions."""
        outputs = outputs.detach().float().cpu()
        scores, firsts, lasts = self._best(windows, outputs)
        rows = torch.arange(len(outputs))
        lacking = outputs[rows, windows.nothing].sum(1).tolist()
        best: list[tuple[float, int, int, int] | None] = [None] * len(questions)
        least: list[float] = [float("inf")] * len(questions)
        for row, number in enumerate(windows.question.tolist()):
            found = (scores[row], row, firsts[row], lasts[row])
            if best[number] is None or found[0] > best[number][0]:  # pyright: ignore[reportOptionalSubscript]
                best[number] = found
            least[number] = min(least[number], lacking[row])
        answers = []
        for question, found, nothing in zip(questions, best, least, strict=True):
            assert found is not None
            score, row, first, last = found
            if self.may_lack and nothing - score > self.threshold:
                answers.append({"answer": "", "score": nothing, "places": None})
                continue
            begin, end = int(windows.begins[row, first]), int(windows.ends[row, last])
            answers.append({"answer": question.context[begin:end], "score": score, "places": [begin, end]})
        return answers

    def _best(
        self, windows: Windows, outputs: Float[Tensor, "windows T 2"]
    ) -> tuple[list[float], list[int], list[int]]:
        """Score, first and last token of the best answer in each window."""
        scores, firsts, lasts = [], [], []
        width = min(self.max_answer, outputs.shape[1])
        for rows in torch.arange(len(outputs)).split(CHUNK):
            start = outputs[rows, :, 0].masked_fill(~windows.central[rows], NEVER)
            end = outputs[rows, :, 1].masked_fill(windows.begins[rows] < 0, NEVER)
            end = torch.nn.functional.pad(end, (0, width - 1), value=NEVER)
            total = (start[..., None] + end.unfold(1, width, 1)).flatten(1)  # (B, T * width)
            best, position = total.max(1)
            scores += best.tolist()
            firsts += (position // width).tolist()
            lasts += (position // width + position % width).tolist()
        return scores, firsts, lasts

    def is_blank(self, text: Text) -> bool:
        """Whether a line asks nothing."""
        return ReadsTexts.is_blank(self, text)

    def split_inputs(self, source: Given) -> SplitInputs:
        """Questions and texts, as pairs or with a tab between the two (`given_texts`), or SQuAD's files.

        Raises:
            UserError: a line has no tab, or more than one.
        """
        questions = self.questions_of(source)
        windows = self.windows(questions)
        labels = [question.text for question in questions]
        return SplitInputs(
            labels, windows.inputs, windows.lengths, lambda o: self.answers(questions, windows, o)
        )

    def texts(self, given: Given) -> list[Text]:
        """As for all texts; of a file of SQuAD's form, its questions with their texts."""
        if isinstance(given, Path) and given.name.lower().endswith((".json", ".json.gz")):
            from anncestry.data.readers.squad import read_squad

            articles = read_squad(given).articles
            return [(question.text, question.context) for article in articles for question in article]
        return super().texts(given)

    def questions_of(self, source: Given) -> list[Question]:
        """The questions that a person gave."""
        questions = []
        for text in self.texts(source):
            if not isinstance(text, str):
                questions.append(Question(*text))
                continue
            line = label_of(text)
            question, tab, context = line.partition("\t")
            if not tab or not question.strip() or not context.strip() or "\t" in context:
                rule = "must be a question, a tab and the text that may answer it, or a JSON file of SQuAD's"
                raise UserError("input", line, rule)
            questions.append(Question(question.strip(), context))
        return questions

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "windows T"]]:
        """A question for each window of `split_inputs`."""
        questions = self.questions_of(source)
        windows = self.windows(questions)
        return [questions[number].text for number in windows.question.tolist()], windows.inputs

    def decode(self, outputs: Float[Tensor, "B T 2"]) -> list[dict[str, Any]]:
        """``{"tokens": [first, last]}`` for each window; `answers` gives the text."""
        return [{"tokens": [first, last]} for first, last in outputs.argmax(1).tolist()]


def _bounds(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """From which token to which each window reaches."""
    bounds, begin = [], 0
    while True:
        end = min(length, begin + room)
        bounds.append((begin, end))
        if end == length:
            return bounds
        begin += min(end - begin, stride)


def _most_context(bounds: Sequence[tuple[int, int]], length: int) -> list[int]:
    """For each token the window in which it has most text around it: the shorter of both sides counts, and
    a hundredth of the window's length."""
    best, scores = [0] * length, [-1.0] * length
    for window, (begin, end) in enumerate(bounds):
        for position in range(begin, end):
            score = min(position - begin, end - 1 - position) + 0.01 * (end - begin)
            if score > scores[position]:
                best[position], scores[position] = window, score
    return best
