"""Between texts and token ids: published tokenizers, learnt ones, vocabularies of words and characters."""
