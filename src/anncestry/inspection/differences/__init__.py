"""What sets two models apart: what is declared, how they are built, what they cost and what they compute."""
