"""Builds the Cython modules; everything declarative is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PACKAGES = ("capture", "kernels", "models", "appliance", "simulator")
# -Ofast and -ffast-math are forbidden: they break NaN handling. No -march: a wheel must run on every box.
COMPILE_ARGS = ["-O3", "-fno-strict-aliasing", "-Wno-unused-function"]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
# The generated C is kept out of the packages, and out of the sdist.
C_FOLDER = "build/cython"
# What Cython's memoryviews and functions are made of: one copy for all modules, rather than one in each, which would
# have to be compiled and, at every start of the program, set up.
SHARED = "capture.cython_shared"
CORES = os.cpu_count() or 1


def extensions() -> list[Extension]:
    sources = sorted(path for package in PACKAGES for path in Path(package).glob("*.pyx"))
    modules = {".".join(path.with_suffix("").parts): path.as_posix() for path in sources}
    modules[SHARED] = SHARED.replace(".", "/") + ".c"  # written by cythonize, in C_FOLDER
    return [Extension(name, [source], extra_compile_args=COMPILE_ARGS) for name, source in modules.items()]


def compiled() -> list[Extension]:
    # The Makefile installs the dependencies and the command first, and then compiles only what changed.
    if os.environ.get("SIPWARDEN_SKIP_EXTENSIONS"):
        return []
    return cythonize(
        extensions(),
        compiler_directives=DIRECTIVES,
        build_dir=C_FOLDER,
        nthreads=CORES,
        quiet=True,
        shared_utility_qualified_name=SHARED,
    )


if __name__ == "__main__":
    setup(ext_modules=compiled(), options={"build_ext": {"parallel": CORES}})
