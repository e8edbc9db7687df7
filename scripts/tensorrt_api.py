"""What NVIDIA's Python bindings of TensorRT say of the calls that ferserve makes, for machines without TensorRT.

``python scripts/tensorrt_api.py 10.16.1.11`` fetches ``tensorrt-cu13-bindings`` of that version from PyPI, which is one
extension module of 1.3 MB, imports it beside empty libraries in place of TensorRT's own 2 GB, and writes the signatures
of all names in ``typings/tensorrt`` to ``tests/unit/runtime/tensorrt/api-10.16.json``. Needs gcc, nm and the network.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "typings" / "tensorrt" / "__init__.pyi"
API = ROOT / "tests" / "unit" / "runtime" / "tensorrt"
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")

READ = """
import inspect, json, re, sys
import tensorrt_bindings as trt

def parameters(function):
    found = []
    for line in (function.__doc__ or "").splitlines():
        match = re.match(r"(?:\\d+\\. )?\\w+\\(self: [^,)]+(.*)\\) -> ", line)
        if match:
            found.append(re.findall(r", (\\w+): ", match[1]))
    return found

told = {}
for path in json.load(sys.stdin):
    value = trt
    for name in path.split("."):
        value = getattr(value, name, None)
    if value is None:
        told[path] = None
    elif isinstance(value, property) or not callable(value) or inspect.isclass(value):
        told[path] = "class" if inspect.isclass(value) else "value"
    else:
        told[path] = parameters(value)
print(json.dumps({"version": trt.__version__, "api": told}))
"""


def stub_names() -> list[str]:
    """Dotted names of all classes, members and methods in the stub."""
    names: list[str] = []

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                names.append(prefix + node.name)
                walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef):
                names.append(prefix + node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.append(prefix + node.target.id)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names.append(prefix + node.targets[0].id)

    walk(ast.parse(STUB.read_text()).body, "")
    return names


def read_api(wheel: Path, folder: Path) -> dict[str, object]:
    """Version and signatures of the bindings in ``wheel``, unpacked into ``folder``."""
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    module = folder / "tensorrt_bindings" / "tensorrt.so"
    major = wheel.name.split("-")[1].split(".")[0]
    lines = subprocess.run(["nm", "-D", "-u", module], capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = [line.split()[1] for line in lines if line.split()[0] == "U" and "@" not in line]
    empty = "".join(f"void* {name}(void) {{ return 0; }}\n" for name in wanted if not name.startswith(("Py", "_")))
    (folder / "empty.c").write_text(empty)
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{name}", "-o", folder / name, folder / "empty.c"]
        subprocess.run(command, check=True)
    environment = {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", READ], input=json.dumps(stub_names()), env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    told: dict[str, object] = json.loads(done.stdout)
    return told


def main() -> None:
    """Fetch, read and write."""
    version = sys.argv[1] if len(sys.argv) > 1 else sys.exit("usage: python scripts/tensorrt_api.py VERSION")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*command, f"tensorrt-cu13-bindings=={version}"], check=True)
        told = read_api(next(folder.glob("*.whl")), folder)
    path = API / f"api-{'.'.join(version.split('.')[:2])}.json"
    path.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    print(path)


if __name__ == "__main__":
    main()
