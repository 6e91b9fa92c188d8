"""Floor 1: from waveforms to what a network sees."""

from egonorm.signal.mel import LogMel
from egonorm.signal.spectrogram import Spectrogram

SoundLook = Spectrogram | LogMel
"""From a waveform to what a network sees: `rate`, `seconds` and `num_samples` of the waveform, `shape` of what is seen."""

__all__ = ["LogMel", "SoundLook", "Spectrogram"]
