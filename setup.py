"""Builds the one C extension and adds the proto; everything else about the package is in pyproject.toml."""

import glob
import os
import re
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

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

# A package index shows README.md alone, so a link to another file becomes that file's name.
RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)\s]+)\)")


def readme():
    return RELATIVE_LINK.sub(r"\1 (`\2`)", Path("README.md").read_text("utf-8"))


class BuildWithProto(build_py):
    """Copies proto/ into the wheel, each file beside the code generated from it: ``ferserve/v1/emotion.proto``.

    Then ``protoc -I site-packages`` finds it under its own import path. An editable install has it in proto/.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for source in glob.glob("proto/**/*.proto", recursive=True):
            target = os.path.join(self.build_lib, os.path.relpath(source, "proto"))
            self.mkpath(os.path.dirname(target))
            self.copy_file(source, target)


setup(
    long_description=readme(),
    long_description_content_type="text/markdown",
    cmdclass={"build_py": BuildWithProto},
    ext_modules=cythonize(
        [kernels],
        build_dir=os.environ.get("FERSERVE_EXT_BUILD", "build/cython"),
        compiler_directives=DIRECTIVES,
        include_path=["ext"],
    ),
)
