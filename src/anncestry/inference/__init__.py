"""What a trained model computes for inputs: generated texts, vectors, figures over splits."""
