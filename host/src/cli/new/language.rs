//! The languages that a driver can be begun in, and the files of each one's project.
//!
//! A language is a folder `guest-sdk/LANGUAGE`: the SDK, and in `template/` the project. A project carries what it is built from: in `wit/` the
//! interface, with the driver's own world beside it, and in `sdk/` the SDK. Rust's takes both from the registry, where Rust's people look.

/// A file of a project.
pub struct Template {
    /// Where it lies in the project.
    pub path: &'static str,
    /// Its text. Where it says `@NAME@`, `@CRATE@` and `@SDK@`, it gets the driver's name, the same with `_` for `-`, and where Rust's SDK is.
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

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// With the SDK from the registry, or from --sdk
    Rust,
    /// Go 1.25 or newer, wit-bindgen, wasm-tools
    Go,
    /// clang with wasi-libc, wit-bindgen, wasm-tools
    C,
    /// Python 3.11 or newer: componentize-py
    Python,
    /// Node.js 18 or newer with npm: TypeScript and componentize-js
    Javascript,
}

impl Language {
    /// The files that only this language's project has.
    pub fn own(self) -> &'static [Template] {
        match self {
            Self::Rust => RUST,
            Self::Go => GO,
            Self::C => C,
            Self::Python => PYTHON,
            Self::Javascript => JAVASCRIPT,
        }
    }

    /// All files of a project.
    pub fn project(self) -> impl Iterator<Item = &'static Template> {
        let interface = if self == Self::Rust { &[] } else { INTERFACE };
        self.own().iter().chain(MANIFEST).chain(interface)
    }
}

const MANIFEST: &[Template] = files! {
    "pontoon.toml": "template/pontoon.toml",
};

const INTERFACE: &[Template] = files! {
    "wit/world.wit": "template/world.wit",
    "wit/deps/pontoon-driver/capabilities.wit": "../wit/capabilities.wit",
    "wit/deps/pontoon-driver/driver.wit": "../wit/driver.wit",
    "wit/deps/pontoon-driver/kernel.wit": "../wit/kernel.wit",
    "wit/deps/pontoon-driver/state.wit": "../wit/state.wit",
    "wit/deps/pontoon-driver/types.wit": "../wit/types.wit",
    "wit/deps/pontoon-driver/worlds.wit": "../wit/worlds.wit",
};

const RUST: &[Template] = files! {
    "Cargo.toml": "rust/template/Cargo.toml.in",
    "src/lib.rs": "rust/template/src/lib.rs",
    "Makefile": "rust/template/Makefile",
    "build-component": "rust/template/build-component",
    "README.md": "rust/template/README.md",
    ".gitignore": "rust/template/gitignore",
};

const GO: &[Template] = files! {
    "main.go": "go/template/main.go",
    "go.mod": "go/template/go.mod.in",
    "go.sum": "go/template/go.sum",
    "Makefile": "go/template/Makefile",
    "README.md": "go/template/README.md",
    ".gitignore": "go/template/gitignore",
    "sdk/go.mod": "go/go.mod",
    "sdk/call.go": "go/call.go",
    "sdk/driver.go": "go/driver.go",
    "sdk/error.go": "go/error.go",
    "sdk/state.go": "go/state.go",
    "sdk/values.go": "go/values.go",
    "sdk/exports/export_pontoon_driver_driver/driver.go": "go/exports/export_pontoon_driver_driver/driver.go",
    "sdk/exports/export_pontoon_driver_external_connectivity/external_connectivity.go": "go/exports/export_pontoon_driver_external_connectivity/external_connectivity.go",
    "sdk/exports/export_pontoon_driver_gateway_allocation_checker/gateway_allocation_checker.go": "go/exports/export_pontoon_driver_gateway_allocation_checker/gateway_allocation_checker.go",
    "sdk/exports/export_pontoon_driver_ipv6_releaser/ipv6_releaser.go": "go/exports/export_pontoon_driver_ipv6_releaser/ipv6_releaser.go",
    "sdk/exports/export_pontoon_driver_network_allocator/network_allocator.go": "go/exports/export_pontoon_driver_network_allocator/network_allocator.go",
    "sdk/exports/export_pontoon_driver_table_watcher/table_watcher.go": "go/exports/export_pontoon_driver_table_watcher/table_watcher.go",
    "sdk/wasi.wat": "wasi/wasi.wat",
};

const C: &[Template] = files! {
    "driver.c": "c/template/driver.c",
    "Makefile": "c/template/Makefile",
    "README.md": "c/template/README.md",
    ".gitignore": "c/template/gitignore",
    "sdk/pontoon.c": "c/pontoon.c",
    "sdk/pontoon.h": "c/pontoon.h",
    "sdk/wasi.wat": "wasi/wasi.wat",
};

const PYTHON: &[Template] = files! {
    "app.py": "python/template/app.py",
    "Makefile": "python/template/Makefile",
    "README.md": "python/template/README.md",
    ".gitignore": "python/template/gitignore",
    "sdk/pontoon/__init__.py": "python/pontoon/__init__.py",
    "sdk/pontoon/error.py": "python/pontoon/error.py",
    "sdk/pontoon/links.py": "python/pontoon/links.py",
    "sdk/pontoon/nftables.py": "python/pontoon/nftables.py",
    "sdk/pontoon/part.py": "python/pontoon/part.py",
    "sdk/pontoon/runtime.py": "python/pontoon/runtime.py",
    "sdk/pontoon/store.py": "python/pontoon/store.py",
    "sdk/pontoon/values.py": "python/pontoon/values.py",
};

const JAVASCRIPT: &[Template] = files! {
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
    "sdk/nftables.ts": "javascript/nftables.ts",
    "sdk/part.ts": "javascript/part.ts",
    "sdk/runtime.ts": "javascript/runtime.ts",
    "sdk/store.ts": "javascript/store.ts",
    "sdk/values.ts": "javascript/values.ts",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use clap::ValueEnum as _;

    use super::*;

    /// The texts of all files below a folder.
    fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts = entries.flat_map(|path| match path.is_dir() {
            true => texts(&path),
            false => vec![(path.clone(), std::fs::read_to_string(path).unwrap())],
        });
        texts.collect()
    }

    #[test]
    fn a_project_has_every_file_of_its_template_and_the_whole_interface() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for language in Language::value_variants() {
            let name = language.to_possible_value().unwrap();
            let mut wanted = texts(&repository.join("guest-sdk").join(name.get_name()).join("template"));
            wanted.extend(texts(&repository.join("guest-sdk/template")));
            if *language != Language::Rust {
                // What lies below are versions that were released.
                let interface = std::fs::read_dir(repository.join("wit")).unwrap().map(|entry| entry.unwrap().path());
                let texts = interface.filter(|path| path.extension().is_some_and(|extension| extension == "wit"));
                wanted.extend(texts.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())));
            }
            let has: BTreeSet<_> = language.project().map(|file| file.text).collect();
            for (path, text) in wanted {
                let is_other = *language == Language::Rust && path.ends_with("world.wit");
                assert!(is_other || has.contains(text.as_str()), "{language:?}: {} is missing", path.display());
            }
        }
    }

    #[test]
    fn a_projects_files_lie_apart() {
        for language in Language::value_variants() {
            let paths: BTreeSet<_> = language.project().map(|file| file.path).collect();
            assert_eq!(paths.len(), language.project().count(), "{language:?}");
        }
    }
}
