//! Docker's plugin protocol: dockerd's remote network drivers and remote address management, on one unix socket for each driver.
//!
//! A request is decoded into one [`Request`], handed to the [`Engine`], and its [`Reply`] encoded; a few are answered from memory.
//! dockerd holds locks of its own while it waits, and never asks whether a thing is there, so that here
//! - no answer takes longer than a [`limits::DEADLINE`];
//! - a request whose answer found nobody is taken back;
//! - a request without a body, which is how dockerd retries, is refused and changes nothing.
//!
//! In reading order:
//!
//! - [`Plugins`]: the plugin sockets of all drivers
//! - [`router`], [`serve`]: a plugin socket
//! - `network_driver`, `ipam_driver`: the methods of the two protocols, decoded and encoded
//! - `options`, `wire`: Docker's option maps, and JSON as Go reads it
//! - `calls`: one request on its way to the engine
//! - `answer`: what goes back
//! - `known`: what dockerd still knows of
//! - [`limits`]: what a client may take of the daemon

mod answer;
mod calls;
#[cfg(fuzzing)]
pub mod fuzzing;
mod ipam_driver;
mod known;
pub mod limits;
mod network_driver;
mod options;
mod plugins;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use self::answer::Answer;
use self::calls::Calls;
pub use self::plugins::Plugins;
use crate::controller::Controller;
use crate::frontend::http::limits::MAX_JSON;
use crate::frontend::http::socket::Listening;
use crate::frontend::http::{After, Unread, read, serve_within};
use operation::driver::{AddressManagement, Scope};
use operation::engine::{Reply, Request};
use operation::origin::Origin;
use words::{Error, Kind, Name, Result};

/// Who does what dockerd asks for.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Does it. It is let run to its end, also when nobody waits for it any more.
    fn call(&self, driver: &Name, request: Request) -> impl Future<Output = Result<Reply>> + Send;
}

/// What a plugin socket says of its driver. dockerd asks once in its life, so a driver's next version must not change it.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// How far its networks connect.
    pub connectivity_scope: Scope,
    /// It says itself whether a network needs gateway addresses.
    pub checks_gateways: bool,
    /// It has networks, and not only manages addresses.
    pub has_networks: bool,
    /// How it manages addresses; none: Pontoon itself does.
    pub ipam: Option<AddressManagement>,
}

/// A controller, as a dockerd sees it.
#[derive(Clone)]
struct ForDocker {
    controller: Controller,
    origin: Origin,
}

impl Engine for ForDocker {
    async fn call(&self, driver: &Name, request: Request) -> Result<Reply> {
        self.controller.request(&self.origin, driver, request).await
    }
}

/// A plugin socket's driver.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The driver's name: the socket's, without `.sock`.
    pub name: Name,
    /// What is said of it. A socket that the service manager holds is there before its driver.
    pub capabilities: Arc<Mutex<Capabilities>>,
    /// Told when dockerd speaks to the plugin for the first time in its life.
    pub activated: Arc<Notify>,
}

/// dockerd's first word, once in its life.
const ACTIVATE: &str = "/Plugin.Activate";

/// A plugin socket as a service: it needs no socket.
pub fn router<E: Engine>(plugin: Plugin, engine: E) -> Router {
    router_within(plugin, engine, limits::DEADLINE)
}

/// [`router`] with a deadline of one's own.
pub fn router_within<E: Engine>(plugin: Plugin, engine: E, deadline: Duration) -> Router {
    let calls = Calls::new(plugin.name.clone(), engine, deadline);
    Router::new().fallback(handle::<E>).with_state((plugin, calls))
}

/// Serves a plugin socket until `shutdown` is ready; then lets requests in flight finish. Answers the socket, if it is to be kept.
pub async fn serve(
    listening: impl Into<Listening>,
    router: Router,
    shutdown: impl Future<Output = After>,
) -> Option<Listening> {
    serve_within(listening, router, shutdown, limits::CONNECTIONS).await
}

/// One request, from its body to its answer.
async fn handle<E: Engine>(State((plugin, calls)): State<(Plugin, Calls<E>)>, request: HttpRequest) -> Answer {
    let path = request.uri().path().to_owned();
    if request.method() != Method::POST {
        return Answer::failed(
            StatusCode::METHOD_NOT_ALLOWED,
            &Error::invalid("a plugin's methods are called by POST"),
        );
    }
    let body = match read(request, MAX_JSON, limits::CONNECTIONS.body).await {
        Ok(body) => body,
        Err(Unread(status, error)) => return Answer::failed(status, &error),
    };
    if path == ACTIVATE {
        plugin.activated.notify_one();
    }
    if let Some(known) = from_memory(&plugin, &path) {
        return Answer::ok(known);
    }
    let turn = match calls.turn(&body).await {
        Ok(turn) => turn,
        Err(error) => return Answer::failed(StatusCode::SERVICE_UNAVAILABLE, &error),
    };
    match decode(&path, &body) {
        None => Answer::failed(StatusCode::NOT_FOUND, &Error::not_found(format!("there is no method {path:?}"))),
        Some(Err(error)) => Answer::failed(StatusCode::BAD_REQUEST, &error),
        Some(Ok(request)) => {
            drop(body);
            answer(&request, calls.call(turn, request.clone()).await)
        }
    }
}

/// What dockerd asks while it holds a lock of its whole process, and what there is nothing to do for.
fn from_memory(plugin: &Plugin, path: &str) -> Option<Value> {
    let capabilities = plugin.capabilities.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ipam = capabilities.ipam.as_ref();
    let scope = |scope| match scope {
        Scope::Local => "local",
        Scope::Global => "global",
    };
    Some(match path {
        ACTIVATE if capabilities.has_networks => json!({"Implements": ["NetworkDriver", "IpamDriver"]}),
        ACTIVATE => json!({"Implements": ["IpamDriver"]}),
        // A plugin on a socket can't serve a swarm's networks, and with `global` dockerd in a swarm refuses the local ones too.
        "/NetworkDriver.GetCapabilities" => json!({
            "Scope": "local",
            "ConnectivityScope": scope(capabilities.connectivity_scope),
            "GwAllocChecker": capabilities.checks_gateways,
        }),
        // No replay: the pools are in the store.
        "/IpamDriver.GetCapabilities" => json!({
            "RequiresMACAddress": ipam.is_some_and(|ipam| ipam.requires_mac_address),
            "RequiresRequestReplay": false,
        }),
        "/IpamDriver.GetDefaultAddressSpaces" => json!({
            "LocalDefaultAddressSpace": ipam.map_or("PontoonLocal", |ipam| &ipam.local_address_space),
            "GlobalDefaultAddressSpace": ipam.map_or("PontoonGlobal", |ipam| &ipam.global_address_space),
        }),
        // Other nodes of a swarm: its networks never come here.
        "/NetworkDriver.DiscoverNew" | "/NetworkDriver.DiscoverDelete" => json!({}),
        _ => return None,
    })
}

/// Reads a request; none: there is no such method.
fn decode(path: &str, body: &[u8]) -> Option<Result<Request>> {
    // The method is looked up first, so that an unknown one is unknown also without a body.
    let given = if body.trim_ascii().is_empty() { b"null" } else { body };
    let (kind, method) = path.strip_prefix('/')?.split_once('.')?;
    let request = match kind {
        "NetworkDriver" => network_driver::decode(method, given)?,
        "IpamDriver" => ipam_driver::decode(method, given)?,
        _ => return None,
    };
    Some(if given == body { request } else { Err(Error::invalid("empty request body")) })
}

/// Puts the answer to a request together.
fn answer(request: &Request, result: Result<Reply>) -> Answer {
    let reply = match result {
        Err(error) => return Answer::failed(status(request, &error), &error),
        Ok(reply) => reply,
    };
    let encoded = match request {
        Request::RequestPool(_) | Request::ReleasePool(_) => ipam_driver::encode(request, reply),
        Request::RequestAddress(_) | Request::ReleaseAddress { .. } => ipam_driver::encode(request, reply),
        _ => network_driver::encode(request, reply),
    };
    let mismatch = || {
        Answer::failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            &Error::internal("the reply is not this request's, which is a bug"),
        )
    };
    encoded.map_or_else(mismatch, Answer::ok)
}

/// A driver without external connectivity has nothing to program: 404 says so, and dockerd takes it as done. With ports to publish
/// it is a failure, or nobody would hear that they are not.
fn status(request: &Request, error: &Error) -> StatusCode {
    let nothing_to_do = match request {
        Request::ProgramExternalConnectivity(program) => program.options.port_bindings.is_empty(),
        Request::RevokeExternalConnectivity(_) => true,
        _ => false,
    };
    match error.kind {
        Kind::NotImplemented if nothing_to_do => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
