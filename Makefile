# The two commands: `make demo` does the main job and shows it, `make test` passes the whole test suite. Both set up what they need.

CARGO ?= cargo
# What ships is what is tested: one profile.
RELEASE = --release --locked

BENCH = $(CARGO) bench --locked -p pontoon-tests --bench costs --
BENCHES ?= peers counts traffic docker start attach parts engines growth

# Tests wait more than they compute: there are twice as many as processors at the same time.
TESTS_AT_ONCE = $(shell expr $$(nproc) \* 2)

# A line for each step, with its time; what the step said is in a file.
STEP = @tests/stage

.PHONY: cluster lockstep replace help build drivers bridge languages freeze wit setup dockerds begin demo-plan demo test mutate crash chaos hosts reboots hostile property oracle vm fuzz bench soak bench-beside bench-languages bindings hour kinds lint deny clean
# One step after the other: cargo and the tests use all cores themselves.
.NOTPARALLEL:

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ —/'

build: ## The program: target/release/pontoon
	$(STEP) "build the program" $(CARGO) build $(RELEASE) -p pontoon

drivers: ## The sample drivers: target/drivers/NAME.wasm
	$(STEP) "build the drivers" sample-drivers/build

bridge:
	$(STEP) "build the bridge driver" sample-drivers/build bridge

languages: build ## The bridge driver in other languages: target/drivers/bridge-LANGUAGE.wasm, and their tools
	$(STEP) "drivers in other languages" sample-drivers/languages

bindings: ## The bindings that the SDKs for C and Go carry, of what wit/ says now
	guest-sdk/bindings

hour: setup build languages ## From nothing to a ping through a driver of one's own in each language, without caches: what each command takes
	PONTOON_COLD=1 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios hour:: -- --nocapture --include-ignored --test-threads=1

kinds: setup build languages ## A macvlan and an overlay driver in each language, from a new project to a loaded driver
	PONTOON_KINDS=all $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios kinds:: -- --nocapture --test-threads=1

freeze: build drivers languages ## Releases the version that wit/ says: its text and a driver of each language (wit/README.md)
	wit/freeze

wit: ## The released versions of the interface as packages, for `wkg publish`: target/wit/pontoon-driver-VERSION.wasm
	$(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios released::packages

setup:
	$(STEP) "install what is missing" tests/setup

dockerds:
	$(STEP) "fetch dockerds" tests/dockerd/fetch

begin:
	@tests/stage --begin

demo-plan:
	@echo "Builds Pontoon and its bridge driver, then shows them: seconds, but about ten minutes the first time on two cores."

demo: demo-plan setup build bridge ## Two namespaces ping each other over a sandboxed driver
	@tests/demo

test: begin setup lint build drivers languages dockerds ## The whole test suite
	$(STEP) "build the tests" $(CARGO) test $(RELEASE) --workspace --no-run
	$(STEP) --tests "tests" env RUST_TEST_THREADS=$(TESTS_AT_ONCE) $(CARGO) test $(RELEASE) --workspace --no-fail-fast
	$(STEP) "mutate the gate" $(CARGO) run $(RELEASE) -p pontoon-mutate -- --ten
	$(STEP) "fuzz for a minute" tests/fuzz/run 60
	@tests/stage --times

mutate: ## Takes each check of the gate out in turn: none may go unnoticed
	$(CARGO) run $(RELEASE) -p pontoon-mutate

crash: setup build drivers ## Kills the daemon, its helpers and its engines in turn under load, 200 times in all
	PONTOON_KILLS=200 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios crash:: -- --nocapture

replace: setup build drivers ## 100 upgrades of a driver and 20 replacements of the daemon under load: no request may fail
	$(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios replaced::a_hundred -- --nocapture --ignored

cluster: setup build drivers dockerds ## Hosts that share one etcd: 1,000 races for names, numbers and addresses, histories under 40 failures, 50 kills under traffic of three dockerds, what it costs
	PONTOON_CLUSTER=1000 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios cluster::networks -- --nocapture
	PONTOON_CLUSTER=50 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios cluster::failures -- --nocapture
	PONTOON_CLUSTER=40 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios cluster::linear -- --nocapture
	PONTOON_CLUSTER=50 $(CARGO) test $(RELEASE) -p pontoon-tests --test docker cluster:: -- --nocapture --include-ignored --test-threads=1
	PONTOON_CLUSTER=10000 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios cluster::entries -- --nocapture
	$(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios cluster:: -- --nocapture --ignored --test-threads=1

chaos: setup build drivers dockerds ## Half an hour of flushed firewalls, restarts and lost addresses under containers of a real dockerd
	PONTOON_CHAOS=$${PONTOON_CHAOS:-1800} $(CARGO) test $(RELEASE) -p pontoon-tests --test docker chaos:: -- --nocapture

hosts: setup build drivers dockerds ## Each important scenario on each kind of host: firewalls, uplinks, IPv6 and what earlier programs left
	PONTOON_HOSTS=all $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios variants:: -- --nocapture
	PONTOON_HOSTS=all $(CARGO) test $(RELEASE) -p pontoon-tests --test docker variants:: -- --nocapture

reboots: setup build drivers dockerds ## Ten reboots of containers that start by themselves, either daemon first
	PONTOON_REBOOTS=10 $(CARGO) test $(RELEASE) -p pontoon-tests --test docker after_reboots -- --nocapture --test-threads=1

hostile: setup build drivers ## What each attack of the corpus costs another driver, whoever waits, and whoever stops the daemon
	PONTOON_ATTACKS=all $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios hostile::worst -- --nocapture --test-threads=1

property: setup build drivers ## 10,000 random sequences of operations against a model on a kernel in memory, and 300 on the real one
	PONTOON_PROPERTY=1-10000 PONTOON_PROPERTY_REAL=1-300 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios property:: -- --nocapture

oracle: setup build drivers ## 20,000 random sequences of two drivers' host calls judged on a kernel in memory, and 1,000 on the real one
	PONTOON_ORACLE=1-20000 PONTOON_ORACLE_REAL=1-1000 $(CARGO) test $(RELEASE) -p pontoon-tests --test scenarios oracle:: -- --nocapture

vm: setup build drivers ## The kernel layer and drivers on Debian's kernel, in an emulated machine: kinds of links that a host's kernel may lack (TESTS=NAMES for some)
	tests/vm/suite $(TESTS)

lockstep: ## Random operations on the kernel in memory and the real one, SEEDS=1-2000: both answer the same
	PONTOON_LOCKSTEP=$${SEEDS:-1-2000} $(CARGO) test $(RELEASE) -p pontoon-kernel --lib lockstep -- --nocapture

fuzz: setup drivers ## Every parser of foreign bytes for TIME seconds (600), all at the same time
	tests/fuzz/run $(TIME)

lint: ## Format, clippy, features
	$(STEP) "format" $(CARGO) fmt --all --check
	$(STEP) "features" tests/features
	$(STEP) "clippy" $(CARGO) clippy $(RELEASE) --workspace --all-targets -- -D warnings

bench: setup build drivers dockerds ## All that Pontoon costs, beside what people use: tests/bench/results. BENCHES=NAMES for some, PONTOON_BENCH=short to try them
	tests/bench/peers-setup
	$(BENCH) $(BENCHES) goals

soak: setup build drivers ## 100,000 endpoints come and go (PONTOON_LIVES): memory, descriptors and files meanwhile
	$(BENCH) soak goals

bench-beside: setup build drivers ## What an endpoint costs beside another program of ours: PONTOON_BESIDE=PROGRAM
	$(BENCH) beside

bench-languages: setup build drivers languages ## What a driver costs, by the language that it is written in
	$(BENCH) languages

deny: ## Licences, sources and duplicates of the dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check bans licenses sources

clean: ## Remove all that was built
	$(CARGO) clean
