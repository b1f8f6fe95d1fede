"""Speed against the peers. Not tests: timings are noisy, so every comparison is interleaved in one run."""
