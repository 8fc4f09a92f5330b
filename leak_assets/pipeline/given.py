"""What many steps follow from besides tables: the network and the data contract."""

from leak_assets.warehouse import Input

from .step import Given
from .work import Work


def network_inputs(work: Work) -> tuple[Input, ...]:
    """Return model, first weekday of its patterns and layout."""
    return work.network.inputs()


def contract_inputs(work: Work) -> tuple[Input, ...]:
    """Return the contract of the site's readings."""
    return (work.site.contract_input,)


NETWORK = Given("network", network_inputs)
CONTRACT = Given("contract", contract_inputs)
