//! What dockerd, or whoever else reaches a plugin socket, may take of the daemon.

use std::time::Duration;

use crate::frontend::http::limits::{
    BODY_TIMEOUT, HEAD_TIMEOUT, Limits, MAX_CHANGES, MAX_CONNECTIONS, SHUTDOWN_GRACE, STALL_TIMEOUT,
};

/// How long any answer may take: dockerd itself waits for ever, and holds locks meanwhile. A driver's call has a third of it.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Requests of one plugin socket at a time, those included whose client is gone. Others wait, within their deadline.
pub const MAX_CALLS: u32 = 64;
/// Bytes of a body that count as one request: larger ones count as several. Decoded, a body of a thousand options is up to 30 times
/// as large, so that all requests of a socket together take at most 120 MiB.
pub const SMALL_BODY: usize = 64 << 10;
/// How long a connection may be silent between requests. dockerd closes one after 30 idle seconds: if this end did it first, a request could
/// cross the close, and dockerd would send it again *without its body*.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The limits of a plugin socket's connections.
pub const CONNECTIONS: Limits = Limits {
    connections: MAX_CONNECTIONS,
    changes: MAX_CHANGES,
    head: HEAD_TIMEOUT,
    idle: IDLE_TIMEOUT,
    body: BODY_TIMEOUT,
    stall: STALL_TIMEOUT,
    grace: SHUTDOWN_GRACE,
};
