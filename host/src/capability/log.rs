//! `log`: lines for the operator.

use crate::engine::CallState;
use crate::engine::bindings::imports::log::{Host, Level};
use grant::HostCall;
use words::foreign::{MESSAGE_BYTES, printable};
use words::limit::LOG_LINES;

/// Bytes that a line has beside its message: time, level, driver, network and endpoint.
const LINE: usize = 256;

impl Host for CallState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let asked = arguments!(level, message);
        let message = printable(&message, MESSAGE_BYTES);
        if level == Level::Error {
            self.last_words = Some(message.clone());
        }
        Ok(self.ask(HostCall::LogLog, asked, |call| {
            call.log_lines += 1;
            if call.log_lines <= LOG_LINES
                && let Some(unlogged) = call.gate.logs(message.len() + LINE)
            {
                if unlogged > 0 {
                    line(call, Level::Warn, &format!("({unlogged} lines were left out: more than the grant allows)"));
                }
                line(call, level, &message);
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
