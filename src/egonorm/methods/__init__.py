"""Floor 3: one small file per method."""

from egonorm.methods.base import Method, check, find_method, methods, parse_method
from egonorm.methods.rna import Rna
from egonorm.methods.source_only import SourceOnly

__all__ = ["Method", "Rna", "SourceOnly", "check", "find_method", "methods", "parse_method"]
