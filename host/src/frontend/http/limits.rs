//! What a client may take of the daemon: every size, number and wait that it chooses, in one place.

use std::time::Duration;

/// Seconds for which a client may wait for something to happen.
pub const MAX_WAIT: u64 = 5;
/// Bytes of a component: the largest driver measured (Python, with its interpreter) is below 20 MiB.
pub const MAX_COMPONENT: usize = 64 << 20;
/// Bytes of a JSON body: a network with a thousand labels is below 100 KiB, and what dockerd says of 49152-65535 is 2 MiB.
pub const MAX_JSON: usize = 4 << 20;
/// Bytes of a request's head, which includes its path and query: `set=` carries a driver's configuration.
pub const MAX_HEAD: usize = 64 << 10;
/// Components in memory at a time, so that uploads hold at most four times [`MAX_COMPONENT`]. Others wait.
pub const MAX_UPLOADS: usize = 4;
/// Connections at a time. Others wait in the socket's backlog.
pub const MAX_CONNECTIONS: usize = 128;
/// Changes at a time, waiting ones included. They go on when their client hangs up, so the limit on connections does not hold them.
pub const MAX_CHANGES: usize = MAX_CONNECTIONS;
/// How long a request's head may take, from the connection or from its first byte.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request's body may take in all: 64 MiB on one machine take well below a second.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may leave an answer in the socket without reading on.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in flight may go on after the signal to stop: as long as a call may take. What goes on longer ends as if it were killed.
pub const SHUTDOWN_GRACE: Duration = words::limit::DEADLINE;

/// The limits that a test makes smaller. The default is the constants above.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// [`MAX_CONNECTIONS`]
    pub connections: usize,
    /// [`MAX_CHANGES`]
    pub changes: usize,
    /// [`HEAD_TIMEOUT`]
    pub head: Duration,
    /// How long a connection may be silent between two requests.
    pub idle: Duration,
    /// [`BODY_TIMEOUT`]
    pub body: Duration,
    /// [`STALL_TIMEOUT`]
    pub stall: Duration,
    /// [`SHUTDOWN_GRACE`]
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            changes: MAX_CHANGES,
            head: HEAD_TIMEOUT,
            idle: HEAD_TIMEOUT,
            body: BODY_TIMEOUT,
            stall: STALL_TIMEOUT,
            grace: SHUTDOWN_GRACE,
        }
    }
}
