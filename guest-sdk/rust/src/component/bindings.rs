//! What wit-bindgen makes of `wit/`: the imports once, and each exported interface in a world of its own.

#![expect(missing_docs, reason = "generated; the WIT has the docs")]

pub mod imports {
    wit_bindgen::generate!({ path: "../../wit", world: "imports", generate_all });
}

/// One exported interface, its types and handles those of [`imports`].
macro_rules! part {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                with: {
                    "pontoon:driver/types@0.1.1": crate::component::bindings::imports::pontoon::driver::types,
                    "pontoon:driver/capabilities@0.1.1": crate::component::bindings::imports::pontoon::driver::capabilities,
                    "pontoon:driver/namespaces@0.1.1": crate::component::bindings::imports::pontoon::driver::namespaces,
                    "pontoon:driver/links@0.1.1": crate::component::bindings::imports::pontoon::driver::links,
                    "pontoon:driver/addresses@0.1.1": crate::component::bindings::imports::pontoon::driver::addresses,
                    "pontoon:driver/routes@0.1.1": crate::component::bindings::imports::pontoon::driver::routes,
                    "pontoon:driver/rules@0.1.1": crate::component::bindings::imports::pontoon::driver::rules,
                    "pontoon:driver/neighbours@0.1.1": crate::component::bindings::imports::pontoon::driver::neighbours,
                    "pontoon:driver/shaping@0.1.1": crate::component::bindings::imports::pontoon::driver::shaping,
                    "pontoon:driver/nftables@0.1.1": crate::component::bindings::imports::pontoon::driver::nftables,
                    "pontoon:driver/sysctls@0.1.1": crate::component::bindings::imports::pontoon::driver::sysctls,
                    "pontoon:driver/forwarding@0.1.1": crate::component::bindings::imports::pontoon::driver::forwarding,
                    "pontoon:driver/ports@0.1.1": crate::component::bindings::imports::pontoon::driver::ports,
                    "pontoon:driver/store@0.1.1": crate::component::bindings::imports::pontoon::driver::store,
                    "pontoon:driver/tables@0.1.1": crate::component::bindings::imports::pontoon::driver::tables,
                    "pontoon:driver/log@0.1.1": crate::component::bindings::imports::pontoon::driver::log,
                    "pontoon:driver/clock@0.1.1": crate::component::bindings::imports::pontoon::driver::clock,
                    "pontoon:driver/random@0.1.1": crate::component::bindings::imports::pontoon::driver::random,
                    "pontoon:driver/configuration@0.1.1": crate::component::bindings::imports::pontoon::driver::configuration,
                },
            });
        }
    };
}

part!(driver_part, "driver-part");
part!(network_allocator_part, "network-allocator-part");
part!(ipam_part, "ipam-part");
part!(table_watcher_part, "table-watcher-part");
part!(external_connectivity_part, "external-connectivity-part");
part!(ipv6_releaser_part, "ipv6-releaser-part");
part!(gateway_allocation_checker_part, "gateway-allocation-checker-part");
part!(migration_part, "migration-part");
