"""Fewer calls to the JVM, which take most of the time that a large job takes to be built and read.

PyFlink writes the classes that it needs in full, for each operator anew, and py4j asks the JVM for each part of such a name. A job of
hundreds of operators then takes longer to name its classes than to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from py4j.java_gateway import JavaClass, JavaMember, JavaObject, JavaPackage, JVMView
from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway

_FINAL = 0x10
"""`java.lang.reflect.Modifier.FINAL`."""


@contextmanager
def names_remembered() -> Iterator[None]:
    """Ask the JVM once for each package, class, static method and constant that is named while this is entered.

    What is not known as a class may become one when a jar is added: py4j takes it for a package, and it is asked for again.
    """
    originals = {owner: owner.__getattr__ for owner in (JVMView, JavaPackage, JavaClass)}
    for owner, original in originals.items():
        owner.__getattr__ = _remembering(original)
    try:
        yield
    finally:
        for owner, original in originals.items():
            owner.__getattr__ = original


def _remembering(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    asked: set[tuple[str, str]] = set()

    def remember(owner: Any, name: str) -> Any:
        found = original(owner, name)
        if isinstance(found, (JavaClass, JavaMember)) or (isinstance(found, JavaPackage) and name.islower()):
            vars(owner)[name] = found
        elif isinstance(found, JavaObject):
            field = (owner._fqn, name)
            if field in asked and _is_constant(owner, name):  # to ask about it takes three calls
                vars(owner)[name] = found
            asked.add(field)
        return found

    return remember


def _is_constant(owner: JavaClass, name: str) -> bool:
    """Say whether a static field of a class is `final`: an enum's values are, and PyFlink's types."""
    try:
        return bool(owner._java_lang_class.getField(name).getModifiers() & _FINAL)
    except Py4JJavaError:  # it is not public
        return False


@contextmanager
def kept() -> Iterator[None]:
    """Leave to the end of the JVM what it has made for Python: a process that lives for seconds has no call to spare for each object."""
    settings = get_gateway().gateway_property
    before = settings.enable_memory_management
    settings.enable_memory_management = False
    try:
        yield
    finally:
        settings.enable_memory_management = before


def elements(j_list: Any) -> list[Any]:
    """Return what is in a Java list, in one call for each; py4j takes three for each element of an array."""
    return [j_list.get(index) for index in range(j_list.size())]
