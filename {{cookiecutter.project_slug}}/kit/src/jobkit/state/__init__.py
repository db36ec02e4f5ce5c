"""What checkpoints and savepoints hold."""
