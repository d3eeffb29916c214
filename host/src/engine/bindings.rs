//! What wasmtime generates from `wit/`: one set of host traits for the imports, one index for each exported part.

use crate::capability::handle;

/// The mandatory part, and the imports of all parts.
#[expect(missing_docs, reason = "generated")]
pub mod driver_part {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "driver-part",
        imports: { default: trappable },
        trappable_error_type: { "pontoon:driver/types.error" => crate::capability::Refusal },
        with: {
            "pontoon:driver/namespaces.namespace": super::handle::Namespace,
            "pontoon:driver/links.link": super::handle::Link,
            "pontoon:driver/capabilities.network-info": super::handle::NetworkInfo,
            "pontoon:driver/capabilities.interface-info": super::handle::InterfaceInfo,
            "pontoon:driver/capabilities.interface-name-info": super::handle::InterfaceNameInfo,
            "pontoon:driver/capabilities.join-info": super::handle::JoinInfo,
        },
    });
}

macro_rules! part {
    ($module:ident, $world:literal) => {
        #[expect(missing_docs, reason = "generated")]
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../wit",
                world: $world,
                imports: { default: trappable },
                trappable_error_type: { "pontoon:driver/types.error" => crate::capability::Refusal },
                with: { "pontoon:driver": super::driver_part::pontoon::driver },
            });
        }
    };
}

part!(network_allocator_part, "network-allocator-part");
part!(table_watcher_part, "table-watcher-part");
part!(external_connectivity_part, "external-connectivity-part");
part!(ipv6_releaser_part, "ipv6-releaser-part");
part!(gateway_allocation_checker_part, "gateway-allocation-checker-part");

pub use driver_part::exports::pontoon::driver::driver as exported;
pub use driver_part::pontoon::driver as imports;
