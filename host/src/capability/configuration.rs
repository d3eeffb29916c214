//! `configuration`: what the operator set for the driver.

use super::{Answer, CallState};
use ask::configuration::Host;

impl Host for CallState {
    fn get(&mut self, key: String) -> Answer<Option<String>> {
        Ok(self.facts.configuration.get(&key).cloned())
    }

    fn all(&mut self) -> Answer<Vec<(String, String)>> {
        Ok(self.facts.configuration.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}
