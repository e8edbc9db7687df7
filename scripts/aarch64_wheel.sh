#!/usr/bin/env bash
# Builds the wheel for aarch64 on x86-64, installs it beside an emulated Python, and runs the tests of the kernels there.
# Needs Debian with qemu-user-static and gcc-aarch64-linux-gnu; fetches Debian's arm64 packages and PyPI's aarch64 wheels
# into build/aarch64, and installs nothing on this machine. `make aarch64-wheel` calls it.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in qemu-aarch64-static aarch64-linux-gnu-gcc; do
  command -v "$tool" >/dev/null || { echo "needs $tool: apt-get install qemu-user-static gcc-aarch64-linux-gnu" >&2; exit 1; }
done
base=$PWD/build/aarch64 root=$PWD/build/aarch64/root site=$PWD/build/aarch64/site
mkdir -p "$base/lists/partial" "$base/debs" "$root" "$site"

# Debian's arm64 packages, without telling this machine's dpkg of another architecture.
apt=(-q -oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDir::State::Lists="$base/lists" -oDir::State::status=/dev/null)
packages=(python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libpython3.11-dev libc6 libgcc-s1 libstdc++6
  libssl3 libexpat1 zlib1g libbz2-1.0 liblzma5 libffi8 libsqlite3-0 libcrypt1 libuuid1 libncursesw6 libtinfo6
  libreadline8 libgomp1)
if [ ! -x "$root/usr/bin/python3.11" ]; then
  apt-get "${apt[@]}" update
  (cd "$base/debs" && apt-get "${apt[@]}" download "${packages[@]}")
  for package in "$base"/debs/*.deb; do dpkg-deb -x "$package" "$root"; done
fi
emulated() { PYTHONPATH="$site" PYTHONDONTWRITEBYTECODE=1 qemu-aarch64-static -L "$root" "$root/usr/bin/python3.11" "$@"; }
emulated -c 'import platform; print("emulating", platform.machine(), "Python", platform.python_version())'

# What serving and the tests of the kernels import, as PyPI has it for aarch64.
wheels=(--only-binary=:all: --implementation cp --python-version 3.11)
for tag in manylinux_2_17_aarch64 manylinux2014_aarch64 manylinux_2_26_aarch64 manylinux_2_27_aarch64 manylinux_2_28_aarch64; do
  wheels+=(--platform "$tag")
done
python3 -m pip install --quiet --disable-pip-version-check --upgrade --target "$site" "${wheels[@]}" \
  numpy opencv-python-headless grpcio grpcio-health-checking grpcio-reflection protobuf av simplejpeg typer rich \
  prometheus-client psutil trustme h2 onnx pillow jsonschema \
  "setuptools>=77" wheel "Cython>=3.1,<4" pytest pytest-timeout pytest-asyncio pytest-benchmark hypothesis scikit-image

# The emulated Python knows its own platform; the compiler it calls runs on this machine.
rm -rf "$base/wheel" "$base/bdist"
CC=aarch64-linux-gnu-gcc LDSHARED="aarch64-linux-gnu-gcc -shared" \
  CFLAGS="-I$root/usr/include/python3.11 -I$root/usr/include" FERSERVE_EXT_BUILD="$base/cython" \
  emulated setup.py --quiet bdist_wheel --bdist-dir "$base/bdist" --dist-dir "$base/wheel"
wheel=$(ls "$base"/wheel/*.whl)
case $wheel in *linux_aarch64.whl) ;; *) echo "the wheel must be for aarch64, got $wheel" >&2; exit 1 ;; esac
python3 -m zipfile -e "$wheel" "$site"

# Away from the sources, so that the installed wheel is what runs.
rm -rf "$base/away" && mkdir "$base/away" && cp -r tests pyproject.toml "$base/away"
cd "$base/away"
emulated -c 'import ferserve._kernels as kernels; print("runs", kernels.__file__, kernels.features())'
# ONNX Runtime does not start under QEMU 7.2 (a fault of the emulation), so no model runs here.
# The one test that is left out starts another Python, which needs the emulator registered as binfmt.
emulated -m pytest -q -p no:cacheprovider -W ignore::DeprecationWarning tests/kernels \
  --deselect tests/kernels/test_paths.py::test_the_environment_forces_a_path "$@"
