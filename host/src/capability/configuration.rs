//! `configuration`: what the operator set for the driver.

use crate::engine::CallState;
use crate::engine::bindings::imports::configuration::Host;
use grant::HostCall;

impl Host for CallState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self
            .ask(HostCall::ConfigurationGet, arguments!(key), |call| Ok(call.facts.configuration.get(&key).cloned()))?)
    }

    fn all(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.ask(HostCall::ConfigurationAll, arguments!(), |call| {
            Ok(call.facts.configuration.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
        })?)
    }
}
