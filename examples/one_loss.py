"""Relative norm alignment on its own: two modalities whose feature lengths differ, balanced by gradient descent.

python examples/one_loss.py
"""

import torch

from egonorm.losses import mean_norm, relative_norm_alignment


def main() -> None:
    """Print the mean norms and the loss while the features themselves are descended."""
    torch.manual_seed(0)
    features = {"rgb": 0.2 * torch.randn(32, 1024), "audio": 0.5 * torch.randn(32, 1024)}
    for x in features.values():
        x.requires_grad_()
    optimizer = torch.optim.SGD(features.values(), lr=100.0)
    for step in range(9):
        loss = relative_norm_alignment(features)
        lengths = ", ".join(f"{name} {mean_norm(x).item():6.2f}" for name, x in features.items())
        print(f"step {step}: mean norms {lengths}; loss {loss.item():.4f}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
