//! What it takes to reach etcd, read before the daemon gives up its right to read it: addresses of names, certificates, the password.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::config::cluster::{Cluster, parts};
use words::{Error, Kind, Result};

/// Bytes of a file with certificates, or a key.
const PEM: usize = 1 << 20;

/// Bytes of a password.
const PASSWORD: usize = 4 << 10;

/// Addresses of one name.
const ADDRESSES: usize = 8;

/// The way to etcd.
#[derive(Clone)]
pub struct Access {
    /// What is written.
    pub settings: Cluster,
    /// The endpoints whose addresses are known.
    pub(super) endpoints: Vec<String>,
    pub(super) names: Names,
    pub(super) tls: Option<TlsConfig>,
    /// User and password.
    pub(super) user: Option<(String, String)>,
}

/// The addresses of the endpoints, by `HOST:PORT`. Nobody else's are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(String, Vec<SocketAddr>)>);

impl Access {
    /// Resolves names and reads files.
    pub fn read(settings: &Cluster) -> Result<Self> {
        let (mut endpoints, mut names, mut failed) = (Vec::new(), Names::default(), Vec::new());
        for endpoint in &settings.endpoints {
            match resolve(endpoint) {
                Ok(addresses) => {
                    let authority = endpoint.split("//").nth(1).unwrap_or_default().to_owned();
                    names.0.push((authority, addresses));
                    endpoints.push(endpoint.clone());
                }
                Err(why) => {
                    tracing::warn!("the endpoint {endpoint} of etcd is left out until the next start: {why}");
                    failed.push(why);
                }
            }
        }
        if endpoints.is_empty() {
            let why = format!("cluster: no endpoint of etcd has an address: {}", failed.join("; "));
            return Err(Error::new(Kind::Unavailable, why));
        }
        Ok(Self {
            endpoints,
            names,
            tls: settings.ca.as_deref().map(|ca| tls(settings, ca)).transpose()?,
            user: password(settings)?,
            settings: settings.clone(),
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        let asked = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let found = self.0.iter().find(|(name, _)| name == asked);
        let mut addresses = self.empty();
        found.into_iter().flat_map(|(_, found)| found).for_each(|address| addresses.push(*address));
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

fn resolve(endpoint: &str) -> std::result::Result<Vec<SocketAddr>, String> {
    let Some((host, port)) = parts(endpoint) else { return Err(format!("{endpoint:?} is no endpoint")) };
    let found = (host, port).to_socket_addrs().map_err(|e| format!("{host}: {e}"))?;
    let found: Vec<_> = found.take(ADDRESSES).collect();
    if found.is_empty() { Err(format!("{host} has no address")) } else { Ok(found) }
}

fn password(settings: &Cluster) -> Result<Option<(String, String)>> {
    let Some((user, file)) = settings.user.clone().zip(settings.password_file.as_deref()) else { return Ok(None) };
    let text = String::from_utf8(read(file, PASSWORD)?);
    let text = text.map_err(|_| Error::invalid(format!("{} is not text in UTF-8", file.display())))?;
    Ok(Some((user, text.trim_end_matches(['\r', '\n']).to_owned())))
}

fn tls(settings: &Cluster, ca: &Path) -> Result<TlsConfig> {
    // Who asks first chooses the cryptography of the whole process: there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (roots, _) = pem(ca)?;
    if roots.is_empty() {
        return Err(Error::invalid(format!("cluster: {} has no certificate", ca.display())));
    }
    let client = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => {
            let ((chain, _), (_, found)) = (pem(certificate)?, pem(key)?);
            let found = found.ok_or_else(|| Error::invalid(format!("cluster: {} has no key", key.display())))?;
            Some(ClientCert::new_with_certs(&chain, found))
        }
        _ => None,
    };
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).client_cert(client).build())
}

/// Certificates and the key of a file.
fn pem(file: &Path) -> Result<(Vec<Certificate<'static>>, Option<PrivateKey<'static>>)> {
    let (mut certificates, mut key) = (Vec::new(), None);
    for item in parse_pem(&read(file, PEM)?) {
        match item.map_err(|e| Error::invalid(format!("cluster: {}: {e}", file.display())))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            PemItem::PrivateKey(found) => key = Some(found),
            _ => {}
        }
    }
    Ok((certificates, key))
}

fn read(file: &Path, most: usize) -> Result<Vec<u8>> {
    words::file::read_within(file, most).map_err(|e| words::file::io(file, &e).context("cluster"))
}
