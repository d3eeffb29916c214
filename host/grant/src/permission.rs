//! Which permission each host call needs.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::HostCall;

/// A kind of host calls that a grant allows or not. Written as one word, e.g. `packet-filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Links, addresses and neighbours in its own networks.
    Links,
    /// Kernel settings of its own links.
    LinkSettings,
    /// Namespaces of its own.
    Namespaces,
    /// Routes and rules for its own networks' addresses.
    Routing,
    /// nftables rules for its own networks.
    PacketFilter,
    /// Forwarding between its own links and others.
    Forwarding,
    /// Ports of the host.
    HostPorts,
    /// Kernel settings of a whole namespace.
    NamespaceSettings,
    /// A parent interface that a link changes: a macvlan in passthru mode takes over its MAC address and makes it promiscuous, and so does each
    /// link on a parent that is a bridge's port, or takes in the packets of others.
    ChangedParents,
    /// A parent interface as a whole, for a container, until that goes.
    Devices,
    /// Of these also one by which packets of the host's for the outside leave.
    Uplinks,
    /// Paths by a parent interface, and addresses that the host answers for there.
    ParentRoutes,
    /// How fast its own links send and receive.
    Shaping,
    /// nftables rules that write lines into the kernel's log.
    PacketLog,
    /// nftables rules that keep packets out of connection tracking.
    UntrackedPackets,
    /// Remembering.
    Store,
    /// Tables of its own networks.
    Tables,
}

impl fmt::Display for Permission {
    /// The word that is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Permission {
    /// What a host call needs; none: every driver has it, in every call.
    pub fn of(call: HostCall) -> Option<Self> {
        use HostCall as H;
        use Permission as P;
        Some(match call {
            // Handles of its own call.
            H::CapabilitiesNetworkInfoUpdateIpamConfig
            | H::CapabilitiesInterfaceInfoSetMacAddress
            | H::CapabilitiesInterfaceInfoSetIpAddress
            | H::CapabilitiesInterfaceInfoMacAddress
            | H::CapabilitiesInterfaceInfoAddress
            | H::CapabilitiesInterfaceInfoAddressIpv6
            | H::CapabilitiesInterfaceInfoSandbox
            | H::CapabilitiesInterfaceNameInfoSetNames
            | H::CapabilitiesJoinInfoInterfaceName
            | H::CapabilitiesJoinInfoSandbox
            | H::CapabilitiesJoinInfoSetGateway
            | H::CapabilitiesJoinInfoAddStaticRoute
            | H::CapabilitiesJoinInfoDisableGatewayService
            | H::CapabilitiesJoinInfoForceGatewayIpv4
            | H::CapabilitiesJoinInfoForceGatewayIpv6
            | H::NamespacesNamespaceSame => return None,
            // Under quotas.
            H::LogLog | H::ClockNow | H::RandomBytes | H::ConfigurationGet | H::ConfigurationAll => return None,
            H::CapabilitiesNetworkInfoTableEventRegister | H::CapabilitiesJoinInfoAddTableEntry => P::Tables,
            H::TablesGet | H::TablesList | H::TablesPut | H::TablesRemove => P::Tables,
            H::NamespacesHost
            | H::LinksAdd
            | H::LinksAddWireguard
            | H::LinksAddMacvtap
            | H::LinksSetOffloads
            | H::LinksGetOffloads
            | H::LinksSetBridge
            | H::LinksGetBridge
            | H::LinksSetPort
            | H::LinksGetPort
            | H::LinksSetProperties
            | H::LinksGetProperties
            | H::LinksReadPublicKey
            | H::LinksSetPeers
            | H::LinksRemovePeers
            | H::LinksListPeers
            | H::LinksGet
            | H::LinksList
            | H::LinksLinkInfo
            | H::LinksLinkSet
            | H::LinksLinkRemove => P::Links,
            H::LinksTakeDevice => P::Devices,
            H::AddressesAdd | H::AddressesRemove | H::AddressesList => P::Links,
            H::NeighboursAdd | H::NeighboursRemove | H::NeighboursList => P::Links,
            H::NeighboursAddForwarding | H::NeighboursRemoveForwarding | H::NeighboursListForwarding => P::Links,
            H::NeighboursAddProxies | H::NeighboursRemoveProxies => P::Links,
            H::ShapingSetRate | H::ShapingGetRate | H::ShapingAddIfb | H::ShapingRedirect => P::Shaping,
            H::NamespacesAdd | H::NamespacesGet | H::NamespacesNamespaceRemove => P::Namespaces,
            H::RoutesAdd | H::RoutesRemove | H::RoutesList | H::RoutesListWhole => P::Routing,
            H::RulesAdd | H::RulesRemove | H::RulesList | H::RulesListWhole => P::Routing,
            H::RulesAddOfFamily | H::RulesRemoveOfFamily => P::Routing,
            H::RoutesAddPaths | H::RoutesRemovePaths => P::Routing,
            H::NftablesAdd | H::NftablesRemove | H::NftablesList => P::PacketFilter,
            H::NftablesAddSet | H::NftablesRemoveSet | H::NftablesListSets => P::PacketFilter,
            H::NftablesAddElements | H::NftablesRemoveElements | H::NftablesListElements => P::PacketFilter,
            H::NftablesAddChain | H::NftablesRemoveChain | H::NftablesListChains | H::NftablesAddChainRules => {
                P::PacketFilter
            }
            H::NftablesAddPacketRules | H::NftablesReadCounters | H::NftablesAddFrameRules => P::PacketFilter,
            H::SysctlsGetLink | H::SysctlsSetLink => P::LinkSettings,
            H::SysctlsGetNeighbour | H::SysctlsSetNeighbour => P::LinkSettings,
            H::SysctlsGetNamespace | H::SysctlsSetNamespace => P::NamespaceSettings,
            H::ForwardingAllow | H::ForwardingDisallow => P::Forwarding,
            H::PortsTake | H::PortsRelease | H::PortsTakeRange | H::PortsReleaseRange => P::HostPorts,
            H::StoreGet | H::StoreList | H::StoreSet | H::StoreRemove => P::Store,
        })
    }
}
