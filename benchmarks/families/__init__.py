"""The cases, a file for each family; their order is the table's."""

FAMILIES = ("networks", "training", "evaluation", "loading", "video", "sound", "memory", "growth", "commands")
