"""Between texts and token ids: published tokenizers, learnt ones, and vocabularies of words and characters."""
