"""Floor 3: one small file per method."""

from egonorm.methods.base import Method, check, methods
from egonorm.methods.rna import Rna
from egonorm.methods.source_only import SourceOnly

__all__ = ["Method", "Rna", "SourceOnly", "check", "methods"]
