"""Muon on a CPU against torch's own, and its iterations against their definition."""

import pytest
import torch
from segue_export.optim import Muon, orthogonal, shared_out
from segue_export.process_group import ProcessGroup
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS, EPS = 5, 1e-7
SHAPES = [(48, 12), (12, 48), (20, 20), (1, 7), (9, 1)]


def by_definition(matrix: Tensor) -> Tensor:
    """X to a X + (b A + c A^2) X with A = X X^T, in float64 (Jordan et al. 2024)."""
    a, b, c = COEFFICIENTS
    x = matrix.double() / matrix.double().norm()
    for _ in range(STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    result: Tensor = x
    return result


def a_matrix(shape: tuple[int, int], spread: float) -> Tensor:
    """With singular values from 1 down to 10 to the power of -`spread`."""
    torch.manual_seed(3)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix: Tensor = u @ torch.diag(torch.logspace(0, -spread, min(shape))) @ v
    return matrix


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
def test_the_iterations_are_those_of_the_definition(shape: tuple[int, int], spread: float) -> None:
    matrix = a_matrix(shape, spread)
    found = orthogonal(matrix, COEFFICIENTS, STEPS, EPS)
    assert found.shape == shape and found.dtype == torch.float32
    meant = by_definition(matrix)
    assert (found - meant).norm() < 1e-3 * meant.norm()
    if spread < 1:
        values = torch.linalg.svdvals(found)
        assert values.min() > 0.6 and values.max() < 1.3


def test_a_gradient_of_zero_moves_nothing() -> None:
    assert not orthogonal(torch.zeros(6, 4), COEFFICIENTS, STEPS, EPS).any()


def trained(optimizer: torch.optim.Optimizer, weight: Tensor, steps: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    for _ in range(steps):
        weight.grad = torch.randn_like(weight)
        optimizer.step()
    return weight.detach().clone()


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_it_goes_where_torchs_goes(shape: tuple[int, int]) -> None:
    """To within the bfloat16 in which torch's computes; either goes on with the other's state."""
    begun = a_matrix(shape, 1.0)
    mine, torchs = (nn.Parameter(begun.clone()) for _ in range(2))
    ours = Muon([mine], 0.02, 0.1)
    theirs = torch.optim.Muon([torchs], 0.02, 0.1, adjust_lr_fn="match_rms_adamw")
    for seed in range(3):
        a, b = trained(ours, mine, 4, seed), trained(theirs, torchs, 4, seed)
        assert (a - b).norm() < 0.03 * (b - begun).norm()
        saved = ours.state_dict()
        ours.load_state_dict(theirs.state_dict())
        theirs.load_state_dict(saved)


def test_what_has_no_gradient_stays() -> None:
    still, moved = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(3, 2))
    moved.grad = a_matrix((3, 2), 0.5)
    Muon([still, moved], 0.1, 0.0).step()
    assert torch.equal(still, torch.ones(3, 2)) and not torch.equal(moved, torch.ones(3, 2))


def test_the_work_is_shared_out_evenly() -> None:
    owners = shared_out([1.0, 9.0, 3.0, 5.0, 2.0], 2)
    assert owners[1] != owners[3], "the two largest"
    loads = [sum(w for w, o in zip([1, 9, 3, 5, 2], owners, strict=True) if o == p) for p in (0, 1)]
    assert loads == [10, 10]
    assert shared_out([1.0, 2.0], 1) == [0, 0] and shared_out([], 3) == []


class Told(ProcessGroup):
    """One of several processes, which is told what the others would have found."""

    found: dict[int, Tensor]

    def broadcast(self, tensor: Tensor, rank: int) -> Tensor:
        if rank == self.rank:
            self.found[rank] = tensor.clone()
        return tensor.copy_(self.found[rank]) if rank in self.found else tensor


def test_several_processes_find_what_one_finds() -> None:
    begun = [a_matrix(shape, 1.0) for shape in SHAPES]
    found: dict[int, Tensor] = {}

    def moved(rank: int, size: int) -> list[Tensor]:
        processes = Told(rank, size, torch.device("cpu"))
        object.__setattr__(processes, "found", found)
        weights = [nn.Parameter(matrix.clone()) for matrix in begun]
        for weight in weights:
            torch.manual_seed(len(weight))
            weight.grad = torch.randn_like(weight)
        Muon(weights, 0.02, 0.1, processes=processes).step()
        return [weight.detach() for weight in weights]

    alone = moved(0, 1)
    for rank in range(3):
        moved(rank, 3)  # each tells its share
    for rank in range(3):
        assert all(torch.equal(a, b) for a, b in zip(moved(rank, 3), alone, strict=True))
