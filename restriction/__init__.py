"""What is true about identities, events, measures and answers: pure, without I/O and without a clock of its own."""
