"""What a graph of models can be given: what its members are given and none of them makes, and what a sample begins from."""

from __future__ import annotations

from genwright.core.shapes import Label, Port, Shape, Signal
from genwright.models.architectures.base import Decodes, Denoises
from genwright.sampling.graph import Graph
from genwright.sampling.task import Alias, Input, aliased


def inputs(graph: Graph, kind: str, content: Shape) -> list[Input]:
    """Every column that a member is given and no other makes, then what the last one may begin from. `kind` and `content`: what
    is made, and its shape. A code without a way back is asked for as what it is a code of: where that is made, as a
    reference, else as the column itself."""
    made = {bundle.info.view.makes for bundle in graph.members.values()}
    columns: dict[str, Input] = {}
    pictures: dict[str, Alias] = {}
    makers = [bundle for bundle in graph.members.values() if bundle.info.view.makes is not None]
    for name, port in (port for bundle in makers for port in bundle.info.signature.given.items()):
        origin = graph.origin(name)
        if origin is None and name not in made:
            columns.setdefault(name, _column(graph, name, port))
        elif origin is not None and _comes(graph, origin):
            columns.setdefault(name, _reference(graph, name, origin))
        elif origin is not None and origin not in made and (shape := graph.shape(origin)) is not None:
            columns.setdefault(origin, _column(graph, origin, port.model_copy(update={"shape": shape})))
        pictures[name] = graph.friendly(name)
    own = {name for name in columns if graph.hides(name) or graph.follows(name)}
    return aliased(list(columns.values()), *_beginnings(graph, kind, content), own, pictures)


def _comes(graph: Graph, name: str) -> bool:
    """Whether a column is what is made in the end, or comes from it."""
    return name == graph.makes or graph.makes in graph.view.origins(name)


def _column(graph: Graph, name: str, port: Port) -> Input:
    reader, labelled = graph.reader(name), isinstance(port.shape, Label)
    return Input(
        name=name,
        shape=port.shape,
        needed=not (port.optional or port.drop or labelled or graph.follows(name)),
        read_as=None if reader is None else reader.name,
        labels=getattr(reader, "labels", None),
    )


def _reference(graph: Graph, name: str, origin: str) -> Input:
    shape, reader = graph.shape(origin), graph.reader(origin)
    assert shape is not None
    return Input(name=name, role="reference", shape=shape, read_as=None if reader is None else reader.name)


def _beginnings(graph: Graph, kind: str, content: Shape) -> tuple[Input | None, Input | None]:
    """What a sample may begin from, and what says where that stays, where the last member can."""
    last = graph.last.model
    if isinstance(last, Decodes):
        return Input(name="start", role="start", shape=content, read_as=kind), None
    if not isinstance(last, Denoises) or not isinstance(content, Signal):
        return None, None
    mask = content.model_copy(update={"channels": 1})
    start = Input(name="start", role="start", shape=content, read_as=kind)
    return start, Input(name="keep", role="keep", shape=mask, read_as=kind)
