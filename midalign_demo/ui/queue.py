"""The line that all events wait in which use the model."""

MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 1}
