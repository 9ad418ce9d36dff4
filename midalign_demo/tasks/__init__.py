"""Tasks: one module each, which knows prompts, answers and scores, and neither models nor Gradio."""
