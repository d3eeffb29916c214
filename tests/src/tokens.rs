//! A server of tokens for a registry, as Docker's registries have one (<https://distribution.github.io/distribution/spec/auth/token/>): it knows who
//! may do what, and signs that. The registry knows its certificate.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::Namespace;
use crate::registry::{USER, head};

/// Repositories that everybody may pull from begin so.
const PUBLIC: &str = "public/";

/// The user and the password, as a request has them (RFC 7617): alice:secret.
const BASIC: &str = "Basic YWxpY2U6c2VjcmV0";

/// It, at 127.0.0.1:5002 of a namespace, until the test's process ends.
#[derive(Clone)]
pub struct Tokens {
    folder: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tokens {
    /// What a registry's configuration says of it. `folder` has its key and its certificate.
    pub(crate) fn configuration(folder: &Path) -> String {
        let certificate = folder.join("tokens.pem");
        format!(
            "auth: {{ token: {{ realm: 'http://127.0.0.1:5002/token', service: test, issuer: tokens, rootcertbundle: {} }} }}\n",
            certificate.display()
        )
    }

    /// Makes key and certificate in a folder, and starts it.
    pub(crate) fn start(folder: &Path, host: &Path) -> Self {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tokens.key", "-out", "tokens.pem"]);
        let made = openssl.args(["-subj", "/CN=tokens", "-days", "2"]).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let tokens = Self { folder: folder.to_owned(), asked: Arc::default() };
        let listening = Namespace::at(host).enter(|| TcpListener::bind("127.0.0.1:5002").unwrap());
        let (listener, serving) = (listening.join().unwrap(), tokens.clone());
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let Some(head) = head(&mut client) else { continue };
                let (status, body) = serving.answer(&head);
                let length = body.len();
                // The client may be gone.
                let _ = write!(
                    client,
                    "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        tokens
    }

    /// Who asked for what since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn answer(&self, head: &str) -> (u16, String) {
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
        };
        let user = match header("authorization") {
            None => "nobody",
            Some(BASIC) => USER,
            Some(_) => return (401, String::new()),
        };
        let query = head.split_whitespace().nth(1).and_then(|path| path.split_once('?')).unwrap().1;
        let value = |name: &str| query.split('&').filter_map(|one| one.split_once('=')).find(|(key, _)| *key == name);
        assert_eq!(value("service").unwrap().1, "test");
        let scope = decoded(value("scope").unwrap().1);
        let [kind, name, actions] = scope.split(':').collect::<Vec<_>>()[..] else { panic!("{scope} is no scope") };
        let mut actions: Vec<_> = actions.split(',').collect();
        // The registry names them in another order each time: it keeps them in a map of Go's.
        actions.sort_unstable();
        self.asked.lock().unwrap().push(format!("{user} {kind}:{name}:{}", actions.join(",")));
        actions.retain(|action| user == USER || (name.starts_with(PUBLIC) && *action == "pull"));
        let token = self.signed(user, &json!([{ "type": kind, "name": name, "actions": actions }]));
        (200, json!({ "token": token, "expires_in": 60 }).to_string())
    }

    /// A JSON Web Token (RFC 7519, RS256), with the certificate in it.
    fn signed(&self, user: &str, access: &Value) -> String {
        let certificate = std::fs::read_to_string(self.folder.join("tokens.pem")).unwrap();
        let certificate: String = certificate.lines().filter(|line| !line.starts_with("-----")).collect();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [certificate] });
        let now = words::now();
        let claims = json!({
            "iss": "tokens", "sub": user, "aud": "test", "jti": format!("{now}"),
            "iat": now, "nbf": now - 10, "exp": now + 60, "access": access,
        });
        let text = [header, claims].map(|part| base64url(part.to_string().as_bytes())).join(".");
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-sign", "tokens.key"]).current_dir(&self.folder);
        let mut openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let signature = openssl.wait_with_output().unwrap().stdout;
        format!("{text}.{}", base64url(&signature))
    }
}

/// A value of a query.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let character = char::from(u8::from_str_radix(&part[..2], 16).unwrap());
        format!("{text}{character}{}", &part[2..])
    })
}

/// Base64 for tokens (RFC 4648, section 5), without the padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for some in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | usize::from(some.get(at).copied().unwrap_or_default()));
        let digits = (0..=some.len()).map(|at| char::from(DIGITS[number >> (18 - 6 * at) & 63]));
        text.extend(digits);
    }
    text
}
