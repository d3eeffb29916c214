//! A small bridge driver, built with the draft of the interface's next track and nothing else: two of its options show what 0.1 has no words for.
#![cfg(target_family = "wasm")]

mod bindings {
    #![expect(unsafe_code, reason = "generated")]

    use super::Draft;

    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/draft"],
        world: "pontoon:driver/driver-part@0.2.0-draft",
        features: ["draft"],
        generate_all,
    });

    export!(Draft with_types_in self);
}

mod endpoint;
mod network;

use bindings::exports::pontoon::driver0_2_0_draft::driver::{Guest, Registration, Settled};
use bindings::pontoon::driver0_1_1::capabilities::NetworkInfo;
use bindings::pontoon::driver0_1_1::types::{
    Capability, EndpointOptions, Error, ErrorKind, IpamData, NetworkOptions, Scope, TextMap,
};
use bindings::pontoon::driver0_1_1::{links, store};
use bindings::pontoon::driver0_2_0_draft::requests::{InterfaceInfo, JoinInfo};

/// The driver.
struct Draft;

impl Guest for Draft {
    fn register() -> Registration {
        let capability = Capability { data_scope: Scope::Local, connectivity_scope: Scope::Local };
        Registration { network_type: "draft".into(), is_built_in: false, capability }
    }

    fn create_network(
        network: String,
        options: NetworkOptions,
        _: &NetworkInfo,
        pools: Vec<IpamData>,
    ) -> Result<Vec<Settled>, Error> {
        network::create(&network, &options, pools)
    }

    fn delete_network(network: String) -> Result<(), Error> {
        store::remove(&network::key(&network))?;
        remove_link(&network::bridge(&network))
    }

    fn create_endpoint(
        network: String,
        endpoint: String,
        info: &InterfaceInfo,
        _: EndpointOptions,
    ) -> Result<(), Error> {
        endpoint::create(&network, &endpoint, info)
    }

    fn delete_endpoint(network: String, endpoint: String) -> Result<(), Error> {
        store::remove(&endpoint::key(&network, &endpoint))?;
        remove_link(&endpoint::host_link(&endpoint))
    }

    fn endpoint_oper_info(network: String, endpoint: String) -> Result<TextMap, Error> {
        endpoint::find(&network, &endpoint).map(|_| Vec::new())
    }

    fn join(network: String, endpoint: String, _: String, info: &JoinInfo, _: EndpointOptions) -> Result<(), Error> {
        endpoint::join(&network, &endpoint, info)
    }

    fn leave(_: String, _: String) -> Result<(), Error> {
        Ok(())
    }
}

/// An error of this driver's.
fn error(kind: ErrorKind, message: String) -> Error {
    Error { kind, message, kernel_errno: None }
}

/// Removes one of the driver's links on the host, if it is there.
fn remove_link(name: &str) -> Result<(), Error> {
    match links::get(None, name) {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        link => link?.remove(),
    }
}

/// Eight hexadecimal digits of FNV-1a.
fn hash(text: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))[..8].to_owned()
}
