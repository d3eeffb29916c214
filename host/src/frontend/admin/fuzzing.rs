//! For the fuzzer.

use std::sync::LazyLock;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::Runtime;

use super::*;
use crate::frontend::fuzzing::first_line;
use crate::place::{Host, Place};

/// A daemon without drivers on a kernel in memory.
struct Stage {
    runtime: Runtime,
    api: TowerToHyperService<Router>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| stage().expect("a stage"));

fn stage() -> anyhow::Result<Stage> {
    let folder = std::env::temp_dir().join(format!("pontoon-fuzz-{}", std::process::id()));
    let host = Host::Fake(kernel::Fake::new());
    let place = Place { compiler: "/nonexistent".into(), ..Place::new(folder.join("state"), folder.join("run"), host) };
    let runtime = Runtime::new()?;
    let controller = Controller::start(&place)?;
    let nowhere = || "/nonexistent".into();
    let config =
        Config { docker: nowhere(), drivers: nowhere(), ..Config::meaning(crate::config::Written::default())? };
    let plugins = Plugins::new(controller.clone(), nowhere(), nowhere(), Arc::default());
    let api = TowerToHyperService::new(router(controller, plugins, config));
    Ok(Stage { runtime, api })
}

/// A request to the admin socket: method and path in the first line, then its body.
pub fn admin(bytes: &[u8]) {
    let Some((head, body)) = first_line(bytes) else { return };
    let Some((method, uri)) = head.split_once(' ') else { return };
    let request = Request::builder().method(method).uri(uri).body(Body::from(body.to_vec()));
    // The doctor looks at the machine.
    let Some(request) = request.ok().filter(|r| !r.uri().path().starts_with("/doctor")) else { return };
    let Stage { runtime, api } = &*STAGE;
    let Ok(response) = runtime.block_on(api.call(request));
    assert_ne!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{head}");
    let answer = runtime.block_on(to_bytes(response.into_body(), usize::MAX));
    assert!(answer.is_ok_and(|bytes| bytes.len() < 1 << 20), "{head}");
}
