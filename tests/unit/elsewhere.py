"""A second device without the hardware: tensors of the CPU that say they lie on a GPU, and refuse to meet tensors that do not.

What runs with them runs on a GPU as far as the places of its tensors go; of speed, memory and rounding there they say nothing.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

PLACE = torch.device("cuda", 0)
LEAVING = {"cpu", "tolist", "item", "numpy", "__bool__", "__int__", "__float__", "__index__"}
# an index may lie on the CPU, and copying is what crosses devices
CROSSING = {"__getitem__", "__setitem__", "copy_", "to", "as_subclass", "__set__", "_has_compatible_shallow_copy_type"}


class Elsewhere(torch.Tensor):
    @property
    def device(self):
        return PLACE

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
        strangers = [value for value in given if not isinstance(value, Elsewhere) and value.dim()]
        if strangers and function.__name__ not in CROSSING:
            raise RuntimeError(f"{function.__name__}: all tensors should be on one device, but found {len(strangers)} of {len(given)} on the CPU")
        made = super().__torch_function__(function, types, args, kwargs)
        if isinstance(made, torch.Tensor) and (function.__name__ in LEAVING or type(made) is torch.Tensor):  # a gradient comes back plain
            return made.as_subclass(torch.Tensor if function.__name__ in LEAVING else Elsewhere)
        return made


class Placed(TorchFunctionMode):
    """Within it a tensor that is made on the GPU, or sent there, becomes one of these; one that is sent to the CPU becomes plain again."""

    def __enter__(self):
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # modules take the sent tensors themselves, not their contents
        return super().__enter__()

    def __exit__(self, *error):
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        return super().__exit__(*error)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        places = [value for value in (*args[1:], kwargs.get("device")) if isinstance(value, (str, torch.device))] if function is torch.Tensor.to or "device" in kwargs else []
        wanted = places[0] if places else None
        if places:  # all is computed on the CPU
            args = tuple("cpu" if value is wanted else value for value in args)
            kwargs = {name: "cpu" if value is wanted else value for name, value in kwargs.items()}
        made = function(*args, **kwargs)
        if wanted is None:
            return made
        return made.as_subclass(Elsewhere if torch.device(wanted).type == "cuda" else torch.Tensor)
