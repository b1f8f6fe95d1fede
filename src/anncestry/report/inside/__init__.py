"""Pages that look inside a model: hidden states and gates, feature maps, attention weights."""
