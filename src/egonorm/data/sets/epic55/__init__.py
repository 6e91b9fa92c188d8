"""EPIC-Kitchens-55 in the three kitchens of MM-SADA (Munro and Damen, CVPR 2020): the data of the RNA-Net paper."""

from egonorm.data.sets.epic55.dataset import Epic55, open_epic55

open_set = open_epic55

__all__ = ["Epic55", "open_epic55", "open_set"]
