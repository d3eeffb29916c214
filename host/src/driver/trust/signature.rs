//! Signatures as cosign makes them with a key (its `specs/SIGNATURE_SPEC.md`): of a short JSON text that names the digest of an artifact's manifest,
//! or, by `cosign sign-blob`, of a file's bytes. ECDSA on P-256 with SHA-256, or Ed25519.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::Unfit;
use operation::driver::{Signature, Signed};
use words::file::digest;

/// What stands before the point of a key on P-256 (RFC 5480: id-ecPublicKey, prime256v1, a string of 65 bytes).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The same for Ed25519 (RFC 8410).
const EDWARDS: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What `critical.type` says in what cosign signs.
const KIND: &str = "cosign container image signature";

/// A public key.
#[derive(Debug)]
pub struct PublicKey {
    algorithm: &'static dyn VerificationAlgorithm,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads a key in PEM, as cosign and openssl write it.
    pub fn read(pem: &str) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it is no PUBLIC KEY in PEM".to_owned())?;
        let has = |head: &[u8], length: usize| der.strip_prefix(head).filter(|bytes| bytes.len() == length);
        if let Some(point) = has(&P256, 65) {
            return Ok(Self { algorithm: &ECDSA_P256_SHA256_ASN1, bytes: point.to_vec() });
        }
        let edwards = has(&EDWARDS, 32).ok_or("it is neither of ECDSA on P-256 nor of Ed25519")?;
        Ok(Self { algorithm: &ED25519, bytes: edwards.to_vec() })
    }

    /// Whether it made this signature of this message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}

/// A signature whose form is right.
pub struct Whole<'a> {
    /// What is signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
    payload: Option<&'a str>,
}

/// What is signed of an artifact.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

/// As far as it is needed.
#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    digest: String,
}

impl<'a> Whole<'a> {
    /// Reads a signature. What is signed is the component, or a text that says of which manifest it is.
    pub(super) fn read(one: &'a Signature, of: &'a Signed, component: &'a [u8]) -> Result<Self, Unfit> {
        let no = |why: &str| Unfit::Damaged(why.to_owned());
        let signature = STANDARD.decode(one.signature.trim()).map_err(|_| no("it is no base64"))?;
        // A sequence of two numbers, or 64 bytes.
        let is_sequence = signature.len() <= 72
            && matches!(signature[..], [0x30, length, 2, ..] if usize::from(length) + 2 == signature.len());
        if !(is_sequence || signature.len() == 64) {
            return Err(no("it has not the form of one"));
        }
        let payload = one.payload.as_deref();
        if payload.is_some() != of.manifest.is_some() {
            return Err(no("it came without what it is of"));
        }
        Ok(Self { message: payload.map_or(component, str::as_bytes), signature, payload })
    }

    /// The repository that the signer names, of an artifact; none: the component itself is signed. It has to be this component.
    pub(super) fn repository(&self, of: &Signed, component: &[u8]) -> Result<Option<String>, Unfit> {
        let (Some(payload), Some(manifest)) = (self.payload, &of.manifest) else { return Ok(None) };
        let unreadable = |what: &str| Unfit::OfAnother(format!("{what} can't be read"));
        let payload: Payload = serde_json::from_str(payload).map_err(|_| unreadable("what is signed"))?;
        let Critical { identity, image, r#type } = payload.critical;
        let is_of = format!("sha256:{}", digest(manifest.as_bytes()));
        if r#type != KIND || image.docker_manifest_digest != is_of {
            return Err(Unfit::OfAnother(format!("{} and not {is_of}", image.docker_manifest_digest)));
        }
        let manifest: Manifest =
            serde_json::from_str(manifest).map_err(|_| unreadable("the manifest that is signed"))?;
        let component = format!("sha256:{}", digest(component));
        match &manifest.layers[..] {
            [layer] if layer.digest == component => Ok(Some(identity.docker_reference)),
            _ => Err(Unfit::OfAnother(format!("the manifest that is signed is not that of {component}"))),
        }
    }
}
