"""LoRA adapters: what one is, whether the served model can take it, which copy of it is kept, and which is in use."""
