"""Makes the data set of docs/mine.md: 3,031 pictures of 224x224 in 32 classes, cut out of pictures that packages ship.

    python benchmarks/mining_pictures.py FOLDER        450 MB of packages, 2 minutes, 60 MB of pictures

Needs Debian's `apt-get` and `dpkg` for what MANIFEST names, and scikit-image, scikit-learn and matplotlib from PyPI.
The pictures are made for measuring and are not part of the project: each package says in its own copyright file what
may be done with what it holds. The same packages give the same pictures: the numbers that choose the cuts are seeded.
"""

from __future__ import annotations

import argparse
import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

MANIFEST = {
    "mate-backgrounds": "1.26.0",
    "lomiri-wallpapers-16.04": "20.04.0",
    "plasma-workspace-wallpapers": "5.27.5",
    "gnome-backgrounds": "43.1",
    "opencv-doc": "4.6.0",
    "tuxpaint-stamps-default": "2022.06.04",
}
"""Debian packages (bookworm) and the versions with which it was made."""
SIDE = 224
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_STAMPS = {
    "birds": "animals/birds",
    "fish": "animals/fish",
    "insects": "animals/insects",
    "mammals": "animals/mammals",
    "fruit": "food/fruit",
    "vegetables": "food/vegetables",
    "flowers": "plants/flowers",
    "trees": "plants/trees",
    "household": "household",
    "clothes": "clothes",
    "vehicles": "vehicles",
    "letters": "symbols/alphabets",
    "coins": "symbols/money",
    "music": "hobbies/music",
    "sports": "sports",
    "roadsigns": "town/roadsigns",
    "planets": "space",
    "houses": "town/houses",
}
# How many pictures of a class, and what share of a source a cut takes at least and at most.
_CUTS: Mapping[str, tuple[int, float, float]] = {
    "nature": (300, 0.25, 1),
    "abstract": (200, 0.25, 1),
    "texture": (90, 0.2, 0.6),
    "text": (120, 0.4, 1),
    "people": (100, 0.4, 1),
    "cat": (60, 0.3, 1),
    "coffee": (40, 0.3, 1),
    "rocket": (40, 0.3, 1),
    "medical": (100, 0.2, 0.8),
    "space": (60, 0.3, 0.9),
    "chessboard": (80, 0.4, 1),
    "buildings": (100, 0.3, 1),
    "things": (190, 0.4, 1),
}


@dataclass
class Maker:
    """Makes the pictures; `backs` are what stamps are put on."""

    packages: Path
    target: Path
    numbers: random.Random = field(default_factory=lambda: random.Random(7))
    backs: list[Image.Image] = field(default_factory=list)

    def make(self) -> None:
        sources = self.sources()
        for name, (total, least, most) in _CUTS.items():
            opened = [opaque(path) for path in sources[name]]
            for number in range(total):
                self.save(name, self.cut(opened[number % len(opened)], least, most), number)
            if name in ("nature", "abstract"):
                self.backs += opened[: 10 if name == "abstract" else None]
        stamps = self.packages / "tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
        for name, folder in _STAMPS.items():
            files = [
                path for path in pictures(stamps / folder) if "mirror" not in path.stem and "flip" not in path.stem
            ]
            for number in range(max(60, min(110, 3 * len(files)))):
                self.save(name, self.stamped(files[number % len(files)], number % 3), number)
        self.digits()

    def sources(self) -> dict[str, Sequence[Path]]:
        at = self.packages
        skimage, sklearn, matplotlib = (folder_of(name) for name in ("skimage", "sklearn", "matplotlib"))
        own, examples = skimage / "data", at / "opencv-doc/usr/share/doc/opencv-doc/examples"
        data, mate = examples / "data", at / "mate-backgrounds/usr/share/backgrounds/mate"
        largest: dict[str, Path] = {}
        for path in pictures(at / "plasma-workspace-wallpapers"):
            name = path.parts[path.parts.index("wallpapers") + 1]
            known = largest.get(name)
            if path.stem != "screenshot" and (known is None or path.stat().st_size > known.stat().st_size):
                largest[name] = path
        boards = [data / f"{side}{number:02}.jpg" for side in ("left", "right") for number in (1, 3, 5, 7, 9, 11)]
        return {
            "nature": pictures(mate / "nature") + pictures(at / "lomiri-wallpapers-16.04"),
            "abstract": [*sorted(largest.values()), *pictures(at / "gnome-backgrounds"), *pictures(mate / "abstract")],
            "texture": named(own, "brick.png grass.png gravel.png"),
            "text": [
                *named(own, "page.png text.png"),
                *named(data, "imageTextN.png sudoku.png digits.png"),
                *pictures(examples / "text")[:12],
            ],
            "people": [
                own / "astronaut.png",
                matplotlib / "mpl-data/sample_data/grace_hopper.jpg",
                own / "camera.png",
                *named(data, "messi5.jpg basketball1.png"),
            ],
            "cat": [own / "chelsea.png"],
            "coffee": [own / "coffee.png"],
            "rocket": [own / "rocket.jpg"],
            "medical": named(own, "retina.jpg ihc.png microaneurysms.png cell.png phantom.png"),
            "space": named(own, "hubble_deep_field.jpg moon.png"),
            "chessboard": [*boards, data / "chessboard.png", own / "chessboard_RGB.png"],
            "buildings": [
                *named(data, "building.jpg home.jpg leuvenA.jpg"),
                sklearn / "datasets/images/china.jpg",
                data / "graf1.png",
            ],
            "things": [
                *named(
                    data,
                    "fruits.jpg aloeL.jpg rubberwhale1.png stuff.jpg smarties.png box_in_scene.png cards.png board.jpg "
                    "butterfly.jpg baboon.jpg squirrel_cls.jpg HappyFish.jpg apple.jpg orange.jpg starry_night.jpg "
                    "aero1.jpg",
                ),
                *named(own, "coins.png motorcycle_left.png"),
                sklearn / "datasets/images/flower.jpg",
            ],
        }

    def cut(self, image: Image.Image, least: float = 0.25, most: float = 1.0) -> Image.Image:
        width, height = image.size
        side = min(width, height) * self.numbers.uniform(least, most)
        side = max(side, min(width, height, 112))
        left, top = self.numbers.uniform(0, width - side), self.numbers.uniform(0, height - side)
        box = (left, top, left + side, top + side)
        return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)

    def stamped(self, path: Path, kind: int) -> Image.Image:
        """Put a stamp on white, on a colour, or on a cut of a photograph."""
        stamp = read(path).convert("RGBA")
        if kind == 0:
            back = Image.new("RGB", (SIDE, SIDE), "white")
        elif kind == 1:
            back = Image.new("RGB", (SIDE, SIDE), tuple(self.numbers.randrange(40, 230) for _ in "rgb"))
        else:
            back = self.cut(self.numbers.choice(self.backs), 0.4).convert("RGB")
        scale = SIDE * self.numbers.uniform(0.5, 1.0) / max(stamp.size)
        size = max(1, int(stamp.width * scale)), max(1, int(stamp.height * scale))
        stamp = stamp.resize(size, Image.Resampling.BICUBIC)
        corner = self.numbers.randrange(0, SIDE - stamp.width + 1), self.numbers.randrange(0, SIDE - stamp.height + 1)
        back.paste(stamp, corner, stamp.split()[3])
        return back

    def digits(self) -> None:
        from sklearn.datasets import load_digits

        images = load_digits().images
        for number in range(100):
            pixels = (images[number * 17] / 16 * 255).astype(np.uint8)
            self.save("digits", Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC), number)

    def save(self, name: str, image: Image.Image, number: int) -> None:
        (self.target / name).mkdir(parents=True, exist_ok=True)
        image.convert("RGB").save(self.target / name / f"{number:04}.jpg", quality=92)


def pictures(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def named(folder: Path, names: str) -> list[Path]:
    return [folder / name for name in names.split()]


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit("pip install scikit-image scikit-learn matplotlib")
    return Path(spec.origin).parent


def read(path: Path) -> Image.Image:
    image = Image.open(path)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def opaque(path: Path, most: int = 1800) -> Image.Image:
    """Read a picture on white, at most so many pixels wide and high."""
    image = read(path)
    if image.mode == "RGBA":
        back = Image.new("RGB", image.size, "white")
        back.paste(image, mask=image.split()[3])
        image = back
    if max(image.size) > most:
        share = most / max(image.size)
        image = image.resize((int(image.width * share), int(image.height * share)), Image.Resampling.BICUBIC)
    return image


def fetch(folder: Path) -> None:
    """Download what MANIFEST names, unless it is there, and unpack each package into a folder of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, version in MANIFEST.items():
        if (folder / package).is_dir():
            continue
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        (file,) = folder.glob(f"{package}_*.deb")
        if version not in file.name:
            print(f"{file.name} is not {version}: the pictures may be others")
        subprocess.run(["dpkg", "-x", file.name, package], cwd=folder, check=True)
        file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    Image.MAX_IMAGE_PIXELS = None
    fetch(folder / "packages")
    Maker(folder / "packages", folder / "pictures").make()
    made = pictures(folder / "pictures")
    print(f"{len(made):,} pictures in {len({path.parent for path in made})} classes are in {folder / 'pictures'}")


if __name__ == "__main__":
    main()
