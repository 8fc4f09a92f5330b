"""Torch modules of the detector and the pinpointer, and their training loop.

This module imports torch at its top; only functions that train or export import it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Progress = Callable[[int, int, float, float], None]
"""Called after each epoch with epoch, epochs, training loss, validation loss."""

_TINY = 1e-6
# Filters over time of the pinpointer, shared by all sensors.
_FILTERS = 2


class DetectorNet(nn.Module):
    """Logit that a leak runs. Input [n, 2 * channels, points]: scaled values, then mask.

    Whitened values and masks pass two convolutions over time, then their mean and maximum a
    small head.
    """

    def __init__(self, whitening: Tensor, hidden: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.whitening: Tensor
        self.register_buffer("whitening", whitening)
        channels = whitening.shape[0]
        self.encoder = nn.Sequential(
            nn.Conv1d(2 * channels, hidden, kernel, stride=2, padding=kernel // 2),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Conv1d(hidden, hidden, kernel, stride=2, padding=kernel // 2),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
        )
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n]."""
        channels = self.whitening.shape[0]
        # asinh: linear within a few sigma, logarithmic beyond, so a large fault stays finite.
        values = torch.asinh(torch.matmul(self.whitening, x[:, :channels]))
        h = self.encoder(torch.cat([values, x[:, channels:]], dim=1))
        return self.head(torch.cat([h.mean(dim=2), h.amax(dim=2)], dim=1)).squeeze(1)


class PinpointerNet(nn.Module):
    """Logits over candidate pipes. Input [n, 2 * channels, points]: scaled values, then mask.

    The whitened pattern over sensors is divided by its root mean square, because where a leak is
    shows in the pattern and how large it is in the size; the size's logarithm is one more
    feature. The convolution's filters over time are shared by all sensors: a filter bank for each
    sensor has more weights than a thousand leaks can teach. The last layer speaks in smooth
    functions over pipes (`basis`), so that near pipes get near logits.
    """

    def __init__(
        self, whitening: Tensor, basis: Tensor, hidden: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.whitening: Tensor
        self.basis: Tensor
        self.register_buffer("whitening", whitening)
        self.register_buffer("basis", basis)
        channels = whitening.shape[0]
        self.filters = nn.Conv1d(1, _FILTERS, kernel, stride=(kernel + 1) // 2)
        self.head = nn.Sequential(
            nn.Linear((2 * _FILTERS + 1) * channels + 1, 2 * hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * hidden, basis.shape[1]),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n, pipes]."""
        channels = self.whitening.shape[0]
        values = torch.matmul(self.whitening, x[:, :channels])
        level = values.sum(dim=2) / x[:, channels:].sum(dim=2).clamp(min=1.0)
        size = (level.square().mean(dim=1, keepdim=True) + _TINY).sqrt()
        pattern = (values / size.unsqueeze(2)).reshape(-1, 1, x.shape[2])
        response = self.filters(pattern)
        # Mean over the window, and its end: the leak may have begun within the window.
        course = torch.cat([response.mean(dim=2), response[:, :, -1]], dim=1)
        course = course.reshape(-1, 2 * _FILTERS * channels)
        return self.head(torch.cat([course, level / size, size.log()], dim=1)) @ self.basis.T


class DetectorExport(nn.Module):
    """What is exported: label and anomaly score, in this order."""

    def __init__(self, network: nn.Module, threshold: float) -> None:
        super().__init__()
        self.network = network
        self.threshold: Tensor
        self.register_buffer("threshold", torch.tensor(threshold, dtype=torch.float32))

    def forward(self, input_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return label int64 [n] and anomaly score [n]."""
        score = torch.sigmoid(self.network(input_features))
        return (score >= self.threshold).to(torch.int64), score


class PinpointerExport(nn.Module):
    """What is exported: probability over the candidate pipes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_features: Tensor) -> Tensor:
        """Return probability [n, pipes]; rows sum to 1."""
        return torch.softmax(self.network(input_features), dim=1)


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
    train_batch: Callable[[NDArray[np.int64]], tuple[Tensor, Tensor]],
    train_size: int,
    validation: tuple[Tensor, Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    patience: int,
    channel_dropout: float,
    seed: int,
    progress: Progress | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """Train with AdamW and early stopping; leave the best epoch's weights in the network.

    Parameters
    ----------
    train_batch
        Returns inputs and targets of the given training rows.
    validation
        Inputs and targets; the epoch with the least loss on them is the best one.
    channel_dropout
        Share of channels masked (value and mask 0) in each training window.

    Returns
    -------
    tuple
        History (epoch, train_loss, validation_loss for each epoch run) and the best epoch.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    steps = max(1, -(-train_size // batch_size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=epochs * steps, pct_start=0.2
    )
    rng = np.random.default_rng(seed)
    history: list[dict[str, Any]] = []
    best_epoch, best_loss, best_state = -1, float("inf"), {}
    for epoch in range(epochs):
        network.train()
        total = 0.0
        order = rng.permutation(train_size)
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x, y = train_batch(rows)
            if channel_dropout > 0:
                keep = (torch.rand(x.shape[0], x.shape[1] // 2, 1) >= channel_dropout).float()
                x = x * keep.repeat(1, 2, 1)
            optimizer.zero_grad()
            batch_loss = loss(network(x), y)
            batch_loss.backward()
            optimizer.step()
            schedule.step()
            total += batch_loss.item() * len(rows)
        validation_loss = float(loss(predict(network, validation[0]), validation[1]))
        history.append(
            {
                "epoch": epoch,
                "train_loss": total / train_size,
                "validation_loss": validation_loss,
            }
        )
        if progress is not None:
            progress(epoch, epochs, total / train_size, validation_loss)
        if validation_loss < best_loss:
            best_epoch, best_loss = epoch, validation_loss
            best_state = {k: v.detach().clone() for k, v in network.state_dict().items()}
        elif epoch - best_epoch >= patience:
            break
    network.load_state_dict(best_state)
    network.eval()
    return history, best_epoch


def predict(network: nn.Module, x: Tensor, *, batch_size: int = 4096) -> Tensor:
    """Return the network's outputs in evaluation mode, without gradients."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(batch_size)])
