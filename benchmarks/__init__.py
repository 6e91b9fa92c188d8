"""Speed: ours against public peers and against the machine's limit, in one run on one machine."""
