//! `log`: lines for the operator.

use super::{Answer, CallState};
use ask::log::{Host, Level};
use words::foreign::{MESSAGE_BYTES, printable};
use words::limit::LOG_LINES;

/// Bytes that a line has beside its message: time, level, driver, network and endpoint.
const LINE: usize = 256;

impl Host for CallState {
    fn log(&mut self, level: Level, message: String) -> Answer<()> {
        let message = printable(&message, MESSAGE_BYTES);
        self.log_lines += 1;
        if self.log_lines <= LOG_LINES
            && let Some(unlogged) = self.gate.logs(message.len() + LINE)
        {
            if unlogged > 0 {
                line(self, Level::Warn, &format!("({unlogged} lines were left out: more than the grant allows)"));
            }
            line(self, level, &message);
        }
        Ok(())
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
