"""What the crash experiments stand on: processes that are killed at a step, what they work on, and what must hold."""
