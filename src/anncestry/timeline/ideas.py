"""What came from the other parents: the one idea that each gave. Plain data; imports no torch."""

IDEAS: dict[str, dict[str, str]] = {
    "mlp": {"adaline": "errors that are differentiated: the delta rule, carried on through the layers"},
    "rnn": {"jordan": "what was computed a moment ago, fed back beside the input"},
    "bilstm": {"brnn": "a second net that reads from the end"},
    "autoencoder": {"mlp": "the input as target behind a narrow hidden layer"},
    "all-cnn": {"vgg": "small kernels, one above another"},
    "seq2seq": {"rnn-encoder-decoder": "one net that reads and another that writes"},
    "rnnsearch": {"brnn": "a source that is read in both directions"},
    "show-and-tell": {"cnn": "the reader of the image"},
    "highway-lstm": {"peephole-lstm": "gates that see the memory cell"},
    "luong-attention": {"seq2seq": "stacked LSTMs, and a decoder that starts from the encoder's states"},
    "show-attend-and-tell": {"rnnsearch": "an alignment with every place of what is read"},
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
    "distilbert": {"roberta": "masks drawn anew, large batches, no question about a second text"},
    "bart": {
        "transformer": "the decoder, and its attention to the encoder",
        "gpt": "writing from left to right; GELU",
        "roberta": "pieces of bytes, large batches, masks drawn anew",
    },
    "xlm": {"gpt": "the causal language model, as one of its objectives"},
    "flaubert": {"xlm": "the net, and its readout without a layer before it"},
    "electra": {"roberta": "masks drawn anew, no question about a second text"},
    "mobilebert": {
        "albert": "a table of words that is narrower than the blocks",
        "distilbert": "a teacher whose states and scores are followed",
    },
}
"""By the id of the child, then by the id of each parent but the main one."""
