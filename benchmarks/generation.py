"""GPT-2 generating a continuation, against transformers and CTranslate2; the small shape, random weights.

A prompt of 64 tokens, 64 more, one text at a time and eight together. All load the same folder.

    python -m benchmarks.generation
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from anncestry.arrays import Tensor
from anncestry.checkpoints.importing import import_weights
from anncestry.decoding import Search, decode
from anncestry.decoding.dispatch import read_prompt
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.prediction import Prediction
from anncestry.models.create import create
from benchmarks.timing import interleave, table, threads, worth_running

THREADS, PROMPT, STEPS, VOCABULARY = 2, 64, 64, 50_257
Run = Callable[[], Tensor]


def write_folder(folder: Path) -> Any:
    """A GPT-2 with random weights, whose logits differ enough that rounding seldom changes a token."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    peer: Any = GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).eval()
    with torch.no_grad():
        for parameter in peer.parameters():
            if parameter.dim() == 2:
                parameter.mul_(2)
    peer.save_pretrained(folder)
    return peer


def tables(rounds: int) -> str:
    """One table for each number of texts."""
    import ctranslate2
    from ctranslate2.converters.transformers import GPT2Loader

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = write_folder(folder / "gpt2")
        words = [f"w{i}" for i in range(VOCABULARY)]
        spec: Any = GPT2Loader().get_model_spec(peer)
        spec.register_vocabulary(words)
        spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "w0"
        spec.validate()
        spec.optimize()
        (folder / "ct2").mkdir()
        spec.save(str(folder / "ct2"))
        imported = import_weights(folder / "gpt2")
        ours = create(imported.architecture, **imported.config).eval()
        ours.load_state_dict(imported.tensors)
        generators = {
            kind: ctranslate2.Generator(str(folder / "ct2"), compute_type=kind, intra_threads=THREADS)
            for kind in ("float32", "int8")
        }
    torch.set_num_threads(THREADS)
    predictions = {precision: Prediction(precision) for precision in ("32", "bf16", "int8")}
    models = {precision: prediction.prepared(ours) for precision, prediction in predictions.items()}
    random = torch.Generator().manual_seed(1)
    found = []
    for count in (1, 8):
        prompts = torch.randint(1, VOCABULARY, (count, PROMPT), generator=random)
        named = [[words[token] for token in row] for row in prompts.tolist()]

        def transformers_run(prompts: Tensor = prompts) -> Tensor:
            with torch.no_grad():
                texts = peer.generate(
                    prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=STEPS, do_sample=False,
                    min_new_tokens=STEPS, pad_token_id=0,
                )  # fmt: skip
            return texts[:, PROMPT:]

        def native(kind: str, named: list[list[str]] = named) -> Tensor:
            results = generators[kind].generate_batch(
                named, max_length=STEPS, min_length=STEPS, beam_size=1, sampling_topk=1,
                include_prompt_in_result=False,
            )  # fmt: skip
            return torch.tensor([result.sequences_ids[0] for result in results])

        def run(precision: str, prompts: Tensor = prompts) -> Tensor:
            search = Search(beam=1, min_length=STEPS, max_length=STEPS)
            model: Any = models[precision]
            with predictions[precision].scope(torch.device("cpu")):
                logits, state = read_prompt(model, prompts)
                best = decode(model.step, logits, state, search, never=(0,))
            return torch.tensor([hypotheses[0].tokens for hypotheses in best])

        every: dict[str, Run] = {
            "transformers": transformers_run,
            "CTranslate2 float32": lambda: native("float32"),
            "CTranslate2 int8": lambda: native("int8"),
            "anncestry float32": lambda: run("32"),
            "anncestry bfloat16": lambda: run("bf16"),
            "anncestry int8": lambda: run("int8"),
        }
        contestants = worth_running(every)
        theirs = transformers_run()
        same = {name: (contest() == theirs).float().mean().item() for name, contest in contestants.items()}
        results = interleave(contestants, rounds, warm_up=1)
        shown = ", ".join(f"{name} {share:.0%}" for name, share in same.items())
        rates = ", ".join(f"{row.name} {count * STEPS / row.seconds:.1f}" for row in results)
        note = f"Tokens a second: {rates}. Tokens equal to transformers': {shown}."
        title = f"GPT-2 small, greedy, prompts of {PROMPT}, {STEPS} more tokens, {count} at a time"
        found.append(table(title, results, note))
    return "\n\n".join(found)


def main(quick: bool = False) -> str:
    """Both tables."""
    keep_freed_memory()
    with threads(THREADS):
        return tables(1 if quick else 5)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round")
    print(main(parser.parse_args().quick))
