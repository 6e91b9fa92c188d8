"""What a page is made from: runs, their predictions, and the paper's numbers."""
