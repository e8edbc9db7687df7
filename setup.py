"""Builds the one C extension; everything else about the package is in pyproject.toml."""

import glob
import os

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("FERSERVE_EXT_DEBUG") == "1"

# Directives live here alone: one in a .pyx header would silently beat the debug build.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": not DEBUG,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "embedsignature": True,
}

# No -march: the extension chooses its instructions at run time. No fused products: every path gives the same bits.
RELEASE_FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]
DEBUG_FLAGS = ["-O1", "-g", "-UNDEBUG", "-ffp-contract=off"]

kernels = Extension(
    "ferserve._kernels",
    ["ext/_kernels.pyx"],
    include_dirs=["ext"],
    depends=sorted(glob.glob("ext/*.h") + glob.glob("ext/*.pxd")),
    extra_compile_args=DEBUG_FLAGS if DEBUG else RELEASE_FLAGS,
)

setup(
    ext_modules=cythonize(
        [kernels],
        build_dir=os.environ.get("FERSERVE_EXT_BUILD", "build/cython"),
        compiler_directives=DIRECTIVES,
        include_path=["ext"],
    )
)
