//! The plugin socket from outside: documents of real dockerds, what is refused, and the socket itself.
//!
//! - `golden`: what dockerds sent, decoded
//! - `methods`: answers, and requests that can't be read
//! - `waiting`: deadlines, clients that go, turns
//! - `socket`: bytes on a real socket
//!
//! The tests with real dockerds are in tests/docker, and record the golden documents.

mod golden;
mod methods;

mod socket;
mod waiting;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request as HttpRequest;
use serde_json::Value;
use tower::ServiceExt;

use super::*;

/// What an engine of the tests answers.
type Reaction = dyn Fn(&Request) -> Result<Reply> + Send + Sync;

/// An engine that remembers what it was asked for.
#[derive(Clone)]
struct Recorder {
    asked: Arc<Mutex<Vec<Request>>>,
    delay: Duration,
    react: Arc<Reaction>,
}

impl Recorder {
    fn new(react: impl Fn(&Request) -> Result<Reply> + Send + Sync + 'static) -> Self {
        Self { asked: Arc::default(), delay: Duration::ZERO, react: Arc::new(react) }
    }

    fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Engine for Recorder {
    async fn call(&self, _: &Name, request: Request) -> Result<Reply> {
        tokio::time::sleep(self.delay).await;
        let reply = (self.react)(&request);
        self.asked.lock().unwrap().push(request);
        reply
    }
}

fn plugin() -> Plugin {
    let capabilities =
        Capabilities { connectivity_scope: Scope::Local, checks_gateways: true, has_networks: true, ipam: None };
    let capabilities = Arc::new(Mutex::new(capabilities));
    Plugin { name: "p".parse().unwrap(), capabilities, activated: Arc::default() }
}

/// An engine that does everything and has nothing to tell.
fn obliging() -> Recorder {
    Recorder::new(|request| {
        Ok(match request {
            Request::CreateEndpoint(_) => Reply::Chosen(Default::default()),
            Request::EndpointInfo(_) => Reply::Info([].into()),
            Request::Join(_) => Reply::Joined(Default::default()),
            _ => Reply::Done,
        })
    })
}

/// Asks for a method, and gives back the status and the body.
async fn ask(router: &Router, method: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = HttpRequest::post(format!("/{method}")).body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/vnd.docker.plugins.v1.2+json");
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}
