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


class Encoder(nn.Module):
    """Two convolutions over time, then mean and maximum over time: [n, in, points] -> [n, 2h]."""

    def __init__(self, channels: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, hidden, kernel, stride=2, padding=kernel // 2),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Conv1d(hidden, hidden, kernel, stride=2, padding=kernel // 2),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features [n, 2 * hidden]."""
        h = self.body(x)
        return torch.cat([h.mean(dim=2), h.amax(dim=2)], dim=1)


class DetectorNet(nn.Module):
    """Logit that a leak runs. Input [n, 2 * channels, points]: scaled values, then mask."""

    def __init__(self, channels: int, hidden: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = Encoder(2 * channels, hidden, kernel)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n]."""
        # asinh: linear within a few sigma, logarithmic beyond, so a large fault stays finite.
        values = torch.asinh(x[:, : self.channels])
        return self.head(self.encoder(torch.cat([values, x[:, self.channels :]], dim=1))).squeeze(1)


class PinpointerNet(nn.Module):
    """Logits over candidate pipes. Input [n, 2 * channels, points]: scaled values, then mask.

    The pattern over sensors is divided by its root mean square, because where a leak is shows in
    the pattern and how large it is in the size; the size's logarithm is one more feature.
    """

    def __init__(self, channels: int, pipes: int, hidden: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = Encoder(2 * channels, hidden, kernel)
        self.head = nn.Sequential(
            nn.Linear(2 * hidden + channels + 1, 2 * hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * hidden, pipes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n, pipes]."""
        values, mask = x[:, : self.channels], x[:, self.channels :]
        # Means over time first: the demand noise that averages out is most of a short window.
        level = values.sum(dim=2) / mask.sum(dim=2).clamp(min=1.0)
        size = (level.square().mean(dim=1, keepdim=True) + _TINY).sqrt()
        pattern = torch.cat([values / size.unsqueeze(2), mask], dim=1)
        features = torch.cat([self.encoder(pattern), level / size, size.log()], dim=1)
        return self.head(features)


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
