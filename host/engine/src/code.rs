//! The engine, and components that are ready to be called.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ask::{DRAFT, PACKAGE, VERSION};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};
use words::limit::{CALLS, DRIVER_CALLS, INSTANCES, MEMORIES, MEMORY, STACK, TABLE_ELEMENTS, TICK};
use words::{Error, Result};

use crate::bindings::Complete;
use crate::call::{FRAMES, State};
use crate::draft;

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
    /// Its driver is the draft's.
    is_draft: bool,
}

/// What code is compiled with. The same where it is compiled and where it runs, but for the allocator: the pooling one maps more than whoever
/// compiles may have.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(FRAMES))
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

/// Compiles a component, in the child process that is made for it.
pub fn compile(component: &[u8]) -> Result<Vec<u8>> {
    let engine = wasmtime::Engine::new(&config()).map_err(|e| broken(&e))?;
    engine.precompile_component(component).map_err(|e| broken(&e))
}

/// Names what compiled code can be run by: the same wasmtime, set up in the same way, on a processor that can do as much.
pub fn compatibility() -> Result<String> {
    let engine = wasmtime::Engine::new(&config()).map_err(|e| broken(&e))?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

impl Engine {
    /// An engine for all calls that run at the same time, and the thread that ticks its epoch for as long as it lives.
    pub fn new() -> Result<Self> {
        let engine = Self::with(&mut config(), pool(CALLS))?;
        engine.tick()?;
        Ok(engine)
    }

    /// One that takes a core dump of a call that traps, which has the size of the call's memory.
    pub fn with_coredumps() -> Result<Self> {
        let engine = Self::with(config().coredump_on_trap(true), pool(CALLS))?;
        engine.tick()?;
        Ok(engine)
    }

    /// One for the calls of one driver, in a process that is yet to be split off: it has no thread until [`Engine::tick`], and does not look
    /// at its pages, which a child would do at its parent's.
    pub fn for_one_driver() -> Result<Self> {
        let mut pool = pool(DRIVER_CALLS);
        pool.pagemap_scan(Enabled::No);
        Self::with(&mut config(), pool)
    }

    fn with(config: &mut Config, pool: PoolingAllocationConfig) -> Result<Self> {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let made = || {
            let engine = wasmtime::Engine::new(config)?;
            let mut linker = Linker::new(&engine);
            Complete::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            draft::add_to_linker(&mut linker)?;
            Ok(Self { engine, linker: Arc::new(linker) })
        };
        made().map_err(|e: wasmtime::Error| broken(&e).context("can't start wasmtime"))
    }

    /// Starts the thread that ticks its epoch, and waits until it runs.
    pub(crate) fn tick(&self) -> Result<()> {
        let (weak, (running, runs)) = (self.engine.weak(), mpsc::channel());
        let tick = move || {
            let _ = running.send(());
            // Not a while after the last tick, which would add up: a deadline is a thousand of them.
            let mut next = Instant::now();
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                next += TICK;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        };
        let started = std::thread::Builder::new().name("epoch".into()).spawn(tick);
        started.map_err(|e| Error::internal(format!("can't start a thread: {e}")))?;
        runs.recv().map_err(|_| Error::internal("the thread that ticks the epoch has ended"))
    }

    /// Makes compiled code ready to be called. `parts`: the interfaces that it exports, as its bytes say.
    #[expect(unsafe_code, reason = "the bytes came from our own compiler child, and the caller compared their hash")]
    pub fn load(&self, compiled: &[u8], parts: &[String]) -> Result<Code> {
        // SAFETY: `deserialize` trusts its input. The driver module hands over only what the compiler child wrote, from a
        // folder that only root can write, after it compared the hash of these very bytes.
        let component = unsafe { Component::deserialize(&self.engine, compiled) };
        let ready = component.and_then(|component| {
            // The files in memory that its memories begin with, which a process that is to run it can't make later.
            component.initialize_copy_on_write_image()?;
            self.linker.instantiate_pre(&component)
        });
        let ready = ready.map_err(|e| stale(broken(&e)))?;
        let is_draft = draft::is_exported(ready.component());
        Ok(Code { engine: self.engine.clone(), ready, parts: parts.to_vec(), is_draft })
    }
}

impl Code {
    /// Whether it exports an interface, e.g. `table-watcher`.
    pub fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|p| p == part)
    }

    /// Whether a part of it is the draft's and not 0.1's.
    pub(crate) fn is_draft(&self, part: &str) -> bool {
        self.is_draft && draft::changes(part)
    }
}

/// What wasmtime says of a component, on one line.
fn broken(error: &wasmtime::Error) -> Error {
    Error::invalid(words::foreign::printable(&format!("{error:#}"), words::foreign::MESSAGE_BYTES))
}

/// Functions of the interface with other types are those of another version, which an author has not met under wasmtime's names.
pub(crate) fn stale(error: Error) -> Error {
    match error.message.contains(PACKAGE) || error.message.contains("types") {
        true if error.message.contains(&format!("@{DRAFT}")) => error.context(format!(
            "it does not fit the draft {PACKAGE}@{DRAFT} as this host has it: build it again with this host's text"
        )),
        true => error.context(format!("it does not fit {PACKAGE}@{VERSION}: build it again with this version's SDK")),
        false => error,
    }
}

/// For so many calls at the same time.
fn pool(calls: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    let per_component = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
    // As many as all of them can have: what one driver's component takes is missing in no other's call.
    pool.total_component_instances(calls)
        .total_core_instances(calls * per_component)
        .total_memories(calls * MEMORIES)
        .total_tables(calls * per_component)
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

/// Ticks of the epoch after which a time is over: the first one may come at once.
pub fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use ask::{Answer, Answers, Ask, Refusal};
    use std::sync::{Arc, Mutex};

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
        let error = code.fits(one_more).unwrap_err().error();
        assert_eq!((error.kind, started.len()), (words::Kind::Unavailable, CALLS as usize), "{error}");
    }
}
