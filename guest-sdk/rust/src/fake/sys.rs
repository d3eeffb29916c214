//! The same names as the component's side has, for the SDK's functions.

use super::capabilities::{InterfaceCall, JoinCall, NetworkCall};

pub(crate) use super::capabilities;
pub(crate) use super::capabilities::InterfaceNameInfo;
pub(crate) use super::kernel::{
    addresses, chains, forwarding, frames, links, namespaces, neighbours, nftables, options, packets, ports, routes,
    rules, shaping, sysctls, wireguard,
};
pub(crate) use super::store::entries as store;
pub(crate) use super::store::{clock, configuration, log, random, tables};

#[derive(Debug)]
pub(crate) struct Link(pub u32);

#[derive(Debug)]
pub(crate) struct Namespace(pub u32);

pub(crate) type NetworkInfo<'call> = &'call NetworkCall;
pub(crate) type InterfaceInfo<'call> = &'call InterfaceCall;
pub(crate) type JoinInfo<'call> = &'call JoinCall;
