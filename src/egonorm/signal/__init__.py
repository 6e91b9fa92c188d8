"""Floor 1: from waveforms to what a network sees."""

from egonorm.signal.spectrogram import Spectrogram

__all__ = ["Spectrogram"]
