"""What a reader of the numbers should know of how the peers ran, and of the media."""

from benchmarks.media import DISTINCT, FPS, KEYFRAMES, MINUTES, TAR_SECONDS, VIDEO_SECONDS

NOTES = (
    "Peers run as their scripts use them: float32, torch's default layout, `no_grad` where the scripts do not train. The weights "
    "are random and the same in both; the features of both are compared before anything is timed.",
    "The peers' training step is a loop around piergiaj's I3D and Cadene's BN-Inception (a stem of one channel, as Temporal "
    "Binding Network's): cross-entropy on summed logits and the published alignment loss, SGD with momentum. Ours is the step of "
    "`training/engine.py` with the method `rna`.",
    "Temporal Binding Network's dataset is its own: 16 frames in a row, one segment, the transforms of its `train.py`. At the "
    "commit that was tried its `get` returns three values where two are taken: the third is dropped. By default it keeps all "
    "sound in memory.",
    "SimMMDG's dataset is its own, with its own pipeline under mmcv 1.2.7; 16 frames at stride 2 are asked for in place of the "
    "32 of its configuration, and no optical flow. It reads the whole sound file for every sample.",
    "Where torchvision is not installed, `transforms.Compose`, all that these two use of it, is a stand-in of ten lines.",
    f"The recording is made by the benchmark: {MINUTES} minutes, {MINUTES * 60 * FPS} names of pictures, of which {DISTINCT} "
    f"differ and the others are hard links to them; a tar file of its first {TAR_SECONDS} s; H.264 with a keyframe every "
    f"{KEYFRAMES} frames of its first {VIDEO_SECONDS} s. All of it is in the file cache when it is timed.",
    "Loading runs on one thread, as in a worker, up to a batch that is ready to train on: ours includes the spectrogram, which "
    "training computes on the device. What is bare is one simplejpeg call a picture, at full size, the bytes being in memory.",
)
