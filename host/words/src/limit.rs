//! The limits on everything that a call controls. Each is enforced, and has a test.

use std::time::Duration;

/// Bytes of all memories of a call together: a Python component needs about 30 MiB.
pub const MEMORY: usize = 128 << 20;

/// Elements of a table: Python's has about 9,000.
pub const TABLE_ELEMENTS: usize = 20_000;

/// Core instances and tables of a component: a Python component has a dozen of each.
pub const INSTANCES: usize = 64;

/// Memories of a component.
pub const MEMORIES: u32 = 8;

/// Handles that a call holds at a time.
pub const HANDLES: usize = 1_000;

/// Host calls of a call: a driver that sets up a thousand rules one by one is a broken one.
pub const HOST_CALLS: u32 = 10_000;

/// Host calls of a call that are kept for its trace.
pub const TRACED: usize = 200;

/// Bytes of a call's host calls and their answers that are recorded: a bridge's call has about 4,000.
pub const RECORDED: usize = 1 << 20;

/// Bytes that a call may push to the host with one host call.
pub const HOST_CALL_BYTES: usize = 1 << 20;

/// Log lines of a call that are kept.
pub const LOG_LINES: u32 = 256;

/// Bytes of a trap's text, with its backtrace, that are logged.
pub const TRAP_BYTES: usize = 4 << 10;

/// Kernel changes of one call: each is kept until the commit, to be undone.
pub const CHANGES: usize = 10_000;

/// Kernel objects of one network, whatever a grant says of each kind: they are read as one list when the network goes.
pub const OBJECTS: usize = 100_000;

/// Keys that one call may write.
pub const WRITTEN_KEYS: usize = 1_000;

/// Bytes of values that one call may write.
pub const WRITTEN_BYTES: usize = 4 << 20;

/// The wall clock of a call, if nothing else is said: dockerd has no time-out of its own, and a person waits.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How often the epoch ticks, and so how late a deadline may be noticed.
pub const TICK: Duration = Duration::from_millis(10);

/// Bytes of stack that wasm may use. Calls run on threads with 2 MiB.
pub const STACK: usize = 512 << 10;

/// Operations that run at the same time, in all, and so calls.
pub const CALLS: u32 = 64;

/// Those of one driver's networks: one that lets its calls run to their deadlines leaves room for three more of its kind and the others.
pub const DRIVER_CALLS: u32 = 16;

/// Engine processes at the same time. One that has had no call for [`IDLE`] goes, and earlier if there are so many.
pub const ENGINES: usize = 48;

/// Those, and processes that compile.
pub const PROCESSES: usize = 64;

/// Bytes of a component: a Python one has 18 MB.
pub const COMPONENT: usize = 64 << 20;

/// How long an engine process waits for another call.
pub const IDLE: Duration = Duration::from_secs(30);
