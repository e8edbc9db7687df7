"""Builds the one C extension, adds the proto and a bill of materials; everything else is in pyproject.toml."""

import glob
import hashlib
import json
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


def bill_of_materials(version, dependencies):
    """What a wheel holds and needs, as CycloneDX; the same for the same sources, so without a date or a serial number.

    Versions of dependencies are ranges, since the installer chooses; deploy/requirements.txt pins them for an image.
    """
    parts = []
    for path in sorted(glob.glob("ferserve/**/*.onnx", recursive=True)):
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        hashes = [{"alg": "SHA-256", "content": digest}]
        parts.append({"type": "machine-learning-model", "bom-ref": path, "name": path, "hashes": hashes})
    for wanted in dependencies:
        name = re.match(r"[A-Za-z0-9._-]+", wanted)[0]
        ranges = [{"name": "ferserve:versions", "value": wanted[len(name) :].strip() or "any"}]
        purl = f"pkg:pypi/{name.lower()}"
        parts.append({"type": "library", "bom-ref": name, "name": name, "purl": purl, "properties": ranges})
    licenses = [{"license": {"id": "Apache-2.0"}}]
    ours = {"type": "application", "bom-ref": "ferserve", "name": "ferserve", "version": version, "licenses": licenses}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**ours, "purl": f"pkg:pypi/ferserve@{version}"}},
        "components": parts,
        "dependencies": [{"ref": "ferserve", "dependsOn": [part["bom-ref"] for part in parts]}],
    }


class BuildWithProto(build_py):
    """Copies proto/ into the wheel, each file beside the code generated from it: ``ferserve/v1/emotion.proto``.

    Then ``protoc -I site-packages`` finds it under its own import path. An editable install has it in proto/.
    The bill of materials goes to ``ferserve/sbom.cdx.json``.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for source in glob.glob("proto/**/*.proto", recursive=True):
            target = os.path.join(self.build_lib, os.path.relpath(source, "proto"))
            self.mkpath(os.path.dirname(target))
            self.copy_file(source, target)
        bill = bill_of_materials(self.distribution.get_version(), self.distribution.install_requires)
        Path(self.build_lib, "ferserve", "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n", "utf-8")


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
