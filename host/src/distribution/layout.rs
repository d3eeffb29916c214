//! The documents of a driver in a registry: "Wasm OCI Artifact layout" of the CNCF's TAG Runtime
//! (<https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>). `wkg` and `oras` read and write the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::driver::admit::admit;
use operation::driver::Manifest as Said;
use words::file::digest;
use words::limit::COMPONENT;
use words::{Error, Result};

/// A manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The configuration that makes an image a wasm artifact.
pub const CONFIGURATION: &str = "application/vnd.wasm.config.v0+json";

/// The one layer: a component.
pub const LAYER: &str = "application/wasm";

/// The annotation that names what a manifest or a layer is of.
const TITLE: &str = "org.opencontainers.image.title";

/// A manifest, as far as it is needed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u8,
    #[serde(default)]
    media_type: String,
    config: Descriptor,
    /// What it is of.
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// What a manifest says of a blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its type.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A driver as it is pushed.
pub struct Artifact {
    /// What `manifest` calls the configuration.
    pub configuration: Vec<u8>,
    /// The manifest.
    pub manifest: Vec<u8>,
}

/// Describes a component. `created`: when, as RFC 3339 has it. What is no driver is refused.
pub fn describe(component: &[u8], created: &str) -> Result<Artifact> {
    let admitted = admit(component)?;
    let configuration = json!({
        "created": created,
        "author": null,
        "architecture": "wasm",
        // The guide's word for whatever is a component.
        "os": "wasip2",
        "layerDigests": [named(component)],
        "component": { "exports": admitted.exports, "imports": admitted.imports, "target": null },
    });
    let configuration = written(&configuration)?;
    let name = admitted.manifest.as_ref().map_or("component", |said| said.name.as_str());
    // What `oras pull` calls the file: it skips a layer without.
    let annotations_of_layer = [(TITLE.to_owned(), format!("{name}.wasm"))].into();
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST.to_owned(),
        config: descriptor(CONFIGURATION, &configuration),
        layers: vec![Descriptor { annotations: annotations_of_layer, ..descriptor(LAYER, component) }],
        annotations: admitted.manifest.as_ref().map(annotations).unwrap_or_default(),
    };
    Ok(Artifact { manifest: written(&manifest)?, configuration })
}

/// Where a component is that a manifest describes.
pub fn component(manifest: &[u8]) -> Result<Descriptor> {
    let manifest = read(manifest)?;
    let kind = &manifest.config.media_type;
    if kind != CONFIGURATION {
        return Err(Error::invalid(format!("it is no wasm artifact: its configuration is {kind:?}")));
    }
    let [layer] = &manifest.layers[..] else {
        return Err(Error::invalid(format!("it has {} layers: a driver is one component", manifest.layers.len())));
    };
    if layer.media_type != LAYER {
        return Err(Error::invalid(format!("its layer is {:?} and no {LAYER}", layer.media_type)));
    }
    match usize::try_from(layer.size) {
        Ok(size) if size <= COMPONENT => Ok(layer.clone()),
        _ => Err(Error::invalid(format!("its component has {} bytes: at most {COMPONENT}", layer.size))),
    }
}

/// Reads a manifest.
pub fn read(manifest: &[u8]) -> Result<Manifest> {
    serde_json::from_slice(manifest).map_err(|e| Error::invalid(format!("its manifest can't be read: {e}")))
}

/// A digest as registries write it.
pub fn named(bytes: &[u8]) -> String {
    format!("sha256:{}", digest(bytes))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    let (media_type, digest) = (media_type.to_owned(), named(bytes));
    Descriptor { media_type, digest, size: bytes.len() as u64, annotations: BTreeMap::new() }
}

/// What the author says, under the names that registries show.
fn annotations(said: &Said) -> BTreeMap<String, String> {
    let name = said.name.to_string();
    let all = [
        ("title", Some(&name)),
        ("version", Some(&said.version)),
        ("description", said.description.as_ref()),
        ("source", said.source.as_ref()),
        ("licenses", said.licence.as_ref()),
    ];
    let said = all.into_iter().filter_map(|(key, text)| Some((key, text?)));
    said.map(|(key, text)| (format!("org.opencontainers.image.{key}"), text.clone())).collect()
}

fn written(document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|e| Error::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn manifest(configuration: &str, layers: &Value) -> Vec<u8> {
        let config = json!({ "mediaType": configuration, "digest": named(b"{}"), "size": 2 });
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }).to_string().into()
    }

    #[test]
    fn what_is_no_driver_is_told() {
        let layer = |kind: &str, size: u64| json!({ "mediaType": kind, "digest": named(b"a"), "size": size });
        let fine = manifest(CONFIGURATION, &json!([layer(LAYER, 7)]));
        assert_eq!(component(&fine).unwrap().digest, named(b"a"));
        let table = [
            (b"{}".to_vec(), "can't be read"),
            (b"\xff".to_vec(), "can't be read"),
            (manifest("application/vnd.oci.image.config.v1+json", &json!([layer(LAYER, 7)])), "no wasm artifact"),
            (manifest(CONFIGURATION, &json!([])), "has 0 layers"),
            (manifest(CONFIGURATION, &json!([layer(LAYER, 7), layer(LAYER, 7)])), "has 2 layers"),
            (manifest(CONFIGURATION, &json!([layer("application/gzip", 7)])), "its layer is \"application/gzip\""),
            (manifest(CONFIGURATION, &json!([layer(LAYER, COMPONENT as u64 + 1)])), "at most"),
        ];
        for (manifest, says) in table {
            let error = component(&manifest).unwrap_err();
            assert!(error.message.contains(says) && !error.message.contains('\n'), "{says}: {error}");
        }
        assert!(describe(b"hello", "").is_err());
    }
}
