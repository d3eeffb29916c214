# The two commands: `make demo` does the main job and shows it, `make test` passes the whole test suite. Both set up what they need.

CARGO ?= cargo
# What ships is what is tested: one profile.
RELEASE = --release --locked

.PHONY: help build drivers languages freeze wit setup dockerds demo test mutate crash property fuzz bench bench-docker bench-languages lint deny clean

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ —/'

build: ## The program: target/release/pontoon
	$(CARGO) build $(RELEASE) -p pontoon

drivers: ## The sample drivers: target/drivers/NAME.wasm
	sample-drivers/build

languages: build ## The bridge driver in other languages: target/drivers/bridge-LANGUAGE.wasm, and their tools
	sample-drivers/languages

freeze: build drivers languages ## Releases the version that wit/ says: its text and a driver of each language (wit/README.md)
	wit/freeze

wit: ## The released versions of the interface as packages, for `wkg publish`: target/wit/pontoon-driver-VERSION.wasm
	$(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios released::packages

setup:
	@tests/setup

demo: setup build drivers ## Two namespaces ping each other over a sandboxed driver
	@tests/demo

dockerds:
	@tests/dockerd/fetch

test: setup lint build drivers languages dockerds ## The whole test suite
	$(CARGO) test $(RELEASE) --workspace --no-fail-fast
	$(CARGO) run $(RELEASE) -p pontoon-mutate -- --ten
	tests/fuzz/run 60

mutate: ## Takes each check of the gate out in turn: none may go unnoticed
	$(CARGO) run $(RELEASE) -p pontoon-mutate

crash: setup build drivers ## Kills the daemon 200 times under load
	PONTOON_KILLS=200 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios crash:: -- --nocapture

property: setup build drivers ## 10,000 random sequences of operations against a model on a kernel in memory, and 300 on the real one
	PONTOON_PROPERTY=1-10000 PONTOON_PROPERTY_REAL=1-300 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios property:: -- --nocapture

fuzz: setup drivers ## Every parser of foreign bytes for TIME seconds (600), all at the same time
	tests/fuzz/run $(TIME)

lint: ## Format, clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(RELEASE) --workspace --all-targets -- -D warnings

bench: setup build drivers ## What an endpoint costs, beside what the kernel takes for it alone
	$(CARGO) bench --locked -p pontoon-tests --bench attach --bench parts

bench-docker: setup build drivers dockerds ## What a container's start costs, beside dockerd's own bridge
	$(CARGO) bench --locked -p pontoon-tests --bench docker

bench-languages: setup build drivers languages ## What a driver costs, by the language that it is written in
	$(CARGO) bench --locked -p pontoon-tests --bench languages

deny: ## Licences, sources and duplicates of the dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check bans licenses sources

clean: ## Remove all that was built
	$(CARGO) clean
