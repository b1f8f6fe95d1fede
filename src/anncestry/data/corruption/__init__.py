"""What pre-training hides, reorders or pairs: masked tokens, text infilling, sentence pairs."""
