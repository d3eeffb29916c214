# The two commands: `make demo` does the main job and shows it, `make test` passes the whole test suite. Both set up what they need.

CARGO ?= cargo
# What ships is what is tested: one profile.
RELEASE = --release --locked

.PHONY: help build drivers languages setup dockerds demo test bench bench-docker bench-languages lint deny clean

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ —/'

build: ## The program: target/release/pontoon
	$(CARGO) build $(RELEASE) -p pontoon

drivers: ## The sample drivers: target/drivers/NAME.wasm
	sample-drivers/build

languages: build ## The bridge driver in other languages: target/drivers/bridge-LANGUAGE.wasm, and their tools
	sample-drivers/languages

setup:
	@tests/setup

demo: setup build drivers ## Two namespaces ping each other over a sandboxed driver
	@tests/demo

dockerds:
	@tests/dockerd/fetch

test: setup lint build drivers languages dockerds ## The whole test suite
	$(CARGO) test $(RELEASE) --workspace --no-fail-fast

lint: ## Format, clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(RELEASE) --workspace --all-targets -- -D warnings

bench: setup build drivers ## What an endpoint costs, beside what the kernel takes for it alone
	$(CARGO) bench --locked -p pontoon-tests --bench attach

bench-docker: setup build drivers dockerds ## What a container's start costs, beside dockerd's own bridge
	$(CARGO) bench --locked -p pontoon-tests --bench docker

bench-languages: setup build drivers languages ## What a driver costs, by the language that it is written in
	$(CARGO) bench --locked -p pontoon-tests --bench languages

deny: ## Licences, sources and duplicates of the dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check bans licenses sources

clean: ## Remove all that was built
	$(CARGO) clean
