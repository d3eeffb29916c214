//! The files of a new project, for each language. A test compares them with the folders of `guest-sdk`.

/// A file of a project.
pub struct Template {
    /// Where it lies in the project.
    pub path: &'static str,
    /// Its text. Where it says `@NAME@` and `@CRATE@`, it gets the driver's name, and the same with `_` for `-`;
    /// where it says `@OPTIONS@`, what `driver test` needs for this kind.
    pub text: &'static str,
    /// Its mode.
    pub mode: u32,
}

/// Files of a project, as pairs: where it lies in the project, and below `guest-sdk/`. What begins with `#!` can be run.
macro_rules! files {
    ($($path:literal: $file:literal,)*) => {
        &[$({
            let text = include_str!(concat!("../../../../guest-sdk/", $file));
            let can_run = matches!(text.as_bytes(), [b'#', b'!', ..]);
            Template { path: $path, text, mode: if can_run { 0o755 } else { 0o644 } }
        }),*]
    };
}

pub const MANIFEST: &[Template] = files! {
    "pontoon.toml": "template/pontoon.toml",
};

pub const INTERFACE: &[Template] = files! {
    "wit/world.wit": "template/world.wit",
    "wit/deps/pontoon-driver/capabilities.wit": "../wit/capabilities.wit",
    "wit/deps/pontoon-driver/driver.wit": "../wit/driver.wit",
    "wit/deps/pontoon-driver/kernel.wit": "../wit/kernel.wit",
    "wit/deps/pontoon-driver/state.wit": "../wit/state.wit",
    "wit/deps/pontoon-driver/types.wit": "../wit/types.wit",
    "wit/deps/pontoon-driver/worlds.wit": "../wit/worlds.wit",
};

/// Where Rust's SDK looks for it: the macro that makes its bindings takes one package.
pub const RUST_INTERFACE: &[Template] = files! {
    "wit/capabilities.wit": "../wit/capabilities.wit",
    "wit/driver.wit": "../wit/driver.wit",
    "wit/kernel.wit": "../wit/kernel.wit",
    "wit/state.wit": "../wit/state.wit",
    "wit/types.wit": "../wit/types.wit",
    "wit/worlds.wit": "../wit/worlds.wit",
};

pub const RUST: &[Template] = files! {
    "cases.toml": "template/cases.toml",
    "Cargo.toml": "rust/template/Cargo.toml.in",
    "src/lib.rs": "rust/template/src/lib.rs",
    "Makefile": "rust/template/Makefile",
    "build-component": "rust/template/build-component",
    "README.md": "rust/template/README.md",
    ".gitignore": "rust/template/gitignore",
    "Cargo.lock": "rust/template/Cargo.lock.in",
    "sdk/rust/Cargo.toml": "rust/Cargo.toml",
    "sdk/rust/rustfmt.toml": "../rustfmt.toml",
    "sdk/rust/src/capabilities.rs": "rust/src/capabilities.rs",
    "sdk/rust/src/component/bindings.rs": "rust/src/component/bindings.rs",
    "sdk/rust/src/component/capabilities.rs": "rust/src/component/capabilities.rs",
    "sdk/rust/src/component/convert.rs": "rust/src/component/convert.rs",
    "sdk/rust/src/component/exports.rs": "rust/src/component/exports.rs",
    "sdk/rust/src/component/kernel/addresses.rs": "rust/src/component/kernel/addresses.rs",
    "sdk/rust/src/component/kernel/links.rs": "rust/src/component/kernel/links.rs",
    "sdk/rust/src/component/kernel/mod.rs": "rust/src/component/kernel/mod.rs",
    "sdk/rust/src/component/kernel/neighbours.rs": "rust/src/component/kernel/neighbours.rs",
    "sdk/rust/src/component/kernel/nftables.rs": "rust/src/component/kernel/nftables.rs",
    "sdk/rust/src/component/kernel/routes.rs": "rust/src/component/kernel/routes.rs",
    "sdk/rust/src/component/kernel/rules.rs": "rust/src/component/kernel/rules.rs",
    "sdk/rust/src/component/kernel/sysctls.rs": "rust/src/component/kernel/sysctls.rs",
    "sdk/rust/src/component/mod.rs": "rust/src/component/mod.rs",
    "sdk/rust/src/component/state.rs": "rust/src/component/state.rs",
    "sdk/rust/src/driver.rs": "rust/src/driver.rs",
    "sdk/rust/src/error.rs": "rust/src/error.rs",
    "sdk/rust/src/export.rs": "rust/src/export.rs",
    "sdk/rust/src/fake/call.rs": "rust/src/fake/call.rs",
    "sdk/rust/src/fake/capabilities.rs": "rust/src/fake/capabilities.rs",
    "sdk/rust/src/fake/endpoint.rs": "rust/src/fake/endpoint.rs",
    "sdk/rust/src/fake/kernel/addresses.rs": "rust/src/fake/kernel/addresses.rs",
    "sdk/rust/src/fake/kernel/forwarding.rs": "rust/src/fake/kernel/forwarding.rs",
    "sdk/rust/src/fake/kernel/links.rs": "rust/src/fake/kernel/links.rs",
    "sdk/rust/src/fake/kernel/mod.rs": "rust/src/fake/kernel/mod.rs",
    "sdk/rust/src/fake/kernel/namespaces.rs": "rust/src/fake/kernel/namespaces.rs",
    "sdk/rust/src/fake/kernel/neighbours.rs": "rust/src/fake/kernel/neighbours.rs",
    "sdk/rust/src/fake/kernel/nftables.rs": "rust/src/fake/kernel/nftables.rs",
    "sdk/rust/src/fake/kernel/ports.rs": "rust/src/fake/kernel/ports.rs",
    "sdk/rust/src/fake/kernel/routes.rs": "rust/src/fake/kernel/routes.rs",
    "sdk/rust/src/fake/kernel/rules.rs": "rust/src/fake/kernel/rules.rs",
    "sdk/rust/src/fake/kernel/sysctls.rs": "rust/src/fake/kernel/sysctls.rs",
    "sdk/rust/src/fake/mod.rs": "rust/src/fake/mod.rs",
    "sdk/rust/src/fake/network.rs": "rust/src/fake/network.rs",
    "sdk/rust/src/fake/state.rs": "rust/src/fake/state.rs",
    "sdk/rust/src/fake/store.rs": "rust/src/fake/store.rs",
    "sdk/rust/src/fake/sys.rs": "rust/src/fake/sys.rs",
    "sdk/rust/src/kernel/addresses.rs": "rust/src/kernel/addresses.rs",
    "sdk/rust/src/kernel/forwarding.rs": "rust/src/kernel/forwarding.rs",
    "sdk/rust/src/kernel/links/mod.rs": "rust/src/kernel/links/mod.rs",
    "sdk/rust/src/kernel/links/spec.rs": "rust/src/kernel/links/spec.rs",
    "sdk/rust/src/kernel/mod.rs": "rust/src/kernel/mod.rs",
    "sdk/rust/src/kernel/namespaces.rs": "rust/src/kernel/namespaces.rs",
    "sdk/rust/src/kernel/neighbours.rs": "rust/src/kernel/neighbours.rs",
    "sdk/rust/src/kernel/nftables.rs": "rust/src/kernel/nftables.rs",
    "sdk/rust/src/kernel/ports.rs": "rust/src/kernel/ports.rs",
    "sdk/rust/src/kernel/routes.rs": "rust/src/kernel/routes.rs",
    "sdk/rust/src/kernel/rules.rs": "rust/src/kernel/rules.rs",
    "sdk/rust/src/kernel/sysctls.rs": "rust/src/kernel/sysctls.rs",
    "sdk/rust/src/lib.rs": "rust/src/lib.rs",
    "sdk/rust/src/state/clock.rs": "rust/src/state/clock.rs",
    "sdk/rust/src/state/configuration.rs": "rust/src/state/configuration.rs",
    "sdk/rust/src/state/log.rs": "rust/src/state/log.rs",
    "sdk/rust/src/state/mod.rs": "rust/src/state/mod.rs",
    "sdk/rust/src/state/random.rs": "rust/src/state/random.rs",
    "sdk/rust/src/state/store.rs": "rust/src/state/store.rs",
    "sdk/rust/src/state/tables.rs": "rust/src/state/tables.rs",
    "sdk/rust/src/types/mac_address.rs": "rust/src/types/mac_address.rs",
    "sdk/rust/src/types/mod.rs": "rust/src/types/mod.rs",
    "sdk/rust/src/types/network.rs": "rust/src/types/network.rs",
    "sdk/rust/src/types/options.rs": "rust/src/types/options.rs",
    "sdk/rust/src/types/port.rs": "rust/src/types/port.rs",
    "sdk/rust/src/types/table.rs": "rust/src/types/table.rs",
    "sdk/rust/src/types/text_map.rs": "rust/src/types/text_map.rs",
};

/// What a template by kind has in the place of the same files of the plain one.
pub const RUST_MACVLAN: &[Template] = files! {
    "src/lib.rs": "rust/templates/macvlan/lib.rs",
    "pontoon.toml": "rust/templates/macvlan/pontoon.toml",
    "cases.toml": "rust/templates/macvlan/cases.toml",
};

pub const RUST_ROUTED: &[Template] = files! {
    "src/lib.rs": "rust/templates/routed/lib.rs",
    "pontoon.toml": "rust/templates/routed/pontoon.toml",
    "cases.toml": "rust/templates/routed/cases.toml",
};

pub const RUST_OVERLAY: &[Template] = files! {
    "src/lib.rs": "rust/templates/overlay/lib.rs",
    "pontoon.toml": "rust/templates/overlay/pontoon.toml",
    "cases.toml": "rust/templates/overlay/cases.toml",
};

pub const GO: &[Template] = files! {
    "cases.toml": "template/cases.toml",
    "main.go": "go/template/main.go",
    "go.mod": "go/template/go.mod.in",
    "go.sum": "go/template/go.sum",
    "Makefile": "go/template/Makefile",
    "README.md": "go/template/README.md",
    ".gitignore": "go/template/gitignore",
    "sdk/go.mod": "go/go.mod",
    "sdk/call.go": "go/call.go",
    "sdk/capabilities.go": "go/capabilities.go",
    "sdk/driver.go": "go/driver.go",
    "sdk/error.go": "go/error.go",
    "sdk/host.go": "go/host.go",
    "sdk/kernel.go": "go/kernel.go",
    "sdk/links.go": "go/links.go",
    "sdk/nftables.go": "go/nftables.go",
    "sdk/options.go": "go/options.go",
    "sdk/store.go": "go/store.go",
    "sdk/values.go": "go/values.go",
    "sdk/bindings/pontoon_driver_addresses/empty.s": "go/bindings/pontoon_driver_addresses/empty.s",
    "sdk/bindings/pontoon_driver_addresses/wit_bindings.go": "go/bindings/pontoon_driver_addresses/wit_bindings.go",
    "sdk/bindings/pontoon_driver_capabilities/empty.s": "go/bindings/pontoon_driver_capabilities/empty.s",
    "sdk/bindings/pontoon_driver_capabilities/wit_bindings.go": "go/bindings/pontoon_driver_capabilities/wit_bindings.go",
    "sdk/bindings/pontoon_driver_clock/empty.s": "go/bindings/pontoon_driver_clock/empty.s",
    "sdk/bindings/pontoon_driver_clock/wit_bindings.go": "go/bindings/pontoon_driver_clock/wit_bindings.go",
    "sdk/bindings/pontoon_driver_configuration/empty.s": "go/bindings/pontoon_driver_configuration/empty.s",
    "sdk/bindings/pontoon_driver_configuration/wit_bindings.go": "go/bindings/pontoon_driver_configuration/wit_bindings.go",
    "sdk/bindings/pontoon_driver_driver/empty.s": "go/bindings/pontoon_driver_driver/empty.s",
    "sdk/bindings/pontoon_driver_driver/wit_bindings.go": "go/bindings/pontoon_driver_driver/wit_bindings.go",
    "sdk/bindings/pontoon_driver_external_connectivity/empty.s": "go/bindings/pontoon_driver_external_connectivity/empty.s",
    "sdk/bindings/pontoon_driver_external_connectivity/wit_bindings.go": "go/bindings/pontoon_driver_external_connectivity/wit_bindings.go",
    "sdk/bindings/pontoon_driver_forwarding/empty.s": "go/bindings/pontoon_driver_forwarding/empty.s",
    "sdk/bindings/pontoon_driver_forwarding/wit_bindings.go": "go/bindings/pontoon_driver_forwarding/wit_bindings.go",
    "sdk/bindings/pontoon_driver_gateway_allocation_checker/empty.s": "go/bindings/pontoon_driver_gateway_allocation_checker/empty.s",
    "sdk/bindings/pontoon_driver_gateway_allocation_checker/wit_bindings.go": "go/bindings/pontoon_driver_gateway_allocation_checker/wit_bindings.go",
    "sdk/bindings/pontoon_driver_ipv6_releaser/empty.s": "go/bindings/pontoon_driver_ipv6_releaser/empty.s",
    "sdk/bindings/pontoon_driver_ipv6_releaser/wit_bindings.go": "go/bindings/pontoon_driver_ipv6_releaser/wit_bindings.go",
    "sdk/bindings/pontoon_driver_links/empty.s": "go/bindings/pontoon_driver_links/empty.s",
    "sdk/bindings/pontoon_driver_links/wit_bindings.go": "go/bindings/pontoon_driver_links/wit_bindings.go",
    "sdk/bindings/pontoon_driver_log/empty.s": "go/bindings/pontoon_driver_log/empty.s",
    "sdk/bindings/pontoon_driver_log/wit_bindings.go": "go/bindings/pontoon_driver_log/wit_bindings.go",
    "sdk/bindings/pontoon_driver_namespaces/empty.s": "go/bindings/pontoon_driver_namespaces/empty.s",
    "sdk/bindings/pontoon_driver_namespaces/wit_bindings.go": "go/bindings/pontoon_driver_namespaces/wit_bindings.go",
    "sdk/bindings/pontoon_driver_neighbours/empty.s": "go/bindings/pontoon_driver_neighbours/empty.s",
    "sdk/bindings/pontoon_driver_neighbours/wit_bindings.go": "go/bindings/pontoon_driver_neighbours/wit_bindings.go",
    "sdk/bindings/pontoon_driver_network_allocator/empty.s": "go/bindings/pontoon_driver_network_allocator/empty.s",
    "sdk/bindings/pontoon_driver_network_allocator/wit_bindings.go": "go/bindings/pontoon_driver_network_allocator/wit_bindings.go",
    "sdk/bindings/pontoon_driver_nftables/empty.s": "go/bindings/pontoon_driver_nftables/empty.s",
    "sdk/bindings/pontoon_driver_nftables/wit_bindings.go": "go/bindings/pontoon_driver_nftables/wit_bindings.go",
    "sdk/bindings/pontoon_driver_ports/empty.s": "go/bindings/pontoon_driver_ports/empty.s",
    "sdk/bindings/pontoon_driver_ports/wit_bindings.go": "go/bindings/pontoon_driver_ports/wit_bindings.go",
    "sdk/bindings/pontoon_driver_random/empty.s": "go/bindings/pontoon_driver_random/empty.s",
    "sdk/bindings/pontoon_driver_random/wit_bindings.go": "go/bindings/pontoon_driver_random/wit_bindings.go",
    "sdk/bindings/pontoon_driver_routes/empty.s": "go/bindings/pontoon_driver_routes/empty.s",
    "sdk/bindings/pontoon_driver_routes/wit_bindings.go": "go/bindings/pontoon_driver_routes/wit_bindings.go",
    "sdk/bindings/pontoon_driver_rules/empty.s": "go/bindings/pontoon_driver_rules/empty.s",
    "sdk/bindings/pontoon_driver_rules/wit_bindings.go": "go/bindings/pontoon_driver_rules/wit_bindings.go",
    "sdk/bindings/pontoon_driver_store/empty.s": "go/bindings/pontoon_driver_store/empty.s",
    "sdk/bindings/pontoon_driver_store/wit_bindings.go": "go/bindings/pontoon_driver_store/wit_bindings.go",
    "sdk/bindings/pontoon_driver_sysctls/empty.s": "go/bindings/pontoon_driver_sysctls/empty.s",
    "sdk/bindings/pontoon_driver_sysctls/wit_bindings.go": "go/bindings/pontoon_driver_sysctls/wit_bindings.go",
    "sdk/bindings/pontoon_driver_table_watcher/empty.s": "go/bindings/pontoon_driver_table_watcher/empty.s",
    "sdk/bindings/pontoon_driver_table_watcher/wit_bindings.go": "go/bindings/pontoon_driver_table_watcher/wit_bindings.go",
    "sdk/bindings/pontoon_driver_tables/empty.s": "go/bindings/pontoon_driver_tables/empty.s",
    "sdk/bindings/pontoon_driver_tables/wit_bindings.go": "go/bindings/pontoon_driver_tables/wit_bindings.go",
    "sdk/bindings/pontoon_driver_types/empty.s": "go/bindings/pontoon_driver_types/empty.s",
    "sdk/bindings/pontoon_driver_types/wit_bindings.go": "go/bindings/pontoon_driver_types/wit_bindings.go",
    "sdk/bindings/wit_exports/wit_exports.go": "go/bindings/wit_exports/wit_exports.go",
    "sdk/exports/export_pontoon_driver_driver/driver.go": "go/exports/export_pontoon_driver_driver/driver.go",
    "sdk/exports/export_pontoon_driver_external_connectivity/external_connectivity.go": "go/exports/export_pontoon_driver_external_connectivity/external_connectivity.go",
    "sdk/exports/export_pontoon_driver_gateway_allocation_checker/gateway_allocation_checker.go": "go/exports/export_pontoon_driver_gateway_allocation_checker/gateway_allocation_checker.go",
    "sdk/exports/export_pontoon_driver_ipv6_releaser/ipv6_releaser.go": "go/exports/export_pontoon_driver_ipv6_releaser/ipv6_releaser.go",
    "sdk/exports/export_pontoon_driver_network_allocator/network_allocator.go": "go/exports/export_pontoon_driver_network_allocator/network_allocator.go",
    "sdk/exports/export_pontoon_driver_table_watcher/table_watcher.go": "go/exports/export_pontoon_driver_table_watcher/table_watcher.go",
};

pub const C: &[Template] = files! {
    "cases.toml": "template/cases.toml",
    "driver.c": "c/template/driver.c",
    "Makefile": "c/template/Makefile",
    "README.md": "c/template/README.md",
    ".gitignore": "c/template/gitignore",
    "sdk/kernel.c": "c/kernel.c",
    "sdk/pontoon.c": "c/pontoon.c",
    "sdk/pontoon.h": "c/pontoon.h",
    "sdk/bindings/driver.c": "c/bindings/driver.c",
    "sdk/bindings/driver.h": "c/bindings/driver.h",
};

pub const PYTHON: &[Template] = files! {
    "cases.toml": "template/cases.toml",
    "app.py": "python/template/app.py",
    "Makefile": "python/template/Makefile",
    "README.md": "python/template/README.md",
    ".gitignore": "python/template/gitignore",
    "sdk/pontoon/__init__.py": "python/pontoon/__init__.py",
    "sdk/pontoon/addresses.py": "python/pontoon/addresses.py",
    "sdk/pontoon/checked.py": "python/pontoon/checked.py",
    "sdk/pontoon/errors.py": "python/pontoon/errors.py",
    "sdk/pontoon/links.py": "python/pontoon/links.py",
    "sdk/pontoon/neighbours.py": "python/pontoon/neighbours.py",
    "sdk/pontoon/nftables.py": "python/pontoon/nftables.py",
    "sdk/pontoon/part.py": "python/pontoon/part.py",
    "sdk/pontoon/ports.py": "python/pontoon/ports.py",
    "sdk/pontoon/ranges.py": "python/pontoon/ranges.py",
    "sdk/pontoon/routes.py": "python/pontoon/routes.py",
    "sdk/pontoon/rules.py": "python/pontoon/rules.py",
    "sdk/pontoon/runtime.py": "python/pontoon/runtime.py",
    "sdk/pontoon/store.py": "python/pontoon/store.py",
    "sdk/pontoon/values.py": "python/pontoon/values.py",
};

pub const JAVASCRIPT: &[Template] = files! {
    "cases.toml": "template/cases.toml",
    "driver.ts": "javascript/template/driver.ts",
    "package.json": "javascript/template/package.json",
    "package-lock.json": "javascript/template/package-lock.json",
    "tsconfig.json": "javascript/template/tsconfig.json",
    "build.mjs": "javascript/template/build.mjs",
    "Makefile": "javascript/template/Makefile",
    "README.md": "javascript/template/README.md",
    ".gitignore": "javascript/template/gitignore",
    "sdk/index.ts": "javascript/index.ts",
    "sdk/errors.ts": "javascript/errors.ts",
    "sdk/globals.d.ts": "javascript/globals.d.ts",
    "sdk/links.ts": "javascript/links.ts",
    "sdk/nftables.ts": "javascript/nftables.ts",
    "sdk/part.ts": "javascript/part.ts",
    "sdk/runtime.ts": "javascript/runtime.ts",
    "sdk/store.ts": "javascript/store.ts",
    "sdk/values.ts": "javascript/values.ts",
};
