"""How it runs: the loop, a round of turns, checkpoints, and the machine below."""
