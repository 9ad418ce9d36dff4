"""Training aligned LoRA adapters."""
