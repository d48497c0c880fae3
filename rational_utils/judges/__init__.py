"""What a judge of a model's answer is, where judges are found, and how well one agrees with people.

Every module of this folder whose name has no leading underscore is a judge called by that name:
it holds one object, ``JUDGE``, or a function ``configured`` that makes the judge from a profile's settings.
Adding or deleting such a file adds or removes the judge.

This module does not split a rationale from the final response, and knows nothing of harm:
a judge says whether a question was refused, not whether the answer was dangerous or correct.
"""

import importlib
import pkgutil

from ._agreement import agreement, agreement_report, read_labelled
from ._coconot import acceptance, coconot_rates
from ._interface import Judge, Response, Verdict, answered, identity
from ._labelled import by_people

__all__ = ["Judge", "Response", "Verdict", "acceptance", "agreement", "agreement_report", "answered", "by_people", "coconot_rates", "find", "identity", "names", "of_kind", "read_labelled"]


def names() -> list[str]:
    """The names of the judges that need no settings, sorted."""
    return [name for name in _files() if hasattr(_module(name), "JUDGE")]


def find(name: str, settings=None) -> Judge:
    """The judge called ``name``; one that has to be set up is made from ``settings``, its section of the profile.

    Raises ValueError, in one line with the known names, if there is none.
    """
    if name not in _files():
        raise ValueError(f"no judge is called {name!r}; known judges: {', '.join(_files())}")
    module = _module(name)
    return module.JUDGE if hasattr(module, "JUDGE") else module.configured(settings)


def of_kind(judge: Judge, kind: str) -> Judge:
    """The judge for one of CoCoNot's categories: a model that is asked with their rubrics has one for each, every other judge is its own."""
    return judge.of_kind(kind) if hasattr(judge, "of_kind") else judge


def _files() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def _module(name: str):
    return importlib.import_module(f"{__name__}.{name}")
