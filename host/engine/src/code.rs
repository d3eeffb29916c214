//! The engine, and components that are ready to be called.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};
use words::limit::{CALLS, INSTANCES, MEMORIES, MEMORY, STACK, TABLE_ELEMENTS, TICK};
use words::{Error, Result};

use crate::bindings::Complete;
use crate::call::State;

/// Runs drivers.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    linker: Arc<Linker<State>>,
}

/// A component that is ready to be called.
pub struct Code {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) ready: InstancePre<State>,
    /// The interfaces that it exports, e.g. `driver`.
    pub(crate) parts: Vec<String>,
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
pub fn compile(component: &[u8]) -> Result<Vec<u8>> {
    let engine = wasmtime::Engine::new(&config()).map_err(|e| broken(&e))?;
    engine.precompile_component(component).map_err(|e| broken(&e))
}

impl Engine {
    /// An engine, and the thread that ticks its epoch for as long as it lives.
    pub fn new() -> Result<Self> {
        Self::with(false).map_err(|e| broken(&e).context("can't start wasmtime"))
    }

    /// One that takes a core dump of a call that traps, which has the size of the call's memory.
    pub fn with_coredumps() -> Result<Self> {
        Self::with(true).map_err(|e| broken(&e).context("can't start wasmtime"))
    }

    fn with(coredumps: bool) -> wasmtime::Result<Self> {
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
        Complete::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        Ok(Self { engine, linker: Arc::new(linker) })
    }

    /// Makes compiled code ready to be called. `parts`: the interfaces that it exports, as its bytes say.
    #[expect(unsafe_code, reason = "the bytes came from our own compiler child, and the caller compared their hash")]
    pub fn load(&self, compiled: &[u8], parts: &[String]) -> Result<Code> {
        // SAFETY: `deserialize` trusts its input. The driver module hands over only what the compiler child wrote, from a
        // folder that only root can write, after it compared the hash of these very bytes.
        let component = unsafe { Component::deserialize(&self.engine, compiled) };
        let ready = component.and_then(|component| self.linker.instantiate_pre(&component)).map_err(|e| broken(&e))?;
        Ok(Code { engine: self.engine.clone(), ready, parts: parts.to_vec() })
    }
}

impl Code {
    /// The interfaces and functions that the component imports, e.g. `pontoon:driver/links@0.1.0#add`.
    pub fn imports(&self) -> Vec<String> {
        let mut imports = Vec::new();
        for (interface, import) in self.ready.component().component_type().imports(&self.engine) {
            let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
            for (function, export) in instance.exports(&self.engine) {
                if matches!(export.ty, ComponentItem::ComponentFunc(_)) {
                    imports.push(format!("{interface}#{function}"));
                }
            }
        }
        imports
    }

    /// Whether it exports an interface, e.g. `table-watcher`.
    pub fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|p| p == part)
    }
}

/// What wasmtime says of a component, on one line.
fn broken(error: &wasmtime::Error) -> Error {
    Error::invalid(words::foreign::printable(&format!("{error:#}"), words::foreign::MESSAGE_BYTES))
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    let per_component = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
    // As many as all calls of all drivers can have at the same time: what one driver's component takes is missing in no other's call.
    pool.total_component_instances(CALLS)
        .total_core_instances(CALLS * per_component)
        .total_memories(CALLS * MEMORIES)
        .total_tables(CALLS * per_component)
        .max_core_instances_per_component(per_component)
        .max_memories_per_component(MEMORIES)
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
pub fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use ask::{Answer, Answers, Ask, Refusal};

    use super::*;
    use crate::Call;

    struct Nobody;

    impl Answers for Nobody {
        fn answer(&mut self, _: Ask) -> std::result::Result<Answer, Refusal> {
            Err(Refusal::trap("nobody answers"))
        }

        fn dropped(&mut self, _: u32) {}
    }

    /// As many calls as run at a time, each with all that a component may have.
    #[test]
    fn what_one_driver_takes_is_missing_in_no_other_call() {
        let instances = INSTANCES - MEMORIES as usize;
        let text = format!(
            "(component (core module $m (memory 1)) (core module $t (table 20000 funcref)) {} {})",
            "(core instance (instantiate $m))".repeat(MEMORIES as usize),
            "(core instance (instantiate $t))".repeat(instances)
        );
        let engine = Engine::new().unwrap();
        let compiled = compile(&wat::parse_str(text).unwrap()).unwrap();
        let code = engine.load(&compiled, &[]).unwrap();
        let deadline = Instant::now() + words::limit::DEADLINE;
        let started: Vec<_> = (0..CALLS)
            .map(|_| {
                let host = Arc::new(Mutex::new(Nobody));
                code.start("start", Call { deadline, memory: MEMORY, host }).ok().unwrap()
            })
            .collect();
        let one_more = Call { deadline, memory: MEMORY, host: Arc::new(Mutex::new(Nobody)) };
        let error = code.fits(one_more).unwrap_err();
        assert_eq!((error.kind, started.len()), (words::Kind::Unavailable, CALLS as usize), "{error}");
    }
}
