"""What the experiments share: how a claim is judged and recorded, small languages and strings to learn."""
