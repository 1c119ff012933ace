"""Attributes that are computed when they are first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):
    """``functools.cached_property`` without its lock, which Python has before 3.12.

    All objects of a class share that lock. A process that is forked while another thread holds it would wait forever.

    >>> class Square:
    ...     side = 3
    ...
    ...     @once
    ...     def area(self):
    ...         return self.side**2
    >>> square = Square()
    >>> square.area
    9
    >>> vars(square)
    {'area': 9}
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __get__(self, owner: Any, kind: type) -> T:
        value = vars(owner)[self.compute.__name__] = self.compute(owner)
        return value
