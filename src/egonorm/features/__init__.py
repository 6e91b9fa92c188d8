"""Floor 6: features, computed once by trained or published encoders."""
