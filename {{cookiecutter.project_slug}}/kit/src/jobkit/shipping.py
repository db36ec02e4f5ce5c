"""Makes a job run the code that it was submitted with, where a TaskManager's interpreter has other versions of it.

In thread mode all jobs of a TaskManager share one interpreter, and with it `sys.modules`. Functions are pickled by reference:
where a version of a package was imported once, each later one would silently run the first one's code. So a function travels
with digests of the sources of its packages, and with the source of this module, which is all that unpickling it needs: it must
not import the kit, of which there may be several versions too.

The first version of a package is imported as ever. When a second one comes, a `_Door` takes the place of each module of the
package in `sys.modules`, and shows each job its own: to a pickle, and to an import inside a function, as well.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pickle
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

_KIT = "jobkit"
_NAME = "_jobkit_shipping_1"
"""What this module is called in a TaskManager. There is one for all jobs, whichever came first: count up when `receive` changes."""
_RECEIVE = f"""(__import__("sys").modules.get({_NAME!r}) or (lambda module: (
    exec(compile(source, "jobkit/shipping.py", "exec"), module.__dict__),
    __import__("sys").modules.setdefault({_NAME!r}, module),
)[1])(__import__("types").ModuleType({_NAME!r}))).receive(payload, wanted)"""
_VERSION = "__jobkit_version__"
"""The variable by which a module says which version it is of."""
_ASKED_BY_IMPORTS = ("__spec__", "__path__")


class OtherVersion(ImportError):
    """A TaskManager has another version of a package than a job was submitted with; no JobkitError, as the kit may be that package."""

    def __init__(self, package: str, place: str) -> None:
        super().__init__(
            f"The job was submitted with another version of the package {package} than there is in this TaskManager. Found: {place}. "
            "Ship the package with the job (python.files, or flink run -pyfs), or update the image, or the installation, "
            "of the TaskManagers.",
            name=package,
            path=place,
        )


@contextmanager
def shipped(build: Callable[..., Any]) -> Iterator[None]:
    """Let the functions that PyFlink pickles meanwhile say which code they were made with.

    Args:
        build: The job's function; the code is that of its top-level package, and the kit's.
    """
    packages = dict.fromkeys([_KIT, (build.__module__ or "").partition(".")[0]])
    wanted = tuple((package, digest) for package in packages if (digest := _loaded(package)[1]) is not None)
    source = _own_source()
    dumps = cloudpickle.dumps

    def ship(function: Any, *args: Any, **options: Any) -> bytes:
        content: bytes = dumps(function, *args, **options)
        by_flink = sys._getframe(1).f_globals.get("__name__", "").startswith("pyflink.")
        return pickle.dumps(_Shipment(source, content, wanted)) if by_flink and source and wanted else content

    cloudpickle.dumps = ship
    try:
        yield
    finally:
        cloudpickle.dumps = dumps


class _Shipment:
    def __init__(self, source: str, payload: bytes, wanted: tuple[tuple[str, str], ...]) -> None:
        self._content = {"source": source, "payload": payload, "wanted": wanted}

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (_RECEIVE, self._content)


def _own_source() -> str | None:
    get_source = getattr(__spec__.loader if __spec__ else None, "get_source", None)
    return get_source(__name__) if get_source else None


def receive(payload: bytes, wanted: Iterable[tuple[str, str]]) -> Any:
    """Unpickle a function with the code that it was submitted with.

    Args:
        payload: The function, as PyFlink pickles it.
        wanted: The packages, those first which others import, each with the digest of its sources.

    Raises:
        OtherVersion: When a package is there, but not with these sources.
    """
    _here.versions = {}
    with _lock:
        for package, sources in wanted:
            version = _find(package, sources, _here.versions)
            if version is not None:
                _here.versions[package] = version
    return cloudpickle.loads(payload)


def digest(entry: str, package: str) -> str | None:
    """Return the digest of the sources of a package; None where there are none.

    Args:
        entry: An entry of `sys.path`: a folder, or a zip.
        package: The package's name.
    """
    folder = Path(entry, package)
    try:
        if Path(entry).is_file():
            return _digest(((entry, package, *_state(Path(entry))),))
        found = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*.py"))
        return _digest(tuple((str(path), name, *_state(path)) for name, path in found))
    except (OSError, zipfile.BadZipFile):
        return None


def _state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[str, str, int, int], ...]) -> str | None:
    sources = [(name, Path(path).read_bytes()) for path, name, _, _ in files if path.endswith(".py")]
    for path, package, _, _ in files[: not sources]:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.startswith(f"{package}/") and name.endswith(".py"))
            sources = [(name.removeprefix(f"{package}/"), archive.read(name)) for name in names]
    total = hashlib.sha256()
    for name, content in sources:
        one = hashlib.sha256(content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        total.update(f"{name} {one.hexdigest()}\n".encode())
    return total.hexdigest() if sources else None


def _loaded(package: str) -> tuple[str, str | None]:
    """Return where a package that is imported, or would be, comes from, as an entry of `sys.path`, and its digest."""
    module = sys.modules.get(package)
    try:
        spec = importlib.util.find_spec(package) if module is None else None
    except (ImportError, ValueError):
        spec = None
    places = list(getattr(module, "__path__", None) or (spec.submodule_search_locations if spec else None) or ())
    entry = str(Path(places[0]).parent) if places else ""
    return entry, digest(entry, package) if places else None


class _Version:
    """One version of a package, as this interpreter has it.

    Attributes:
        modules: Its modules by name; empty while they are in `sys.modules` themselves.
    """

    def __init__(self, package: str, sources: str | None, roots: list[str], uses: dict[str, _Version]) -> None:
        self.package, self.sources, self.roots, self.uses = package, sources, roots, uses
        self.modules: dict[str, ModuleType] = {}
        self.path: list[str] = []
        self._lock = threading.RLock()

    def extend(self, roots: list[str]) -> None:
        """Look for further modules in other copies too: those of a job go when it ends, and others of this version may still run."""
        added = [root for root in roots if root not in self.roots]
        self.roots += added
        for name, module in (self.modules or _plain(self.package)).items():
            if hasattr(module, "__path__"):
                module.__path__ = [*module.__path__, *(str(Path(root, *name.split("."))) for root in added)]

    def load(self, name: str) -> ModuleType:
        """Return a module, imported if it is not yet.

        Raises:
            ModuleNotFoundError: When there is none of this name in this version.
        """
        with self._lock:
            if name in self.modules:
                return self.modules[name]
            parent, _, child = name.rpartition(".")
            spec = PathFinder.find_spec(name, self.load(parent).__path__ if parent else self.roots)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            module = self.modules[name] = importlib.util.module_from_spec(spec)
            vars(module)[_VERSION] = self
            if hasattr(module, "__path__"):
                module.__path__ = list(module.__path__)  # that of a package without __init__.py follows sys.path
            try:
                if spec.loader is not None:
                    spec.loader.exec_module(module)
            except BaseException:
                del self.modules[name]
                raise
            if parent:
                setattr(self.modules[parent], child, module)
            return module


_lock = threading.RLock()
_here = threading.local()
_versions: dict[str, list[_Version]] = {}
_divided: set[str] = set()
"""The packages whose modules are behind doors."""


def _find(package: str, sources: str, uses: dict[str, _Version]) -> _Version | None:
    """Return the version of a package that has certain sources; None when nobody can say."""
    known = _versions.setdefault(package, [])
    if not known and package in sys.modules:
        entry, loaded = _loaded(package)
        known.append(_Version(package, loaded, [entry], {name: _versions[name][0] for name in uses if name not in _divided}))
    version = next((each for each in known if each.sources == sources and each.uses == uses), None)
    if version is not None and version.path == sys.path:
        return version
    importlib.invalidate_caches()
    natural = "" if package in _divided else _loaded(package)[0]
    found = {entry: digest(entry, package) for entry in dict.fromkeys([*sys.path, natural])}
    roots = [entry for entry in found if found[entry] == sources]
    if version is None:
        if not roots:
            _require_unreadable(package, known, natural, found)
            return None
        version = _Version(package, sources, roots, dict(uses))
        if package not in _divided and (known or natural not in roots):
            _divide(package, known)
        # What is gone from the disk with the last job that ran it is not needed any more.
        known[:] = [*(each for each in known if any(Path(root).exists() for root in each.roots)), version]
    version.extend(roots)
    version.path = list(sys.path)
    return version


def _require_unreadable(package: str, known: list[_Version], natural: str, found: dict[str, str | None]) -> None:
    """Refuse a package whose sources are others than the wanted ones; let pass one that has no sources to be read."""
    places = [str(Path(entry, package)) for entry, sources in found.items() if sources is not None]
    if any(version.sources for version in known):
        raise OtherVersion(package, (places or [str(Path(known[-1].roots[0], package))])[0])
    if places and (not natural or found[natural] is not None):
        raise OtherVersion(package, places[0])


def _plain(package: str) -> dict[str, ModuleType]:
    """Return the modules of a package that are in `sys.modules` themselves."""
    names = [name for name in list(sys.modules) if name.partition(".")[0] == package]
    return {name: module for name in names if (module := sys.modules.get(name)) is not None and not isinstance(module, _Door)}


def _divide(package: str, known: list[_Version]) -> None:
    """Put doors in the places of a package's modules."""
    for name, module in _plain(package).items():
        vars(module)[_VERSION] = known[0]
        known[0].modules[name] = module
        sys.modules[name] = _Door(name)
    _divided.add(package)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


def _current(package: str) -> _Version:
    """Return the version of a package that belongs to the job whose thread this is.

    In a thread that the user's code has started it is the version of the code that is running, and else the newest.
    """
    here: dict[str, _Version] = getattr(_here, "versions", {})
    if package in here:
        return here[package]
    frame = sys._getframe(1)
    while frame.f_back is not None:
        version = frame.f_globals.get(_VERSION)
        if version is not None and package in (version.package, *version.uses):
            return version if version.package == package else version.uses[package]  # type: ignore[no-any-return]
        frame = frame.f_back
    return _versions[package][-1]


class _Door(ModuleType):
    """Stands in `sys.modules` for a module of which there are several versions, and shows each thread its own."""

    def __getattribute__(self, name: str) -> Any:
        own = super().__getattribute__("__name__")
        if name in ("__name__", "__class__"):
            return own if name == "__name__" else _Door
        version = _current(own.partition(".")[0])
        # Who goes through all modules, as `inspect` does, asks for other names, and must not have them run.
        if name.startswith("__") and name not in _ASKED_BY_IMPORTS and own not in version.modules:
            raise AttributeError(f"module {own!r} has no attribute {name!r}")
        try:
            module = version.load(own)
        except ModuleNotFoundError as error:
            if error.name == own:
                raise AttributeError(f"this version has no module {own!r}") from error
            raise
        if name == "__dict__":
            return vars(module)
        if not hasattr(module, name) and isinstance(sys.modules.get(f"{own}.{name}"), _Door):
            with suppress(ModuleNotFoundError):
                return version.load(f"{own}.{name}")
        return getattr(module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # What the import system sets of a new module, and of its parent, the modules behind doors have already.
        if not (name.startswith("__") or isinstance(value, _Door)):
            self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        del self.__dict__[name]

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__)


class _Finder:
    """Finds modules of packages that are behind doors."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> ModuleSpec | None:
        package = name.partition(".")[0]
        if package not in _divided or PathFinder.find_spec(name, path or _current(package).roots) is None:
            return None
        return ModuleSpec(name, _Finder)  # type: ignore[arg-type]  # as a loader it needs its two methods only

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return _Door(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        _current(module.__name__.partition(".")[0]).load(module.__name__)
