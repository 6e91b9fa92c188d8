"""Source Only, and Deep All with several sources: the class loss on the sources' clips and nothing else."""

from dataclasses import dataclass

from egonorm.methods.base import Method


@dataclass(frozen=True)
class SourceOnly(Method):
    """The baseline of every table (arXiv 2106.01689, Section 5.1): cross-entropy on the fused logits of the sources."""
