"""Packed products equal plain ones, for few rows and for many, and are what the engine decodes with."""

import pytest
import torch

from rational_utils.models import products

needs_packing = pytest.mark.skipif(not products.can_pack(torch.zeros(1, 1)), reason="this build of torch has no oneDNN")


@pytest.fixture(scope="module")
def weight():
    return torch.randn(48, 32, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 7, products.FEW_ROWS, products.FEW_ROWS + 1])
@pytest.mark.parametrize("form", [products.Plain, pytest.param(products.Packed, marks=needs_packing)])
def test_the_product_and_its_sum(weight, count, form):
    rows, others, product = torch.randn(count, 32), torch.randn(count, 48), form(weight)
    before = others.clone()
    assert torch.allclose(product(rows), rows @ weight.T, atol=1e-5)
    assert torch.allclose(product.plus(rows, others), others + rows @ weight.T, atol=1e-5)
    assert torch.equal(others, before)


@torch.inference_mode()
def test_bfloat16_where_the_processor_has_it(weight):
    rows, low = torch.randn(7, 32).bfloat16(), weight.bfloat16()
    product = products.for_few_rows(low)
    assert isinstance(product, products.Packed) == bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    assert torch.allclose(product(rows).float(), rows.float() @ low.float().T, atol=0.1)


def test_other_types_are_left_alone(weight):
    assert type(products.for_few_rows(weight.double())) is products.Plain
