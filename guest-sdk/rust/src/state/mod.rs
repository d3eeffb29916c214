//! What is not the kernel: memory, what other hosts see, and the small things.

pub mod clock;
pub mod configuration;
pub mod log;
pub mod random;
pub mod store;
pub mod tables;
