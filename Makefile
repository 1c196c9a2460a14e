# A thin front to CMake. See CMakePresets.json for the builds, CMakeLists.txt for the targets.

PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build/release
CONFIGURE_FLAGS := $(if $(BLAKE3_C_DIR),-DBLAKE3_C_DIR=$(BLAKE3_C_DIR))

.PHONY: all deps test demo bench lint install clean asan tsan

all:
	cmake --preset release $(CONFIGURE_FLAGS)
	cmake --build $(BUILD)

deps:
	@cmake/deps.sh

test: deps
	$(MAKE) all
	ctest --test-dir $(BUILD) --output-on-failure -j2

demo: deps
	$(MAKE) all
	POND_BIN=$(CURDIR)/$(BUILD)/pond bash tests/demo.sh

bench: all
	POND_BIN=$(CURDIR)/$(BUILD)/pond POND_BUILD_DIR=$(CURDIR)/$(BUILD) bash bench/run.sh

lint: all
	cmake/lint.sh $(BUILD)

install: all
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

asan tsan:
	cmake --preset $@ $(CONFIGURE_FLAGS)
	cmake --build build/$@
	ctest --test-dir build/$@ --output-on-failure -j2

clean:
	rm -rf build
