"""What came from the other parents: the one idea that each gave. Plain data; imports no torch."""

IDEAS: dict[str, dict[str, str]] = {
    "mlp": {"adaline": "errors that are differentiated: the delta rule, carried on through the layers"},
    "rnn": {"jordan": "what was computed a moment ago, fed back next to the input"},
    "bilstm": {"brnn": "a second net that reads from the end"},
    "autoencoder": {"mlp": "the input as target behind a narrow hidden layer"},
    "all-cnn": {"vgg": "small kernels, one above another"},
    "seq2seq": {"rnn-encoder-decoder": "an encoder that reads and a decoder that generates"},
    "rnnsearch": {"brnn": "a source that is read in both directions"},
    "show-and-tell": {"cnn": "the encoder of the image"},
    "highway-lstm": {"peephole-lstm": "gates that read the memory cell"},
    "luong-attention": {"seq2seq": "stacked LSTMs, and a decoder that starts from the encoder's states"},
    "show-attend-and-tell": {"rnnsearch": "an alignment with every position of the source"},
    "residual-stack": {"resnet": "a shortcut around a layer that passes its input on unchanged"},
    "gnmt": {"residual-stack": "a shortcut around the layers of a deep stack"},
    "dilated-rnn": {
        "skip-rnn": "a way back over d steps",
        "context-net": "dilations that grow from layer to layer by a factor",
    },
    "residual-rnn": {
        "highway-lstm": "a way past each layer, here without its gate",
        "resnet": "a shortcut that passes its input on unchanged",
    },
    "transformer": {
        "gnmt": "the length penalty of beam search; stacks of equal layers on both sides",
        "resnet": "a shortcut around every sub-layer",
    },
    "tcn": {
        "dilated-rnn": "dilations that double from block to block",
        "resnet": "a shortcut around every block",
    },
    "bert": {
        "gpt": "one net that is trained on text of any kind first and then fine-tuned whole",
        "elmo": "vectors of words that depend on the text on both sides",
    },
    "elmo": {
        "lstmp": "the projection of 4096 cells to 512 units",
        "bilstm": "reading in both directions",
    },
    "distilbert": {"roberta": "dynamic masking, large batches, no next-sentence prediction"},
    "bart": {
        "transformer": "the decoder, and its attention to the encoder",
        "gpt": "generation from left to right; GELU",
        "roberta": "byte-level BPE, large batches, dynamic masking",
    },
    "xlm": {"gpt": "the causal language model, as one of its objectives"},
    "flaubert": {"xlm": "the net, and its readout without a layer before it"},
    "electra": {"roberta": "dynamic masking, no next-sentence prediction"},
    "mobilebert": {
        "albert": "a token embedding that is narrower than the blocks",
        "distilbert": "knowledge distillation from the states and logits of a teacher",
    },
}
"""By the id of the child, then by the id of each parent but the main one."""
