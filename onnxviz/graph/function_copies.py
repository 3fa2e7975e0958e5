"""Copies of a model's functions, each for calls that need another one than the original."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from onnxviz.graph.topology import FunctionKey, every_node, function_key


class FunctionCopies:
    """The functions of a model that is being rewritten, with the copies that were made of them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._made: dict[FunctionKey, list[onnx.FunctionProto]] = {}
        self.functions = {function_key(function): function for function in model.functions}

    def copy(self, key: FunctionKey) -> onnx.FunctionProto:
        """Add a copy of a function, with a name of its own."""
        copied = self._model.functions.add()
        copied.CopyFrom(self.functions[key])
        taken = {(domain, name) for domain, name, _ in self.functions}
        count = 1
        while (key[0], f"{copied.name}__{count}") in taken:
            count += 1
        copied.name += f"__{count}"
        self.functions[function_key(copied)] = copied
        self._made.setdefault(key, []).append(copied)
        return copied

    def drop(self, copied: onnx.FunctionProto) -> None:
        """Take a copy back that no node calls."""
        key = function_key(copied)
        del self.functions[key]
        for made in self._made.values():
            made[:] = [function for function in made if function is not copied]
        self._remove(key)

    def settle(self) -> None:
        """Let a copy take the place and name of its original where no call is left to that one."""
        waiting = {key: made for key, made in self._made.items() if made}
        while waiting:
            called = {function_key(node) for nodes in self._lists() for node in every_node(nodes)}
            lonely = next((key for key in waiting if key not in called), None)
            if lonely is None:
                return
            self._put(lonely, waiting.pop(lonely)[0])

    def _put(self, key: FunctionKey, copied: onnx.FunctionProto) -> None:
        original, own, replaced = self.functions[key], key[1], function_key(copied)
        original.CopyFrom(copied)
        original.name = own
        self._remove(replaced)
        for nodes in self._lists():
            for node in every_node(nodes):
                if function_key(node) == replaced:
                    node.op_type = own

    def _remove(self, key: FunctionKey) -> None:
        index = [function_key(function) for function in self._model.functions].index(key)
        del self._model.functions[index]

    def _lists(self) -> Sequence[Sequence[onnx.NodeProto]]:
        return [self._model.graph.node, *(function.node for function in self._model.functions)]
