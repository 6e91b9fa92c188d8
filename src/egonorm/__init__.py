"""First-person action recognition from video and sound, in places the model has never seen."""

__version__ = "0.1.0"
