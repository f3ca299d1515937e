"""The shared space's projector and contrastive loss on made-up modalities."""

from __future__ import annotations

import pytest
import torch
from m4sc.space.contrastive import ContrastiveStage, InfoNce, Pairs, train_contrastive
from m4sc.space.projector import Projector, ProjectorConfig
from m4sc.space.prototypes import prototype_features, with_prototypes
from m4sc.space.retrieval import recall_at
from torch.nn import functional


def two_modalities(n: int = 600, dim: int = 24, wide: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors of a space, (n, 1, dim), and noisy linear features of them, (1, n, wide)."""
    generator = torch.Generator().manual_seed(3)
    said = functional.normalize(torch.randn(n, dim, generator=generator), dim=-1)
    seen = said @ torch.randn(dim, wide, generator=generator) + 0.3 * torch.randn(
        n, wide, generator=generator
    )
    return said[:, None], seen[None]


@pytest.mark.parametrize("kind", ["kan", "linear", "mlp"])
def test_alignment_lets_unseen_messages_find_their_sentence(kind: str) -> None:
    said, seen = two_modalities()
    projector = Projector(ProjectorConfig(40, 24, kind, hidden=64, dropout=0.0))
    projector.fit_scale(seen[0, :500])
    if kind != "mlp":
        projector.start_linear(seen[0, :500], said[:500, 0])
    stage = ContrastiveStage(epochs=30, batch=100, learning_rate=3e-3)
    before = recall_at(projector(seen[0, 500:]), said[500:, 0], torch.arange(100))[0]
    train_contrastive(projector, Pairs.of(seen[:, :500], said[:500]), stage)
    found = recall_at(projector(seen[0, 500:]), said[500:, 0], torch.arange(100))
    assert found[0] >= 0.8 and found[1] >= found[0]
    assert kind != "mlp" or before < 0.2
    swapped = recall_at(projector(seen[0, 500:]), said[500:, 0].roll(7, 0), torch.arange(100))
    assert swapped[0] < 0.1


def test_a_kan_projector_starts_as_its_linear_map() -> None:
    said, seen = two_modalities(200)
    kan, linear = (Projector(ProjectorConfig(40, 24, kind, dropout=0.0)) for kind in ("kan", "linear"))
    for projector in (kan, linear):
        projector.fit_scale(seen[0])
        projector.start_linear(seen[0], said[:, 0])
    torch.testing.assert_close(kan(seen[0]), linear(seen[0]))


def test_descriptions_of_one_message_are_no_negatives() -> None:
    a = functional.normalize(torch.randn(6, 8), dim=-1)
    loss_of = InfoNce()
    group = torch.tensor([0, 0, 1, 1, 2, 2])
    twins = a.clone()
    twins[1], twins[3], twins[5] = twins[0], twins[2], twins[4]
    apart = loss_of(a, a, torch.arange(6))
    assert loss_of(twins, twins, group).item() < loss_of(twins, twins, torch.arange(6)).item()
    assert apart.item() < loss_of(a, a.roll(1, 0), torch.arange(6)).item()


def test_unknown_projectors_are_refused() -> None:
    with pytest.raises(ValueError, match="use one of kan, linear, mlp"):
        ProjectorConfig(8, kind="transformer")
    with pytest.raises(ValueError, match="no linear start"):
        Projector(ProjectorConfig(8, 4, "mlp")).start_linear(torch.zeros(3, 8), torch.zeros(3, 4))


def test_prototypes_are_what_the_head_takes_for_their_class() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(500, 30, generator=generator)
    weight, bias = torch.randn(7, 20, generator=generator), torch.randn(7, generator=generator)
    made = prototype_features(features, weight, bias, 2, generator)
    assert made.shape == (2, 7, 30)
    named = (made[..., :20] @ weight.T + bias).argmax(-1)
    assert float((named == torch.arange(7)).float().mean()) >= 0.9
    said = functional.normalize(torch.randn(500, 3, 8, generator=generator), dim=-1)
    classes = functional.normalize(torch.randn(7, 8, generator=generator), dim=-1)
    both = with_prototypes(Pairs.of(torch.stack([features, features]), said), made, classes, 0.25)
    assert both.views.shape == (2, 507, 30) and both.sentences.shape == (507, 3, 8)
    assert len(both.group.unique()) == 507
    assert float(both.weight[500:].sum() / both.weight[:500].sum()) == pytest.approx(0.25)
