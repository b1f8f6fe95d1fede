"""The fidelity ledgers of SpanBERT, RoBERTa, CamemBERT and StructBERT."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import OWN_PIECES, departure

SPANBERT: tuple[Departure, ...] = (
    departure(
        "which spans",
        "1 to 10 words, a geometric distribution, 3.8 on average",
        "the same; a span ends at what is masked already, so that a few are shorter",
        switch="--masking",
        test="data/corruption/test_masking.py::test_spans_have_the_papers_lengths",
    ),
    departure(
        "what stands for a span",
        "80 % masks, 10 % random words, 10 % stay: the whole span alike",
        "the same",
        switch="--masking",
        test="data/corruption/test_masking.py::test_pieces_are_drawn_for_themselves_and_spans_together",
    ),
    departure(
        "spans that touch",
        "not said",
        "two spans with nothing between them are one: their ends are the outer ones",
        why="what stands next to a token must not be masked",
        test="models/test_bert_forks.py::test_the_ends_of_spans",
    ),
    departure(
        "embedding of the position within a span",
        "not said",
        "200 features; 20 positions, beyond which all are the last (`longest_span`)",
        "200 features, 20 positions; from memory",
        switch="place_dim",
        test="timeline/ledgers/test_bert_forks.py::test_positions_within_a_span",
    ),
    departure(
        "the two softmaxes",
        "the table of words is the softmax of both",
        "the paper's, with a bias for each",
        "the same; from memory",
        test="models/test_bert_forks.py::test_words_are_predicted_from_both_ends_of_their_span",
    ),
    departure(
        "average of the losses",
        "sum over the masked tokens",
        "each is the mean over the masked tokens of the batch, and they are added",
        why="rates then suit batches of any size",
        test="models/test_bert_forks.py::test_the_boundary_does_not_read_the_words_own_places",
    ),
    departure(
        "GELU",
        "x Phi(x)",
        "x Phi(x), also in the boundary's net",
        switch="activation",
        test="timeline/ledgers/test_pretrained_encoders.py::test_gelu",
    ),
    departure(
        "decay and epsilon",
        "decoupled decay of 0.1, epsilon 1e-8",
        "the preset's recipe has the paper's; the small recipe decays by 0.01",
        switch="--weight-decay",
        test="timeline/ledgers/test_bert_forks.py::test_published_recipes",
    ),
    departure(
        "segments",
        "one text",
        "both rows of the table are kept: its published files have them, and tasks on pairs use them",
        "both rows",
        switch="num_segments",
        test="timeline/ledgers/test_bert_forks.py::test_rows_of_segments",
    ),
)

_ROBERTA_DEPARTURES = (
    departure(
        "rows of positions",
        "512",
        "514: the first two are never read; a text has 512 tokens at most",
        "514: row 1 is filler's, and the first token has row 2",
        why="published tables fit",
        switch="num_positions",
        test="models/test_bert_forks.py::test_positions_begin_at_the_third_row",
    ),
    departure(
        "segments",
        "none",
        "one row, added to every token: zeros are as good as none",
        "none",
        why="Hugging Face's files have that row",
        switch="num_segments",
        test="timeline/ledgers/test_bert_forks.py::test_rows_of_segments",
    ),
    departure(
        "dropout before the classification layer",
        "not said",
        "`dropout`, before each of its two layers",
        "its own value for classifiers, by default the same",
        switch="dropout",
        test="timeline/ledgers/test_bert_forks.py::test_dropout_before_the_classifier",
    ),
    departure(
        "eps of the normalisation",
        "not said",
        "1e-5",
        "1e-5",
        switch="norm_eps",
        test="timeline/ledgers/test_pretrained_encoders.py::test_eps_of_the_normalisations",
    ),
    departure(
        "GELU",
        "x Phi(x)",
        "x Phi(x), also in the masked-LM head",
        "x Phi(x) in both",
        switch="activation",
        test="timeline/ledgers/test_pretrained_encoders.py::test_gelu",
    ),
    departure(
        "eps of Adam",
        "1e-6",
        "1e-6 in the preset's recipe; the small recipe has the usual one",
        switch="--epsilon",
        test="timeline/ledgers/test_bert_forks.py::test_published_recipes",
    ),
    departure(
        "clipping of gradients",
        "none",
        "none in the preset's recipe; the small recipe clips at 1, as BERT's",
        "none",
        why="small nets on little text are trained at higher rates",
        switch="--clip-norm",
        test="timeline/ledgers/test_bert_forks.py::test_published_recipes",
    ),
)
_ROBERTA_VOCABULARY = departure(
    "vocabulary",
    "50 K pieces of bytes",
    "the published files' 50,265 rows: 124,645,632 and 355,359,744 parameters with the pooler",
    "50,257 pieces and 8 special tokens",
    test="timeline/ledgers/test_bert_forks.py::test_published_counts_by_head",
)

ROBERTA: tuple[Departure, ...] = (*_ROBERTA_DEPARTURES, _ROBERTA_VOCABULARY)

CAMEMBERT: tuple[Departure, ...] = (
    *_ROBERTA_DEPARTURES,
    OWN_PIECES,
    departure(
        "vocabulary",
        "32,000 pieces",
        "32,005 rows: the published file's, with its special tokens",
        "32,005 rows",
        test="timeline/ledgers/test_bert_forks.py::test_published_counts_by_head",
    ),
    departure(
        "the large one",
        "335 M parameters",
        "336,661,504 with the pooler: computed for RoBERTa's shape and this vocabulary",
        why="no exact number was printed",
        test="timeline/ledgers/test_bert_forks.py::test_published_counts_by_head",
    ),
)

STRUCTBERT: tuple[Departure, ...] = (
    departure(
        "the softmax of shuffled words",
        "a softmax over words",
        "the one of the masked tokens",
        why="either way a position predicts its token",
        test="timeline/ledgers/test_bert_forks.py::test_structbert_is_a_bert_with_a_third_logit",
    ),
    departure(
        "average of the losses",
        "the three losses with equal weights",
        "masked and shuffled tokens together are one mean, sentence prediction another; they are added",
        why="they share a softmax",
        test="timeline/ledgers/test_pretrained_encoders.py::test_losses_are_means_over_the_batch",
    ),
    departure(
        "how many are shuffled",
        "5 % of the trigrams without a masked token",
        "5 % of a text's tokens, in trigrams without a masked token, by any of the six orders",
        switch="--masking",
        test="data/corruption/test_masking.py::test_word_order_shuffles_trigrams_of_other_tokens",
    ),
    departure(
        "longer shuffled stretches",
        "trigrams, chosen among lengths that were tried",
        "trigrams",
        why="the paper's choice",
        test="data/corruption/test_masking.py::test_word_order_shuffles_trigrams_of_other_tokens",
    ),
    departure(
        "a stretch of one sentence",
        "the three relations are as likely",
        "as likely, but what has no second sentence always gets another's, as BERT's code does it",
        switch="--pairs",
        test="data/corruption/test_sentence_pairs.py::test_relations_are_as_likely",
    ),
    departure(
        "GELU",
        "BERT's",
        "x Phi(x)",
        switch="activation",
        test="timeline/ledgers/test_pretrained_encoders.py::test_gelu",
    ),
)
