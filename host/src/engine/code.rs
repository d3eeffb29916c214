//! The engine, and components that are ready to be called.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::bindings::{
    driver_part, external_connectivity_part as connectivity, gateway_allocation_checker_part as checker,
    ipv6_releaser_part as releaser, network_allocator_part as allocator, table_watcher_part as watcher,
};
use super::state::CallState;
use words::limit::{CALLS, INSTANCES, MEMORY, STACK, TABLE_ELEMENTS, TICK};

/// Runs drivers.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    deadline: Duration,
    linker: Arc<Linker<CallState>>,
}

/// A component that is ready to be called.
pub struct Code {
    /// How long a call may take.
    pub deadline: Duration,
    pub(super) engine: wasmtime::Engine,
    pub(super) driver: driver_part::DriverPartPre<CallState>,
    pub(super) allocator: Option<allocator::NetworkAllocatorPartPre<CallState>>,
    pub(super) watcher: Option<watcher::TableWatcherPartPre<CallState>>,
    pub(super) connectivity: Option<connectivity::ExternalConnectivityPartPre<CallState>>,
    pub(super) releaser: Option<releaser::Ipv6ReleaserPartPre<CallState>>,
    pub(super) checker: Option<checker::GatewayAllocationCheckerPartPre<CallState>>,
}

/// What code is compiled with. The same in the child that compiles and in the daemon that runs, but for the allocator: the pooling one maps
/// terabytes of address space, which the child's limit forbids.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20))
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

/// Compiles a component, in the child process that is made for it.
pub fn compile(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    wasmtime::Engine::new(&config())?.precompile_component(component)
}

impl Engine {
    /// An engine whose calls may take this long, and the thread that ticks its epoch for as long as it lives.
    pub fn new(deadline: Duration) -> wasmtime::Result<Self> {
        Self::with(deadline, false)
    }

    /// One that takes a core dump of a call that traps, which has the size of the call's memory.
    pub fn with_coredumps(deadline: Duration) -> wasmtime::Result<Self> {
        Self::with(deadline, true)
    }

    fn with(deadline: Duration, coredumps: bool) -> wasmtime::Result<Self> {
        let mut config = config();
        config.coredump_on_trap(coredumps);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        let engine = wasmtime::Engine::new(&config)?;
        let weak = engine.weak();
        std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
        let mut linker = Linker::new(&engine);
        driver_part::DriverPart::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        Ok(Self { engine, deadline, linker: Arc::new(linker) })
    }

    /// Makes compiled code ready to be called. What it exports beside `driver` stands in `exports`: a type error in a
    /// part must not read as its absence.
    #[expect(unsafe_code, reason = "the bytes came from our own compiler child, and the caller compared their hash")]
    pub fn load(&self, compiled: &[u8], exports: &[String]) -> wasmtime::Result<Code> {
        // SAFETY: `deserialize` trusts its input. The driver module hands over only what the compiler child wrote, from a
        // folder that only root can write, after it compared the hash of these very bytes.
        let component = unsafe { Component::deserialize(&self.engine, compiled)? };
        let pre = self.linker.instantiate_pre(&component)?;
        let part = |name: &str| exports.iter().any(|e| e == name).then(|| pre.clone());
        Ok(Code {
            deadline: self.deadline,
            engine: self.engine.clone(),
            allocator: part("network-allocator").map(allocator::NetworkAllocatorPartPre::new).transpose()?,
            watcher: part("table-watcher").map(watcher::TableWatcherPartPre::new).transpose()?,
            connectivity: part("external-connectivity")
                .map(connectivity::ExternalConnectivityPartPre::new)
                .transpose()?,
            releaser: part("ipv6-releaser").map(releaser::Ipv6ReleaserPartPre::new).transpose()?,
            checker: part("gateway-allocation-checker")
                .map(checker::GatewayAllocationCheckerPartPre::new)
                .transpose()?,
            driver: driver_part::DriverPartPre::new(InstancePre::clone(&pre))?,
        })
    }
}

impl Code {
    /// The interfaces and functions that the component imports, e.g. `pontoon:driver/links@0.1.0#add`.
    pub fn imports(&self) -> Vec<String> {
        let component = self.driver.instance_pre().component();
        let mut imports = Vec::new();
        for (interface, import) in component.component_type().imports(&self.engine) {
            let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
            for (function, export) in instance.exports(&self.engine) {
                if matches!(export.ty, ComponentItem::ComponentFunc(_)) {
                    imports.push(format!("{interface}#{function}"));
                }
            }
        }
        imports
    }

    /// It exports `network-allocator`.
    pub fn allocates(&self) -> bool {
        self.allocator.is_some()
    }

    /// It exports `table-watcher`.
    pub fn watches_tables(&self) -> bool {
        self.watcher.is_some()
    }

    /// It exports `external-connectivity`.
    pub fn connects_outside(&self) -> bool {
        self.connectivity.is_some()
    }

    /// It exports `ipv6-releaser`.
    pub fn releases_ipv6(&self) -> bool {
        self.releaser.is_some()
    }

    /// It exports `gateway-allocation-checker`.
    pub fn checks_gateways(&self) -> bool {
        self.checker.is_some()
    }
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    let per_component = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
    pool.total_component_instances(CALLS)
        .total_core_instances(CALLS * 8)
        .total_memories(CALLS * 2)
        .total_tables(CALLS * 8)
        .max_core_instances_per_component(per_component)
        .max_memories_per_component(8)
        .max_tables_per_component(per_component)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MEMORY)
        // Pages that stay mapped for the next call instead of being given back: most calls touch a few. Which, the kernel says (from 6.7 on).
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Ticks of the epoch in a time, at least one.
pub(super) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1)
}
