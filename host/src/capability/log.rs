//! `log`: lines for the operator.

use std::time::Instant;

use super::convert::{MESSAGE_BYTES, printable};
use crate::engine::CallState;
use crate::engine::bindings::imports::log::{Host, Level};
use crate::engine::limit::LOG_LINES;
use crate::grant::HostCall;

/// Bytes of a line beside its message: the time, and whose it is.
const AROUND: usize = 250;

impl Host for CallState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        Ok(self.ask(HostCall::LogLog, arguments!(level, message), |call, _| {
            call.log_lines += 1;
            let message = printable(&message, MESSAGE_BYTES);
            if call.log_lines > LOG_LINES || !is_shown(level) {
                return Ok(());
            }
            let Some(dropped) = call.facts.log_rate.take(message.len() + AROUND, Instant::now()) else { return Ok(()) };
            if dropped > 0 {
                line(call, Level::Warn, &format!("{dropped} lines of this driver were dropped: it logs too much"));
            }
            line(call, level, &message);
            Ok(())
        })?)
    }
}

/// A line that nobody wants to see costs nothing.
fn is_shown(level: Level) -> bool {
    match level {
        Level::Debug => tracing::enabled!(target: "driver", tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: "driver", tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: "driver", tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: "driver", tracing::Level::ERROR),
    }
}

fn line(call: &CallState, level: Level, message: &str) {
    let driver = call.facts.driver.as_str();
    let network = call.facts.network.as_ref().map(|n| n.id.as_str());
    let endpoint = call.facts.endpoint.as_ref().map(|e| e.as_str());
    match level {
        Level::Debug => tracing::debug!(target: "driver", driver, network, endpoint, "{message}"),
        Level::Info => tracing::info!(target: "driver", driver, network, endpoint, "{message}"),
        Level::Warn => tracing::warn!(target: "driver", driver, network, endpoint, "{message}"),
        Level::Error => tracing::error!(target: "driver", driver, network, endpoint, "{message}"),
    }
}
