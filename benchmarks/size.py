"""What a robot's computer has to hold: a fresh environment with `steadyhand[onnx]`, weighed.

Makes one in a temporary folder, says how large it is and what most of it is, and drives an export
in it: `python benchmarks/size.py [EXTRA]`, onnx unless named. Downloads some 60 MB.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
AIM_MB = 120
TOOLS = ("pip", "setuptools", "_distutils_hack", "pkg_resources")
"""What an environment is made with, and a robot does not use."""
MAKE = """
import sys
from steadyhand.cli.main import main

train = "train fork --method=regression --demonstrations=10 --steps=50 --device=cpu --out=run"
sys.exit(main(train.split()) or main(f"export run --to={sys.argv[1]} --out=light".split()))
"""


def main(extra: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(f"making an export to {extra} …", flush=True)
        call(sys.executable, "-c", MAKE, extra, where=place)
        print(f"installing steadyhand[{extra}] into a fresh environment …", flush=True)
        venv.create(place / "env", with_pip=True)
        python = str(place / "env" / "bin" / "python")
        pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
        source = copied(place / "source")
        call(*pip, "wheel", f"{source}[{extra}]", "--wheel-dir", "wheels", where=place)
        kept = ("--no-index", "--find-links", "wheels")
        call(*pip, "install", f"steadyhand[{extra}]", *kept, where=place)
        told(place)
        there = call(python, "-c", "import importlib.util as u; print(u.find_spec('torch'))")
        assert there.strip() == "None", "torch is in it"
        print(call(python, "-m", "steadyhand", "inspect", "light", where=place))
        print(call(python, "-m", "steadyhand", "run", "light", "--ticks", "20", where=place))


def copied(place: Path) -> Path:
    """What a wheel is made of, where nothing is left of making it."""
    place.mkdir()
    shutil.copytree(ROOT / "src" / "steadyhand", place / "src" / "steadyhand")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    return place


def told(place: Path) -> None:
    """The sizes: as downloaded, as installed, and of the largest packages."""
    wheels = sum(path.stat().st_size for path in (place / "wheels").iterdir())
    (packages,) = (place / "env" / "lib").glob("python*/site-packages")
    sizes = {path.name: size(path) for path in packages.iterdir()}
    used = {n: s for n, s in sizes.items() if n.partition("-")[0] not in TOOLS}
    whole = sum(used.values()) / 1e6
    print(f"downloaded {wheels / 1e6:.0f} MB; installed {whole:.0f} MB, with pip and setuptools")
    print(f"{sum(sizes.values()) / 1e6:.0f} MB; the aim is {AIM_MB} MB:")
    for name, bytes in sorted(used.items(), key=lambda item: -item[1])[:8]:
        print(f"  {name:24} {bytes / 1e6:6.1f} MB")


def size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())


def call(*words: str, where: Path | None = None) -> str:
    """What a command prints; it is shown where it fails."""
    done = subprocess.run(words, cwd=where, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words[:6])} …\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "onnx")
