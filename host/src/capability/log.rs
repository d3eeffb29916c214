//! `log`: lines for the operator.

use super::convert::{MESSAGE_BYTES, printable};
use crate::engine::CallState;
use crate::engine::bindings::imports::log::{Host, Level};
use crate::engine::limit::LOG_LINES;
use crate::grant::HostCall;

impl Host for CallState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        Ok(self.ask(HostCall::LogLog, arguments!(level, message), |call, _| {
            call.log_lines += 1;
            if call.log_lines <= LOG_LINES {
                line(call, level, &printable(&message, MESSAGE_BYTES));
            }
            Ok(())
        })?)
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
