# All tasks of developers and users, from a fresh checkout; each target sets up what it needs.
#
#   make build     the program, .build/release/switchyard
#   make test      all tests, including those under mpirun
#   make demo      all features on bundled data: demo/report.html, in a few minutes
#   make lint      formatting and documentation rules
#   make docs      reference documentation of the libraries, in dist/docs
#   make bench     benchmarks against the same work in PyTorch
#   make install   a relocatable tree, in PREFIX

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: build test demo lint format docs bench install setup fixtures clean

root := $(CURDIR)
PREFIX ?= $(root)/dist/switchyard
# SwiftPM finds the native libraries through this path, which must be absolute.
export PKG_CONFIG_PATH := $(root)/.deps/pkgconfig$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))

sources := Package.swift Sources Tests Snippets Benchmarks/Package.swift Benchmarks/Sources

build: setup
	swift build -c release $$(Scripts/traits) --product switchyard --explicit-target-dependency-import-check error
	@Scripts/link-libraries .build/release/

test: setup
	Scripts/test

demo: build
	.build/release/switchyard demo --out demo/

lint:
	swift format lint --strict --parallel --recursive $(sources)
	Scripts/lint

format:
	swift format --in-place --parallel --recursive $(sources)

docs: setup
	Scripts/docs

bench: build
	Scripts/bench

install: setup
	Scripts/install "$(PREFIX)"

fixtures:
	Tests/Fixtures/make/run

setup:
	@Scripts/setup

clean:
	rm -rf .build .build-install Benchmarks/.build dist demo
