//! Each way in which a signature does not count, with keys that are made here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;
use operation::driver::{Granting, Signature, Signed, Source};
use words::Name;
use words::file::digest;

const COMPONENT: &[u8] = b"component";

/// 2026-07-01T00:00:00Z
const NOW: u64 = 1_782_864_000;

/// Somebody who signs.
enum Signer {
    P256(EcdsaKeyPair, SystemRandom),
    Edwards(Ed25519KeyPair),
}

impl Signer {
    fn p256() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap(), random)
    }

    fn edwards() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Edwards(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(match self {
            Self::P256(pair, random) => pair.sign(random, message).unwrap().as_ref().to_vec(),
            Self::Edwards(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }

    /// As openssl writes it.
    fn pem(&self) -> String {
        let der = match self {
            Self::P256(pair, _) => {
                [hex("3059301306072a8648ce3d020106082a8648ce3d030107034200"), pair.public_key().as_ref().into()]
            }
            Self::Edwards(pair) => [hex("302a300506032b6570032100"), pair.public_key().as_ref().into()],
        };
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.concat()))
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn manifest(component: &[u8]) -> String {
    json!({ "layers": [{ "digest": format!("sha256:{}", digest(component)) }] }).to_string()
}

fn payload(repository: &str, manifest: &str) -> String {
    json!({ "critical": {
        "identity": { "docker-reference": repository },
        "image": { "docker-manifest-digest": format!("sha256:{}", digest(manifest.as_bytes())) },
        "type": "cosign container image signature",
    }, "optional": null })
    .to_string()
}

/// An artifact of the repository `h/acme/a`, signed.
fn artifact(signer: &Signer) -> Signed {
    let manifest = manifest(COMPONENT);
    let payload = payload("h/acme/a", &manifest);
    let signature = Signature { signature: signer.sign(payload.as_bytes()), payload: Some(payload) };
    Signed { manifest: Some(manifest), signatures: vec![signature] }
}

fn file(signer: &Signer) -> Signed {
    Signed { manifest: None, signatures: vec![Signature { payload: None, signature: signer.sign(COMPONENT) }] }
}

fn load(name: &str, signed: Signed) -> LoadDriver {
    LoadDriver {
        name: Name::new(name).unwrap(),
        component: COMPONENT.to_vec(),
        configuration: Default::default(),
        grant: Granting::Unsaid,
        source: Source::default(),
        signed,
        allow_unsigned: false,
    }
}

/// A policy with the key `k`.
fn policy(signer: &Signer, head: &str, key: &str, rule: &str) -> Policy {
    let text = format!("{head}\n[keys.k]\npublic = '''{}'''\n{key}\n[[allow]]\nkeys = ['k']\n{rule}\n", signer.pem());
    policy::read("p.toml", &text).unwrap()
}

const ALL: &str = "drivers = ['*']\nrepositories = ['*']";

fn ask(policy: &Policy, signed: Signed) -> std::result::Result<String, String> {
    super::signed(policy, &load("a", signed), NOW).map_err(|e| e.message)
}

#[test]
fn what_the_policy_allows_passes() {
    for signer in [Signer::p256(), Signer::edwards()] {
        for rule in
            [ALL, "drivers = ['b', 'a']\nrepositories = ['h/acme/*']", "drivers = ['a*']\nrepositories = ['h/acme/a']"]
        {
            let policy = policy(&signer, "", "expires = '2026-07-01'", rule);
            assert_eq!(ask(&policy, artifact(&signer)).unwrap(), "signed by k", "{rule}");
            assert_eq!(ask(&policy, file(&signer)).unwrap(), "signed by k", "{rule}");
        }
    }
}

#[test]
fn each_reason_has_its_line() {
    let (signer, other) = (Signer::p256(), Signer::edwards());
    let all = policy(&signer, "", "", ALL);
    let with = |change: &dyn Fn(&mut Signed)| {
        let mut signed = artifact(&signer);
        change(&mut signed);
        signed
    };
    let resigned = |payload: String| {
        with(&|signed| {
            signed.signatures =
                vec![Signature { signature: signer.sign(payload.as_bytes()), payload: Some(payload.clone()) }];
        })
    };
    let flipped = with(&|signed| {
        let mut bytes = STANDARD.decode(&signed.signatures[0].signature).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        signed.signatures[0].signature = STANDARD.encode(bytes);
    });
    let another = payload("h/acme/a", &manifest(b"komponent"));
    let table: [(&Policy, Signed, &str); 15] = [
        (&all, Signed::default(), "it is not signed, which the policy wants: --allow-unsigned"),
        (&all, with(&|signed| signed.signatures[0].signature = "?".into()), "is damaged: it is no base64"),
        (&all, with(&|signed| signed.signatures[0].signature = "AAAA".into()), "is damaged: it has not the form"),
        (&all, with(&|signed| signed.manifest = None), "is damaged: it came without what it is of"),
        (&all, with(&|signed| signed.signatures[0].payload = None), "is damaged: it came without what it is of"),
        (&all, flipped, "by none of the policy's keys, or of other bytes"),
        (&all, artifact(&other), "by none of the policy's keys"),
        (&all, resigned(another), "is of another component: sha256:"),
        (&all, resigned("{}".to_owned()), "is of another component: what is signed can't be read"),
        (&policy(&signer, "revoked = ['k']", "", ALL), artifact(&signer), "the key k, which signed it, is revoked"),
        (&policy(&signer, "", "expires = '2026-06-30'", ALL), artifact(&signer), "expired after 2026-06-30"),
        (
            &policy(&signer, "", "", "drivers = ['b']\nrepositories = ['*']"),
            artifact(&signer),
            "may not sign a driver of this name",
        ),
        (&policy(&signer, "", "", "drivers = ['a']\nrepositories = ['h/other/*']"), artifact(&signer), "from h/acme/a"),
        (&policy(&signer, "", "", ""), file(&signer), "may not sign"),
        (
            &policy(&signer, "", "", &format!("{ALL}\nleast = '1.2.0'")),
            artifact(&signer),
            "its version is unknown, and older ones than 1.2.0",
        ),
    ];
    for (policy, signed, says) in table {
        let said = ask(policy, signed).unwrap_err();
        assert!(said.contains(says) && !said.contains('\n'), "{says}: {said}");
    }
    let mut many = artifact(&signer);
    many.signatures = vec![many.signatures[0].clone(); SIGNATURES + 1];
    assert!(ask(&all, many).unwrap_err().contains("at most 16"));
}

/// The manifest is the one that is signed, and has another component.
#[test]
fn a_signature_is_of_its_component_alone() {
    let signer = Signer::p256();
    let all = policy(&signer, "", "", ALL);
    let mut load = load("a", artifact(&signer));
    load.component = b"komponent".to_vec();
    assert!(super::signed(&all, &load, NOW).unwrap_err().message.contains("is not that of sha256:"));
    load.signed = file(&signer);
    assert!(super::signed(&all, &load, NOW).unwrap_err().message.contains("or of other bytes"));
}

#[test]
fn one_of_several_signatures_is_enough_and_the_best_reason_is_told() {
    let (signer, other) = (Signer::p256(), Signer::p256());
    let both = |first: &Signer, second: &Signer| {
        let signatures = [artifact(first), artifact(second)].map(|signed| signed.signatures[0].clone()).to_vec();
        Signed { signatures, ..artifact(first) }
    };
    let all = policy(&signer, "", "", ALL);
    assert_eq!(ask(&all, both(&other, &signer)).unwrap(), "signed by k");
    let revoked = policy(&signer, "revoked = ['k']", "", ALL);
    for signed in [both(&other, &signer), both(&signer, &other)] {
        assert!(ask(&revoked, signed).unwrap_err().contains("is revoked"));
    }
}

#[test]
fn unsigned_is_allowed_by_hand_and_noted() {
    let signer = Signer::p256();
    let all = policy(&signer, "", "", ALL);
    let mut unsigned = load("a", Signed::default());
    unsigned.allow_unsigned = true;
    assert_eq!(super::signed(&all, &unsigned, NOW).unwrap(), UNSIGNED);
    // What is signed is to be signed well, whatever is allowed.
    unsigned.signed = artifact(&Signer::p256());
    assert!(super::signed(&all, &unsigned, NOW).is_err());
}

#[test]
fn a_policy_that_is_not_understood_is_refused_with_its_place() {
    let key = format!("[keys.k]\npublic = '''{}'''\n", Signer::p256().pem());
    let table = [
        ("keyz = 1".to_owned(), "p.toml:1: unknown field `keyz`"),
        ("revoked = ['k']".to_owned(), "p.toml: there is no key \"k\""),
        (format!("{key}[[allow]]\nkeys = ['l']"), "p.toml: there is no key \"l\""),
        (format!("{key}expire = 1"), "unknown field `expire`"),
        (format!("{key}expires = 'tomorrow'"), "the key k: expires = \"tomorrow\" is no day"),
        (format!("{key}expires = '2026-13-01'"), "is no day"),
        (format!("{key}[[allow]]\nkey = ['k']"), "unknown field `key`"),
        (format!("{key}[[allow]]\nleast = '1'"), "p.toml: least = \"1\" is no version"),
        ("[keys.k]\npublic = 'AAAA'".to_owned(), "the key k: it is no PUBLIC KEY in PEM"),
        (
            "[keys.k]\npublic = '''-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'''".to_owned(),
            "is neither of ECDSA",
        ),
    ];
    for (text, says) in table {
        let said = policy::read("p.toml", &text).unwrap_err().message;
        assert!(said.contains(says) && !said.contains('\n'), "{text}: {said}");
    }
    let nothing = policy::read("p.toml", "").unwrap();
    assert!(ask(&nothing, artifact(&Signer::p256())).unwrap_err().contains("by none of the policy's keys"));
}

#[test]
fn the_readme_shows_one() {
    let text = include_str!("../../../README.md").split("## Signatures").nth(1).unwrap();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let policy = policy::read("host/README.md", example).unwrap();
    assert_eq!((policy.keys.len(), policy.revoked.len()), (2, 1));
    let bridge = Name::new("bridge").unwrap();
    assert_eq!(policy.allows("acme-2026", &bridge, Some("registry.example.org/acme/bridge")).count(), 1);
}
