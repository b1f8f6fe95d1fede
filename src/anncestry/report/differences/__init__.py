"""What sets two models apart, on a terminal."""
