"""Attention rollout as an explanation: what a transformer's last layer takes from each place of the picture."""

from __future__ import annotations

from onnxviz.draw.attention import over_picture
from onnxviz.errors import UnsupportedError
from onnxviz.explaining.network import Network
from onnxviz.layout import Array, AttentionLayout
from onnxviz.runtime.session import RunOptions


def attention_rollout(network: Network, options: RunOptions) -> tuple[Array, str]:
    """Return the attention of the class token through all layers, (h, w), and the layer; without one the queries' mean.

    The weights of the layers, each with half of itself passed on, are multiplied (Abnar and Zuidema 2020,
    arXiv:2005.00928, section 3). What every place has, the least of them, says nothing and is taken away.

    Raises:
        UnsupportedError: The model has no chain of attentions whose tokens lie in the picture.
    """
    layer = next((one for one in network.model.catalogue if one.op == "Rollout"), None)
    if layer is None:
        raise UnsupportedError("no attentions of the model follow each other over the same tokens: it has no rollout")
    found = network.model.run(network.feed_of(network.array), layers=[layer], run=options)[layer.name]
    shown = over_picture(found.array, AttentionLayout(found.layout or "", found.tokens))
    if shown is None:
        raise UnsupportedError("where the tokens of the rollout lie in the picture is not known")
    heat = shown.values.mean(0)
    return heat - heat.min(), layer.name
