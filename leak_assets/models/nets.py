"""Torch modules of the detector and the pinpointer, and their training loop.

This module imports torch at its top; only functions that train or export import it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .options import Progress, TrainingOptions

_TINY = 1e-6


class Whitening(nn.Module):
    """Make each statistic uncorrelated over the channels: [n, statistics, channels] to the same."""

    def __init__(self, matrices: Tensor) -> None:
        super().__init__()
        self.matrices: Tensor
        self.register_buffer("matrices", matrices)

    @property
    def size(self) -> int:
        """Numbers that a window has."""
        return self.matrices.shape[0] * self.matrices.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return whitened values."""
        return torch.matmul(self.matrices, x.unsqueeze(3)).squeeze(3)


class DetectorNet(nn.Module):
    """Logit that a leak runs, from scaled window statistics [n, statistics, channels]."""

    def __init__(self, whitening: Tensor, options: TrainingOptions) -> None:
        super().__init__()
        self.whitening = Whitening(whitening)
        hidden = options.hidden
        self.head = nn.Sequential(
            nn.Linear(self.whitening.size, 2 * hidden),
            nn.ReLU(),
            nn.Dropout(options.dropout),
            nn.Linear(2 * hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n]."""
        # asinh: linear within a few sigma, logarithmic beyond, so a large fault stays finite.
        return self.head(torch.asinh(self.whitening(x)).flatten(1)).squeeze(1)


class PinpointerNet(nn.Module):
    """Logits over candidate pipes, from scaled window statistics [n, statistics, channels].

    The whitened pattern over sensors is divided by the root mean square of its first statistic,
    because where a leak is shows in the pattern and how large it is in the size; the size's
    logarithm is one more feature. The last layer speaks in smooth functions over pipes (`basis`),
    so that near pipes get near logits.
    """

    def __init__(self, whitening: Tensor, basis: Tensor, options: TrainingOptions) -> None:
        super().__init__()
        self.whitening = Whitening(whitening)
        self.basis: Tensor
        self.register_buffer("basis", basis)
        self.head = nn.Sequential(
            nn.Linear(self.whitening.size + 1, 2 * options.hidden),
            nn.ReLU(),
            nn.Dropout(options.dropout),
            nn.Linear(2 * options.hidden, basis.shape[1]),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n, pipes]."""
        values = self.whitening(x)
        size = (values[:, 0].square().mean(dim=1, keepdim=True) + _TINY).sqrt()
        pattern = (values / size.unsqueeze(2)).flatten(1)
        return self.head(torch.cat([pattern, size.log()], dim=1)) @ self.basis.T


class DetectorExport(nn.Module):
    """What is exported: label and anomaly score, in this order."""

    def __init__(
        self, network: nn.Module, calibration: tuple[float, float], threshold: float
    ) -> None:
        super().__init__()
        self.network = network
        self.scale, self.offset = calibration
        self.threshold: Tensor
        self.register_buffer("threshold", torch.tensor(threshold, dtype=torch.float32))

    def forward(self, input_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return label int64 [n] and anomaly score [n]."""
        score = torch.sigmoid(self.scale * self.network(input_features) + self.offset)
        return (score >= self.threshold).to(torch.int64), score


class PinpointerExport(nn.Module):
    """What is exported: the likeliest pipe and the probability of each, in this order."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the position of the likeliest pipe [n] and probability [n, pipes]."""
        probability = torch.softmax(self.network(input_features), dim=1)
        return probability.argmax(dim=1), probability


@contextmanager
def deterministic(seed: int, threads: int) -> Iterator[None]:
    """Seed torch, fix its threads and allow only deterministic operations; restore at the end.

    The number of threads decides the order of sums, so it is part of what makes two runs equal.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(mode=True)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(mode=before[0])
            torch.set_num_threads(before[1])


def fit_network(
    network: nn.Module,
    *,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    options: TrainingOptions,
    progress: Progress | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """Train with AdamW and early stopping; leave the best epoch's weights in the network.

    Parameters
    ----------
    train, validation
        Scaled inputs [n, statistics, channels] and targets [n, …]; the epoch with the least loss
        on the validation windows is the best one.
    loss
        Mean loss of outputs and targets.

    Returns
    -------
    tuple
        History (epoch, train_loss, validation_loss for each epoch run) and the best epoch.
    """
    inputs, targets = train
    size = inputs.shape[0]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = max(1, -(-size // options.batch_size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=options.learning_rate,
        total_steps=options.epochs * steps,
        pct_start=0.2,
    )
    rng = np.random.default_rng(options.seed)
    history: list[dict[str, Any]] = []
    best_epoch, best_loss, best_state = -1, float("inf"), {}
    for epoch in range(options.epochs):
        network.train()
        total = 0.0
        order = torch.from_numpy(rng.permutation(size))
        for rows in order.split(options.batch_size):
            x, y = inputs[rows], targets[rows]
            if options.channel_dropout > 0:
                x = x * (torch.rand(x.shape[0], 1, x.shape[2]) >= options.channel_dropout).float()
            optimizer.zero_grad()
            batch_loss = loss(network(x), y)
            batch_loss.backward()
            optimizer.step()
            schedule.step()
            total += batch_loss.item() * len(rows)
        validation_loss = float(loss(predict(network, validation[0]), validation[1]))
        history.append(
            {"epoch": epoch, "train_loss": total / size, "validation_loss": validation_loss}
        )
        if progress is not None:
            progress(epoch, options.epochs, total / size, validation_loss)
        if validation_loss < best_loss:
            best_epoch, best_loss = epoch, validation_loss
            best_state = {k: v.detach().clone() for k, v in network.state_dict().items()}
        elif epoch - best_epoch >= options.patience:
            break
    network.load_state_dict(best_state)
    network.eval()
    return history, best_epoch


def predict(network: nn.Module, x: Tensor, *, batch_size: int = 4096) -> Tensor:
    """Return the network's outputs in evaluation mode, without gradients."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(batch_size)])
