"""Candidate pipes as the pinpointer and its metrics see them: order, distances, end nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True)
class CandidatePipes:
    """Pipes that can leak, in the order of the pinpointer's output.

    Attributes
    ----------
    link_ids
        Names of the pipes.
    distance_m
        float64 [pipes, pipes]: way between pipes, 0 on the same pipe, inf without a path.
    node_ids
        Names of the nodes.
    ends
        int [pipes, 2]: positions of both end nodes in `node_ids`.
    hops
        float64 [nodes, nodes]: links between two nodes, inf without a path.
    """

    link_ids: tuple[str, ...]
    distance_m: NDArray[np.float64]
    node_ids: tuple[str, ...]
    ends: NDArray[np.int64]
    hops: NDArray[np.float64]

    @classmethod
    def build(
        cls, link_ids: Sequence[str], distance_m: NDArray[np.float64], links: pl.DataFrame
    ) -> "CandidatePipes":
        """Return the candidate pipes of a network.

        Parameters
        ----------
        link_ids, distance_m
            Pipes and the distances between them, in the same order.
        links
            Rows of `network.links`: all links count as a hop, also valves and pumps.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import shortest_path

        nodes = sorted({*links["start_node"], *links["end_node"]})
        position = {name: i for i, name in enumerate(nodes)}
        start = np.array([position[name] for name in links["start_node"]])
        end = np.array([position[name] for name in links["end_node"]])
        graph = coo_array((np.ones(start.size), (start, end)), shape=(len(nodes), len(nodes)))
        hops = shortest_path(graph.tocsr(), directed=False, unweighted=True)
        row = {name: i for i, name in enumerate(links["link_id"])}
        rows = [row[name] for name in link_ids]
        ends = np.stack([start[rows], end[rows]], axis=1)
        return cls(tuple(link_ids), np.asarray(distance_m, float), tuple(nodes), ends, hops)

    @classmethod
    def from_tables(cls, links: pl.DataFrame, pipe_distance: pl.DataFrame) -> "CandidatePipes":
        """Return the pipes that can leak: those with a length that are not closed.

        Parameters
        ----------
        links, pipe_distance
            Rows of `network.links` and `network.pipe_distance` of one network.
        """
        open_pipes = links.filter(
            (pl.col("link_type") == "pipe")
            & (pl.col("length_m") > 0)
            & (pl.col("initial_status") != "closed")
        )["link_id"]
        position = pl.DataFrame({"link": open_pipes, "at": np.arange(open_pipes.len())})
        pairs = pipe_distance.join(position.rename({"link": "link_a", "at": "a"}), on="link_a")
        pairs = pairs.join(position.rename({"link": "link_b", "at": "b"}), on="link_b")
        a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
        distance = np.full((open_pipes.len(), open_pipes.len()), np.inf)
        distance[a, b] = distance[b, a] = pairs["distance_m"].to_numpy()
        return cls.build(open_pipes.to_list(), distance, links)

    @property
    def most_central(self) -> int:
        """Position of the pipe with the least median distance to all others."""
        return int(np.median(self.distance_m, axis=1).argmin())

    def positions(self, link_ids: pl.Series) -> NDArray[np.int64]:
        """Return the position of each pipe, int [n].

        Raises
        ------
        ValueError
            If a pipe is no candidate.
        """
        position = {name: i for i, name in enumerate(self.link_ids)}
        unknown = sorted(set(link_ids) - set(position))
        if unknown:
            message = f"no candidate pipes: {', '.join(map(str, unknown[:5]))}"
            raise ValueError(message)
        return np.array([position[name] for name in link_ids], dtype=np.int64)

    def node_probability(self, pipe_probability: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each node, float64 [n, nodes]: half of each of its pipes."""
        probability = np.zeros((pipe_probability.shape[0], len(self.node_ids)))
        for side in (0, 1):
            np.add.at(probability.T, self.ends[:, side], 0.5 * pipe_probability.T)
        return probability
