"""How a model is executed on the machine at hand, with a plain path beside everything that is fast."""
