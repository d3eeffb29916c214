//! Values that several interfaces share.

mod ipam;
mod mac_address;
mod network;
mod options;
mod port;
mod table;
mod text_map;

pub use ipam::{AddressRequest, AllocatedPool, IpamRegistration, PoolRequest, PoolUsage, Purpose};
pub use mac_address::MacAddress;
pub use network::{Capability, IpamData, Registration, Scope, SkipGateway};
pub use options::{EndpointOptions, NetworkOptions};
pub use port::{PortBinding, Protocol, TransportPort};
pub use table::{ObjectType, TableEvent};
pub use text_map::TextMap;
