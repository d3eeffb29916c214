//! What an exported function is called with, as a recording keeps it.

use serde::{Deserialize, Serialize};

use super::export::TableEvent;
use operation::engine::{EndpointOptions, Labels, NetworkOptions, PoolData};
use words::Id;

/// A call's function and its arguments. Handles are not among them: each function gets those of its own call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "function", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the WIT's functions and parameters, documented there")]
pub enum Arguments {
    CreateNetwork { network: Id, options: NetworkOptions, ipv4: Vec<PoolData>, ipv6: Vec<PoolData> },
    DeleteNetwork { network: Id },
    CreateEndpoint { network: Id, endpoint: Id, options: EndpointOptions },
    DeleteEndpoint { network: Id, endpoint: Id },
    EndpointOperInfo { network: Id, endpoint: Id },
    Join { network: Id, endpoint: Id, sandbox: String, options: EndpointOptions },
    Leave { network: Id, endpoint: Id },
    NetworkAllocate { network: Id, options: Labels, ipv4: Vec<PoolData>, ipv6: Vec<PoolData> },
    NetworkFree { network: Id },
    EventNotify { network: Id, table: String, key: String, event: TableEvent },
    DecodeTableEntry { table: String, key: String, value: Vec<u8> },
    ProgramExternalConnectivity { network: Id, endpoint: Id, gateways: [Option<Id>; 2], options: EndpointOptions },
    RevokeExternalConnectivity { network: Id, endpoint: Id },
    ReleaseIpv6 { network: Id, endpoint: Id },
    SkipGatewayAllocation { options: NetworkOptions },
}
