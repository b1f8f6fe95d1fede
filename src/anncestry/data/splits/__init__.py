"""What training reads: splits that yield batches, and how data are parted into them."""
