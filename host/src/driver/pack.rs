//! Puts a manifest into a component: a custom section at its end, instead of one that is there already.

use std::borrow::Cow;

use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{BinaryReader, BinaryReaderError};

use super::admit::{admit, check_header, damaged};
use super::manifest::SECTION;
use words::Result;

/// Bytes before the first section: the magic and the version.
const HEADER: usize = 8;

/// The id of custom sections.
const CUSTOM: u8 = 0;

/// The component with the text of a manifest. The same component and text make the same bytes, and a daemon admits them.
pub fn pack(component: &[u8], manifest: &[u8]) -> Result<Vec<u8>> {
    check_header(component)?;
    let mut packed = without_manifest(component)?;
    CustomSection { name: SECTION.into(), data: Cow::Borrowed(manifest) }.append_to_component(&mut packed);
    admit(&packed)?;
    Ok(packed)
}

/// The component alone: what is compiled of it.
pub fn without_manifest(component: &[u8]) -> Result<Vec<u8>> {
    without_custom(component, |name| name == SECTION).map_err(damaged)
}

/// The sections of a component or module but the custom ones that are named. What lies inside a section is not looked at.
pub fn without_custom(wasm: &[u8], is_named: impl Fn(&str) -> bool) -> std::result::Result<Vec<u8>, BinaryReaderError> {
    let mut kept = Vec::with_capacity(wasm.len());
    let mut reader = BinaryReader::new(wasm, 0);
    kept.extend(reader.read_bytes(HEADER)?);
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8()?;
        let mut content = reader.read_reader()?;
        if id != CUSTOM || !is_named(content.read_string()?) {
            kept.extend(&wasm[start..reader.current_position()]);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component without anything in it.
    const EMPTY: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn with(sections: &[(&str, &str)]) -> Vec<u8> {
        sections.iter().fold(EMPTY.to_vec(), |mut bytes, (name, data)| {
            CustomSection { name: (*name).into(), data: data.as_bytes().into() }.append_to_component(&mut bytes);
            bytes
        })
    }

    #[test]
    fn only_manifests_are_taken_out() {
        let others = with(&[("name", "a"), ("producers", "pontoon-manifest")]);
        let several = with(&[(SECTION, "1"), ("name", "a"), (SECTION, "2"), ("producers", "pontoon-manifest")]);
        assert_eq!(without_manifest(&several).unwrap(), others);
        assert_eq!(without_manifest(&others).unwrap(), others);
        // The manifest of a component inside is that component's own.
        let inner = with(&[(SECTION, "1")]);
        let outer = [EMPTY.as_slice(), &[4, inner.len() as u8], &inner].concat();
        assert_eq!(without_manifest(&outer).unwrap(), outer);
    }

    #[test]
    fn what_is_no_component_is_refused() {
        let refusal = |bytes: &[u8]| pack(bytes, b"name = 'a'\nversion = '1.0.0'").unwrap_err().message;
        assert!(refusal(b"hello").contains("no WebAssembly"));
        assert!(refusal(b"\0asm\x01\0\0\0").contains("core module"));
        assert!(refusal(&EMPTY[..6]).contains("cut off"));
        assert!(refusal(&[EMPTY.as_slice(), &[1, 200]].concat()).contains("damaged or cut off"));
        assert!(refusal(&EMPTY).contains("exports nothing"), "no driver");
    }
}
