"""Floor 3: one small file per method."""

from egonorm.methods.ada_bn import AdaBn
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.base import Method, check, methods
from egonorm.methods.batch_norm import BatchNorm
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.mm_sada import MmSada
from egonorm.methods.mmd import Mmd
from egonorm.methods.orth_only import OrthOnly
from egonorm.methods.rna import Rna
from egonorm.methods.rna_grl import RnaGrl
from egonorm.methods.source_only import SourceOnly
from egonorm.methods.ss import Ss

__all__ = [
    "AdaBn",
    "AlignOnly",
    "BatchNorm",
    "Grl",
    "Hna",
    "Method",
    "MmSada",
    "Mmd",
    "OrthOnly",
    "Rna",
    "RnaGrl",
    "SourceOnly",
    "Ss",
    "check",
    "methods",
]
