//! The memory of a call, and what else a store may make.

use wasmtime::ResourceLimiter;
use words::limit::{INSTANCES, TABLE_ELEMENTS};

/// Counts the memory of a call, summed over its memories.
pub struct Memory {
    /// Bytes that it may have.
    pub most: usize,
    /// Bytes, as far as they grew.
    pub used: usize,
    /// A growth was refused.
    pub exceeded: bool,
}

impl Memory {
    /// None used yet.
    pub fn new(most: usize) -> Self {
        Self { most, used: 0, exceeded: false }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.most;
        if fits {
            self.used = used;
        }
        self.exceeded |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }
}
