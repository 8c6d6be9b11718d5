"""Builds the Cython modules; everything declarative is in pyproject.toml."""
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PACKAGES = ("capture", "kernels")
# -Ofast and -ffast-math are forbidden: they break NaN handling. No -march: a wheel must run on every box.
COMPILE_ARGS = ["-O3", "-fno-strict-aliasing", "-Wno-unused-function"]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}


def extensions() -> list[Extension]:
    sources = sorted(path for package in PACKAGES for path in Path(package).glob("*.pyx"))
    return [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=COMPILE_ARGS)
        for path in sources
    ]


setup(ext_modules=cythonize(extensions(), compiler_directives=DIRECTIVES, nthreads=os.cpu_count() or 1))
