"""Responses in towns that differ from the model."""

import numpy as np
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.signatures.ensemble import ensemble_mismatch
from leak_assets.hydraulics.signatures.signatures import signatures
from leak_assets.hydraulics.towns.town import NO_BOUNDS
from leak_assets.sites import Network, candidate_pipes, load_layout


def test_towns_scatter_around_the_signature(hanoi: Network) -> None:
    """The nominal response is the signature; diameters of ±10 % move it by some ten percent."""
    layout, pipes = load_layout(hanoi), candidate_pipes(hanoi)[::6]
    found = ensemble_mismatch(hanoi, layout, pipes, members=6, hours=(0,), leak_m3_per_s=0.2)
    alone = signatures(hanoi, layout, pipes, hours=(0,), leak_m3_per_s=0.2)
    np.testing.assert_allclose(found.nominal, alone.mean(), atol=1e-9)
    off = np.abs(found.members - found.nominal).mean() / np.abs(found.nominal).mean()
    assert 0.02 < off < 1.0
    assert found.common_factor().shape == (6, len(pipes))
    covariance = found.covariance(0)
    assert covariance.shape == (len(found.sensors),) * 2
    assert np.linalg.eigvalsh(covariance).min() > -1e-6 * np.trace(covariance)


def test_towns_like_the_model_do_not_differ(hanoi: Network) -> None:
    """Without bounds every town answers as the model does; one town is no ensemble."""
    layout, pipes = load_layout(hanoi), candidate_pipes(hanoi)[:3]
    same = ensemble_mismatch(hanoi, layout, pipes, members=2, hours=(0,), bounds=NO_BOUNDS)
    np.testing.assert_allclose(same.members, same.nominal[None].repeat(2, axis=0), atol=1e-2)
    np.testing.assert_allclose(same.common_factor(), 1.0, atol=1e-3)
    with pytest.raises(InputError, match="two towns"):
        ensemble_mismatch(hanoi, layout, pipes, members=1)
