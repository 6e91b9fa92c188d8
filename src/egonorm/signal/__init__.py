"""Floor 1: from waveforms to what a network sees."""

from egonorm.signal.mel import LogMel
from egonorm.signal.spectrogram import Spectrogram
from egonorm.signal.waveform import Waveform

SoundLook = Spectrogram | LogMel | Waveform
"""From a waveform to what is seen of it: `rate`, `seconds` and `num_samples` of the waveform, `shape` of what is seen."""

__all__ = ["LogMel", "SoundLook", "Spectrogram", "Waveform"]
