"""Weights of an ONNX graph, read from its protocol buffer: no ONNX package, nothing is run.

Only what a converter needs: stored tensors, and which of them each node takes. The numbers of fields are
those of ``onnx.proto`` (ONNX 1.x): ModelProto.graph 7; GraphProto.node 1, initializer 5; NodeProto.input 1,
op_type 4; TensorProto.dims 1, data_type 2, float_data 4, name 8, raw_data 9, external_data 13.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_FLOAT = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers


@dataclass(frozen=True)
class OnnxGraph:
    """nodes: (kind of operation, names of its inputs) in order; floats: stored float32 tensors by name."""

    nodes: tuple[tuple[str, tuple[str, ...]], ...]
    floats: dict[str, np.ndarray]


def read_graph(model: bytes, external: bytes = b"") -> OnnxGraph:
    """Read a graph.

    Args:
        model: content of the ``.onnx`` file.
        external: content of the one file that holds tensors beside it, if any.

    Raises:
        ValueError: no such file, or one that is cut off.
    """
    try:
        graph = _message(_message(model)[7][0])
        nodes = []
        for content in graph[1]:
            node = _message(content)
            inputs = tuple(name.decode() for name in node[1])
            nodes.append((node[4][0].decode(), inputs))
        stored = (_tensor(content, external) for content in graph[5])
        return OnnxGraph(tuple(nodes), {name: values for name, values in stored if values is not None})
    except (IndexError, UnicodeDecodeError, AttributeError) as error:
        raise ValueError("the file is no ONNX model, or it is cut off") from error


def _tensor(content: bytes, external: bytes) -> tuple[str, np.ndarray | None]:
    """Name and values of a stored tensor; None where it does not hold float32."""
    fields = _message(content)
    name = fields[8][0].decode()
    if fields[2][0] != _FLOAT:
        return name, None
    shape = [n for part in fields[1] for n in ([part] if isinstance(part, int) else _numbers(part))]
    if fields[13]:
        place = {}
        for pair in fields[13]:
            entry = _message(pair)
            place[entry[1][0].decode()] = entry[2][0].decode()
        start = int(place.get("offset", 0))
        raw = external[start : start + int(place["length"])]
    else:
        raw = b"".join(fields[9] or fields[4])
    values = np.frombuffer(raw, "<f4")
    if values.size != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"tensor {name} has {values.size} values for the shape {tuple(shape)}")
    return name, values.reshape(shape)


def _message(content: bytes) -> defaultdict[int, list]:
    """Values of a message by number of their field."""
    fields: defaultdict[int, list] = defaultdict(list)
    place = 0
    while place < len(content):
        key, place = _number(content, place)
        wire = key & 7
        if wire == _VARINT:
            value, place = _number(content, place)
            fields[key >> 3].append(value)
            continue
        if wire == _BYTES:
            size, place = _number(content, place)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise IndexError
        if place + size > len(content):
            raise IndexError
        fields[key >> 3].append(content[place : place + size])
        place += size
    return fields


def _number(content: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next begins."""
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _numbers(content: bytes) -> Iterator[int]:
    place = 0
    while place < len(content):
        value, place = _number(content, place)
        yield value
