"""midalign: see, measure and use middle-layer representation alignment in language models."""

__version__ = "0.1.0"
