//! Requests to a registry, with the token or the password that it wants. To nobody else either is told.

use std::cell::RefCell;
use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::config::RedirectAuthHeaders;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::failure::{broken, refused, unreachable};
use super::reference::Reference;
use words::{Error, Result};

/// How long a registry may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);

/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer that is no blob.
pub const ANSWER: u64 = 4 << 20;

/// Bytes of what is said of an error, and of a token.
const SMALL: u64 = 64 << 10;

/// A registry, as it is asked about one repository.
pub struct Http {
    agent: Agent,
    base: String,
    credential: Option<(String, String)>,
    /// What it was satisfied with last.
    authorization: RefCell<Option<String>>,
}

/// What a server of tokens answers.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Http {
    /// The registry of a reference.
    pub fn new(reference: &Reference, plain_http: bool, credential: Option<(String, String)>) -> Self {
        // Who asks first chooses the cryptography of the whole process: there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(concat!("pontoon/", env!("CARGO_PKG_VERSION")));
        let scheme = if plain_http { "http" } else { "https" };
        let base = format!("{scheme}://{}/", reference.listens());
        Self { agent: config.build().into(), base, credential, authorization: RefCell::default() }
    }

    /// Asks; a path is one of the repository's. Where the registry wants to know who asks, once more with what it wants.
    pub fn ask(
        &self,
        of: &Reference,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>> {
        let url = match path.starts_with("http://") || path.starts_with("https://") {
            true => path.to_owned(),
            false if path.starts_with('/') => format!("{}{}", self.base, path.trim_start_matches('/')),
            false => format!("{}v2/{}/{path}", self.base, of.path()),
        };
        let answer = self.once(of, method, &url, headers, body)?;
        if answer.status() != 401 || !url.starts_with(&self.base) {
            return Ok(answer);
        }
        match self.satisfy(of, answer.headers())? {
            Some(authorization) => *self.authorization.borrow_mut() = Some(authorization),
            None => return Ok(answer),
        }
        self.once(of, method, &url, headers, body)
    }

    /// Asks for what has to be there, with one of these statuses.
    pub fn get(
        &self,
        of: &Reference,
        path: &str,
        headers: &[(&str, &str)],
        statuses: &[u16],
    ) -> Result<Response<Body>> {
        self.expect(of, self.ask(of, "GET", path, headers, &[])?, statuses)
    }

    /// An answer with one of these statuses; another one is an error.
    pub fn expect(&self, of: &Reference, answer: Response<Body>, statuses: &[u16]) -> Result<Response<Body>> {
        let status = answer.status().as_u16();
        if statuses.contains(&status) {
            return Ok(answer);
        }
        let said = read(of, answer.into_body(), SMALL).unwrap_or_default();
        Err(refused(of, status, &said, self.credential.is_some()))
    }

    fn once(
        &self,
        of: &Reference,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let authorization = self.authorization.borrow();
        if let Some(authorization) = authorization.as_ref().filter(|_| url.starts_with(&self.base)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(body).map_err(|e| Error::invalid(format!("{url:?} can't be asked: {e}")))?;
        let answer = match method {
            "GET" | "HEAD" => self.agent.run(request.map(|_| ())),
            _ => self.agent.run(request),
        };
        answer.map_err(|error| unreachable(of.host(), &error))
    }

    /// What satisfies a registry that wants to know who asks: a password, or a token from the server that it names; none: nothing that is known here.
    fn satisfy(&self, of: &Reference, headers: &HeaderMap) -> Result<Option<String>> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let basic = self
            .credential
            .as_ref()
            .map(|(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        for challenge in challenges {
            let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
            if scheme.eq_ignore_ascii_case("basic") {
                return Ok(basic);
            }
            if scheme.eq_ignore_ascii_case("bearer") {
                return self.token(of, parameters, basic.as_deref()).map(Some);
            }
        }
        Ok(None)
    }

    fn token(&self, of: &Reference, parameters: &str, basic: Option<&str>) -> Result<String> {
        let said = |name: &str| parameter(parameters, name);
        let realm = said("realm").unwrap_or_default();
        let is_safe =
            realm.starts_with("https://") || (realm.starts_with("http://") && self.base.starts_with("http://"));
        if !is_safe {
            return Err(Error::forbidden(format!(
                "{} sends for a token to {realm:?}, which is asked by nobody",
                of.host()
            )));
        }
        let scope = said("scope").map_or_else(|| format!("repository:{}:pull,push", of.path()), str::to_owned);
        let mut url = format!("{realm}{}scope={}", if realm.contains('?') { '&' } else { '?' }, encode(&scope));
        if let Some(service) = said("service") {
            url += &format!("&service={}", encode(service));
        }
        let mut request = Request::get(&url);
        if let Some(basic) = basic {
            request = request.header(AUTHORIZATION, basic);
        }
        let request = request.body(()).map_err(|e| Error::invalid(format!("{url:?} can't be asked: {e}")))?;
        let answer = self.agent.run(request).map_err(|error| unreachable(of.host(), &error))?;
        let answer = read(of, self.expect(of, answer, &[200])?.into_body(), SMALL)?;
        let answer: Option<Token> = serde_json::from_slice(&answer).ok();
        let token = answer.and_then(|answer| answer.token.or(answer.access_token));
        let token = token.ok_or_else(|| Error::internal(format!("{} gives no token that can be read", of.host())))?;
        Ok(format!("Bearer {token}"))
    }
}

/// The header of a body of this type.
pub fn of_type(kind: &str) -> (&str, &str) {
    (CONTENT_TYPE.as_str(), kind)
}

/// Reads an answer of a bounded size.
pub fn read(of: &Reference, body: Body, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.into_reader().take(most + 1).read_to_end(&mut bytes).map_err(|error| broken(of.host(), &error))?;
    if bytes.len() as u64 > most {
        return Err(Error::invalid(format!("{} answers more than {most} bytes for {of}", of.host())));
    }
    Ok(bytes)
}

/// A value in the text of a challenge: `realm="…",service="…"`.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, more) = after.split_once('"')?;
        if key.trim_matches([',', ' ']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = more;
    }
    None
}

/// A value of a query.
fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_taken_apart() {
        let text = "realm=\"https://auth.example.org/token\", service=\"r\",scope=\"repository:a/b:pull,push\"";
        let found = ["realm", "Service", "scope", "error"].map(|name| parameter(text, name));
        assert_eq!(found, [Some("https://auth.example.org/token"), Some("r"), Some("repository:a/b:pull,push"), None]);
        assert_eq!((parameter("realm=x", "realm"), parameter("realm=\"x", "realm")), (None, None));
        assert_eq!(encode("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
    }
}
