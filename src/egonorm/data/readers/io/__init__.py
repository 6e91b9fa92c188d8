"""What talks to FFmpeg, and nothing else."""
