//! The macros that make a type's trait an export of the component.
//!
//! On any other target they only check that the type has the trait, so that a driver's crate compiles for its tests.

/// What the macros below have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_part {
    ($driver:ty, $part:ident, $trait:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::component::exports::Exported<$driver>;
    $crate::component::bindings::$part::export!(Exported with_types_in $crate::component::bindings::$part);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn has_trait<D: $crate::$trait>() {}
            has_trait::<$driver>();
        };
    };
}

/// Exports a type's [`Driver`](crate::Driver).
#[macro_export]
macro_rules! export_driver {
    ($driver:ty) => {
        $crate::__export_part!($driver, driver_part, Driver);
    };
}

/// Exports a type's [`NetworkAllocator`](crate::NetworkAllocator).
#[macro_export]
macro_rules! export_network_allocator {
    ($driver:ty) => {
        $crate::__export_part!($driver, network_allocator_part, NetworkAllocator);
    };
}

/// Exports a type's [`Ipam`](crate::Ipam).
#[macro_export]
macro_rules! export_ipam {
    ($driver:ty) => {
        $crate::__export_part!($driver, ipam_part, Ipam);
    };
}

/// Exports a type's [`TableWatcher`](crate::TableWatcher).
#[macro_export]
macro_rules! export_table_watcher {
    ($driver:ty) => {
        $crate::__export_part!($driver, table_watcher_part, TableWatcher);
    };
}

/// Exports a type's [`ExternalConnectivity`](crate::ExternalConnectivity).
#[macro_export]
macro_rules! export_external_connectivity {
    ($driver:ty) => {
        $crate::__export_part!($driver, external_connectivity_part, ExternalConnectivity);
    };
}

/// Exports a type's [`Ipv6Releaser`](crate::Ipv6Releaser).
#[macro_export]
macro_rules! export_ipv6_releaser {
    ($driver:ty) => {
        $crate::__export_part!($driver, ipv6_releaser_part, Ipv6Releaser);
    };
}

/// Exports a type's [`GatewayAllocationChecker`](crate::GatewayAllocationChecker).
#[macro_export]
macro_rules! export_gateway_allocation_checker {
    ($driver:ty) => {
        $crate::__export_part!($driver, gateway_allocation_checker_part, GatewayAllocationChecker);
    };
}

/// Exports a type's [`Migration`](crate::Migration).
#[macro_export]
macro_rules! export_migration {
    ($driver:ty) => {
        $crate::__export_part!($driver, migration_part, Migration);
    };
}
