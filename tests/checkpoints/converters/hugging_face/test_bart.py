"""Hugging Face's BART, in and out: the same scores, and the same tokens from the same searches."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

from anncestry.checkpoints.exporting import to_hugging_face
from anncestry.checkpoints.importing import import_weights
from anncestry.decoding import Search
from anncestry.errors import UserError
from anncestry.inference.generation import generate
from anncestry.models.create import create
from anncestry.signature import END

V, D, B, S = 17, 16, 4, 6
ROWS = [1, 3, 2, 2, 0, *range(4, V)]  # filler, unknown, beginning, end, <s>, the rest
LENGTHS = torch.tensor([6, 3, 5, 4])
VISIBLE = (torch.arange(S) < LENGTHS[:, None]).long()
SIZES = {
    "vocab_size": V,
    "d_model": D,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "max_position_embeddings": 32,
}
SIZES |= {f"{side}_attention_heads": 4 for side in ("encoder", "decoder")}
SIZES |= {f"{side}_ffn_dim": 24 for side in ("encoder", "decoder")}


def tiny(**changes):
    torch.manual_seed(0)
    config = transformers.BartConfig(**{**SIZES, "forced_eos_token_id": None, **changes})
    model = transformers.BartForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, float("norm" in name and "weight" in name), 0.3)
    return model


def ours_of(folder):
    found = import_weights(folder)
    model = create(found.architecture, **found.config).eval()
    model.load_state_dict(found.tensors)
    return model


def moved(rows):
    """Rows of theirs as tokens of ours; </s> is an end."""
    places = {row: token for token, row in enumerate(ROWS)} | {2: END}
    return rows.clone().apply_(lambda row: places[row])


def examples():
    source = torch.randint(4, V, (B, S))
    source[torch.arange(B), LENGTHS - 1] = 2
    return source.masked_fill(VISIBLE == 0, 1), torch.randint(4, V, (B, 5))


@pytest.mark.parametrize("changes", [{}, {"activation_function": "relu", "decoder_layers": 2}])
def test_logits_and_the_way_back(tmp_path, changes):
    theirs = tiny(**changes)
    torch.nn.init.normal_(theirs.final_logits_bias)
    theirs.save_pretrained(tmp_path / "theirs")
    model = ours_of(tmp_path / "theirs")
    source, answer = examples()
    before = torch.cat([torch.full((B, 1), 2), answer[:, :-1]], 1)
    with torch.no_grad():
        wanted = theirs(input_ids=source, attention_mask=VISIBLE, decoder_input_ids=before).logits
        found = model(moved(source), moved(answer), LENGTHS)
    rest = [token for token in range(len(ROWS)) if token != 2]
    torch.testing.assert_close(found[..., rest], wanted[..., [ROWS[t] for t in rest]], atol=1e-5, rtol=1e-5)
    assert (found[..., 2] < -9000).all()

    made = to_hugging_face("bart", model.state_dict(), model.config)
    (tmp_path / "back").mkdir()
    save_file(made.tensors, tmp_path / "back" / "model.safetensors", {"format": "pt"})
    (tmp_path / "back" / "config.json").write_text(json.dumps(made.config))
    again, info = type(theirs).from_pretrained(tmp_path / "back", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    ours_before = torch.cat([torch.full((B, 1), 2), moved(answer)[:, :-1]], 1)
    with torch.no_grad():
        back = again.eval()(
            input_ids=moved(source), attention_mask=VISIBLE, decoder_input_ids=ours_before
        ).logits
    torch.testing.assert_close(back, found, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def half_trained(tmp_path_factory):
    """A model that has begun to copy its source: texts end, and several are about as likely."""
    torch.manual_seed(7)
    config = transformers.BartConfig(
        **{**SIZES, "encoder_layers": 1, "dropout": 0.0, "forced_eos_token_id": None}
    )
    model = transformers.BartForConditionalGeneration(config).train()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    random = torch.Generator().manual_seed(0)
    for _ in range(150):
        source = torch.randint(4, V, (32, S), generator=random)
        lengths = torch.randint(2, S + 1, (32,), generator=random)
        source[torch.arange(32), lengths - 1] = 2
        visible = torch.arange(S) < lengths[:, None]
        loss = model(source, visible.long(), labels=source.masked_fill(~visible, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("bart")
    model.eval().save_pretrained(folder)
    return model, ours_of(folder)


@pytest.mark.parametrize(
    ("beam", "alpha", "longest"),
    [(1, 0.0, 20), (4, 0.0, 20), (4, 1.0, 20), (4, 0.0, 3), (4, 1.0, 3), (4, 2.0, 5)],
)
def test_searches(half_trained, beam, alpha, longest):
    theirs, model = half_trained
    source, _ = examples()
    made = theirs.generate(
        source, attention_mask=VISIBLE, num_beams=beam, length_penalty=alpha, max_new_tokens=longest,
        early_stopping="never" if beam > 1 else False, bad_words_ids=[[1]], do_sample=False,
        return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    search = Search(beam=beam, length_penalty="average", alpha=alpha, max_length=longest)
    found = generate(model, moved(source), LENGTHS, search)
    for row, (best, *_) in zip(made.sequences[:, 1:], found, strict=True):
        ends = (row == 2).nonzero().flatten().tolist()
        assert best.finished == bool(ends)
        assert list(best.tokens) == moved(row[: ends[0] if ends else None]).tolist()
    assert all(best.finished for best, *_ in found) == (longest == 20)
    if beam > 1:
        scores = torch.tensor([best.score for best, *_ in found])
        torch.testing.assert_close(scores, made.sequences_scores, atol=1e-5, rtol=1e-5)


def test_what_does_not_go_in_or_out(tmp_path):
    tiny().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for changes, message in (
        ({"scale_embedding": True}, "scale_embedding makes another network"),
        ({"decoder_ffn_dim": 30}, "ffn_dim must be the same"),
        ({"vocab_size": 18}, "has another shape; the config has 18 words"),
        ({"eos_token_id": 99}, "pad, start and end must be below 17"),
        ({"encoder_layers": 3}, "missing: .*model.encoder.layers.2"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(UserError, match=message):
            import_weights(tmp_path)
    sizes = {"input_size": V, "output_size": V, "hidden_size": D, "num_layers": 1, "num_heads": 4}
    model = create("bart", **{**sizes, "tie": "output"})
    with pytest.raises(UserError, match=r"tie: got 'output'.*Choices: all"):
        to_hugging_face("bart", model.state_dict(), model.config)
    with pytest.raises(UserError, match="norm: got 'pre'"):
        create("bart", **{**sizes, "norm": "pre"})
