"""What is claimed about speed, as commands that measure it."""
