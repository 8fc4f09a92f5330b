"""Options of training that all networks share, and how it tells its progress."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int, float, float], None]
"""Called after each epoch with epoch, epochs, training loss, validation loss."""


@dataclass(frozen=True)
class TrainingOptions:
    """Size, regularization and optimization of a network.

    Parameters
    ----------
    hidden, dropout
        Units of the hidden layers, share of them left out in training.
    channel_dropout
        Share of channels that are missing in each training window: sensors fail.
    epochs, batch_size, learning_rate, weight_decay, patience
        Optimization with AdamW; stops after `patience` epochs without a better validation loss.
    seed, threads
        Same seed, threads and data give the same weights on the same kind of machine.
    """

    hidden: int = 32
    dropout: float = 0.2
    channel_dropout: float = 0.05
    epochs: int = 20
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    patience: int = 5
    seed: int = 0
    threads: int = 1
