//! The API from outside: what it refuses and how it says so, its limits over a real socket, its description.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::*;
use crate::frontend::http::limits::{MAX_COMPONENT, MAX_HEAD, MAX_JSON};
use crate::frontend::http::socket::Listening;
use crate::frontend::http::{self, After};
use crate::place::{Host, Place};
use words::Kind;

/// A controller that the tests here hardly get to: they end before or beside it. Its folders stay until the tests have ended.
fn controller() -> Controller {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    static CONTROLLER: LazyLock<Controller> = LazyLock::new(|| {
        let (state, run) = (FOLDER.path().join("state"), FOLDER.path().join("run"));
        let host = Host::Fake(kernel::Fake::new());
        let place = Place { compiler: "/nonexistent".into(), ..Place::new(state, run, host) };
        Controller::start(&place).unwrap()
    });
    CONTROLLER.clone()
}

/// Of which none is published here.
fn plugins() -> Plugins {
    Plugins::new(controller(), "/nonexistent".into(), "/nonexistent".into(), Arc::default())
}

fn config() -> Config {
    Config::meaning(crate::config::Written::default()).unwrap()
}

async fn ask(method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Vec<u8>) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let response = router(controller(), plugins(), config()).oneshot(request).await.unwrap();
    let status = response.status();
    (status, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
}

async fn refusal(method: &str, path: &str, body: impl Into<Body>) -> (u16, Kind, String) {
    let (status, body) = ask(method, path, body).await;
    let error: Error = serde_json::from_slice(&body).expect("every refusal is an error in JSON");
    (status.as_u16(), error.kind, error.message)
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let table = [
        ("POST", "/networks", "{", 400, "EOF"),
        ("POST", "/networks", "", 400, "EOF"),
        ("POST", "/networks", r#"{"name":"a","driver":"b","subnet":1}"#, 400, "unknown field `subnet`"),
        ("POST", "/networks", r#"{"name":"a/b","driver":"b"}"#, 400, "\"a/b\" is no name"),
        ("POST", "/networks", r#"{"driver":"b"}"#, 400, "missing field `name`"),
        ("POST", "/networks", r#"{"name":"a","driver":"b","pools":[{"subnet":"10.0.0.0/33"}]}"#, 400, "line 1 column"),
        ("POST", "/networks/n/endpoints", r#"{"namespace":"a","mac_address":"x"}"#, 400, "\"x\" is no MAC address"),
        ("PUT", "/networks/n/tables/t/k", r#"{"value":"v","ttl":1}"#, 400, "unknown field `ttl`"),
        ("GET", "/networks/n?verbose=maybe", "", 400, "provided string was not `true` or `false`"),
        ("GET", "/networks/n?loud=true", "", 400, "unknown field `loud`"),
        ("GET", "/endpoints?net=a", "", 400, "unknown field `net`"),
        ("GET", "/drivers/a%2Fb", "", 400, "\"a/b\" is no name"),
        ("GET", "/networks/%ff", "", 400, "the path can't be read"),
        ("POST", "/drivers?name=a", "", 400, "the body is empty"),
        ("POST", "/drivers", "x", 400, "must have name="),
        ("GET", "/nothing", "", 404, "no route \"/nothing\""),
        ("GET", "/networks/", "", 404, "no route"),
        ("PATCH", "/networks", "", 405, "\"/networks\" has no method PATCH"),
    ];
    for (method, path, body, status, part) in table {
        let (found, kind, message) = refusal(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {message}");
        assert!(message.contains(part), "{method} {path}: {message}");
        assert_eq!(kind, if status == 404 { Kind::NotFound } else { Kind::InvalidArgument }, "{method} {path}");
    }
}

#[tokio::test]
async fn deep_json_is_refused() {
    let body = "[".repeat(100_000);
    assert_eq!(refusal("POST", "/networks", body).await.0, 400);
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let (status, kind, message) = refusal("POST", "/networks", vec![b' '; MAX_JSON + 1]).await;
    assert_eq!((status, kind), (413, Kind::InvalidArgument));
    assert!(message.contains(&MAX_JSON.to_string()), "{message}");
    assert_eq!(refusal("POST", "/networks", vec![b' '; MAX_JSON]).await.0, 400, "as large as it may be");
    assert_eq!(refusal("POST", "/drivers?name=a", vec![0; MAX_COMPONENT + 1]).await.0, 413);
}

#[tokio::test]
async fn a_length_that_is_too_large_is_refused_unread() {
    let body = Body::new(Never);
    let request = Request::post("/drivers?name=a").header("content-length", MAX_COMPONENT + 1).body(body).unwrap();
    assert_eq!(
        router(controller(), plugins(), config()).oneshot(request).await.unwrap().status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn a_body_must_arrive_in_time() {
    let limits = Limits { body: Duration::from_millis(20), ..Limits::default() };
    let body = Body::new(Never);
    let request = Request::post("/networks").body(body).unwrap();
    let response = router_within(controller(), plugins(), config(), limits).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

/// A body whose bytes never come.
struct Never;

impl hyper::body::Body for Never {
    type Data = hyper::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<std::result::Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn uploads_take_turns() {
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let router = router_within(controller(), plugins(), config(), limits);
    let upload = || {
        let body = Body::new(Never);
        router.clone().oneshot(Request::post("/drivers?name=a").body(body).unwrap())
    };
    let started = std::time::Instant::now();
    let mut all: Vec<_> = (0..MAX_UPLOADS).map(|_| tokio::spawn(upload())).collect();
    tokio::time::sleep(limits.body / 4).await;
    all.push(tokio::spawn(upload()));
    for answer in all {
        assert_eq!(answer.await.unwrap().unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    }
    assert!(started.elapsed() >= 2 * limits.body, "the last one began when one before it had ended");
}

/// A server on a socket in a folder of its own.
struct Served {
    path: PathBuf,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<Option<Listening>>,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(router: Router, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let (stop, stopping) = oneshot::channel::<()>();
        let shutdown = async { stopping.await.map_or(After::Close, |()| After::Close) };
        let server = tokio::spawn(http::serve_within(listener, router, shutdown, limits));
        Self { path, stop, server, _folder: folder }
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.unwrap()
    }

    async fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read(&mut stream).await
    }
}

/// What comes until the other side closes.
async fn read(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    let all = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut text));
    all.await.expect("the server closes").unwrap();
    text
}

const VERSION: &[u8] = b"GET /version HTTP/1.1\r\nhost: p\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_crosses_the_socket() {
    let served = Served::start(router(controller(), plugins(), config()), Limits::default());
    let answer = served.ask(VERSION).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"wasmtime\""), "{answer}");
}

#[tokio::test]
async fn a_head_has_a_limit() {
    let served = Served::start(router(controller(), plugins(), config()), Limits::default());
    let mut request = b"GET /version HTTP/1.1\r\nx: ".to_vec();
    request.resize(MAX_HEAD + 100, b'x');
    let answer = served.ask(&request).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let served = Served::start(
        router(controller(), plugins(), config()),
        Limits { head: Duration::from_millis(20), idle: Duration::from_millis(20), ..Limits::default() },
    );
    assert_eq!(read(&mut served.connect().await).await, "", "nothing said");
    let answer = served.ask(b"GET /version HTTP/1.1\r\nhost:").await;
    assert!(!answer.contains("200"), "half a head: {answer}");
    let kept = served.ask(b"GET /version HTTP/1.1\r\nhost: p\r\n\r\n").await;
    assert!(kept.contains("200 OK"), "then nothing more: {kept}");
}

#[tokio::test]
async fn connections_wait_for_a_free_place() {
    let served =
        Served::start(router(controller(), plugins(), config()), Limits { connections: 1, ..Limits::default() });
    let first = served.connect().await;
    let mut second = served.connect().await;
    second.write_all(VERSION).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(early.is_err(), "the only place is taken");
    drop(first);
    assert!(read(&mut second).await.contains("200 OK"));
}

#[tokio::test]
async fn an_answer_must_be_read() {
    let large = Router::new().route("/", get(async || vec![0_u8; 16 << 20]));
    let limits = Limits { connections: 1, stall: Duration::from_millis(50), ..Limits::default() };
    let served = Served::start(large, limits);
    let mut lazy = served.connect().await;
    lazy.write_all(b"GET / HTTP/1.1\r\nhost: p\r\n\r\n").await.unwrap();
    let mut other = served.connect().await;
    other.write_all(b"GET /no HTTP/1.1\r\nhost: p\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(read(&mut other).await.contains("404"), "the place became free");
}

#[tokio::test]
async fn requests_in_flight_finish() {
    let slow = Router::new().route("/", get(async || tokio::time::sleep(Duration::from_millis(100)).await));
    let served = Served::start(slow, Limits::default());
    let mut stream = served.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: p\r\n\r\n").await.unwrap();
    let _idle = served.connect().await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    served.stop.send(()).unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 200"));
    tokio::time::timeout(Duration::from_secs(5), served.server).await.expect("an idle one does not hold it").unwrap();
    assert!(UnixStream::connect(&served.path).await.is_err(), "no more are accepted");
}

#[tokio::test]
async fn requests_in_flight_are_given_up_in_the_end() {
    let stuck = Router::new().route("/", get(async || std::future::pending::<()>().await));
    let served = Served::start(stuck, Limits { grace: Duration::from_millis(50), ..Limits::default() });
    let mut stream = served.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: p\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    served.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), served.server).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_change_outlives_its_client() {
    let api = Api::new(controller(), plugins(), config(), Limits::default());
    let (done, finished) = oneshot::channel();
    let change = api.change(|_| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = done.send(());
        Ok(())
    });
    drop(tokio::time::timeout(Duration::from_millis(1), change).await);
    finished.await.expect("it went on");
    let broken = api.change::<(), _>(|_| async { panic!("boom") }).await.unwrap_err();
    assert_eq!(axum::response::IntoResponse::into_response(broken).status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn changes_without_a_client_have_a_limit() {
    let api = Api::new(controller(), plugins(), config(), Limits { changes: 1, ..Limits::default() });
    let (finish, finished) = oneshot::channel::<()>();
    let first = api.change(|_| async move {
        drop(finished.await);
        Ok(())
    });
    drop(tokio::time::timeout(Duration::from_millis(1), first).await);
    let early = tokio::time::timeout(Duration::from_millis(20), api.change(|_| async { Ok(()) })).await;
    assert!(early.is_err(), "the first still runs");
    finish.send(()).unwrap();
    api.change(|_| async { Ok(()) }).await.expect("now it has its turn");
}

#[tokio::test]
async fn the_description_has_every_route_and_type() {
    let (status, body) = ask("GET", "/openapi.json", "").await;
    assert_eq!(status, StatusCode::OK);
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let routes: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    let expected = "delete /drivers/{name}, delete /endpoints/{endpoint}, delete /networks/{network}, \
        delete /networks/{network}/endpoints/{endpoint}, delete /networks/{network}/tables/{table}/{key}, \
        delete /nodes/{node}, \
        get /doctor, get /drivers, get /drivers/{name}, get /drivers/{name}/audit, get /drivers/{name}/component, \
        get /drivers/{name}/export, get /drivers/{name}/history, get /drivers/{name}/recordings, get /endpoints, get /metrics, \
        get /networks, get /networks/{network}, \
        get /networks/{network}/endpoints, get /networks/{network}/tables, get /networks/{network}/tables/{table}, \
        get /nodes, get /nodes/{node}, get /openapi.json, get /version, post /driver-versions/gc, post /drivers, post /drivers/{name}/import, \
        post /drivers/{name}/rollback, post /drivers/{name}/upgrade, \
        post /gc, post /networks, post /networks/{network}/endpoints, \
        put /drivers/{name}/grant, put /networks/{network}/tables/{table}/{key}, put /nodes/{node}";
    assert_eq!(routes.into_iter().collect::<Vec<_>>().join(", "), expected);
    for name in [
        "Attach",
        "Attached",
        "CallCount",
        "CallTrace",
        "Collected",
        "CurrentGrant",
        "CreateNetwork",
        "CreatedNetwork",
        "Driver",
        "DriverDetails",
        "DriverVersion",
        "Ended",
        "Endpoint",
        "Entry",
        "Error",
        "Finding",
        "HostCallTrace",
        "Id",
        "Kind",
        "Name",
        "Node",
        "Network",
        "NetworkDetails",
        "Pool",
        "PoolRequest",
        "PortBinding",
        "Protocol",
        "PutEntry",
        "Recording",
        "Removed",
        "Scope",
        "Status",
        "Version",
    ] {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn every_reference_of_the_description_has_a_target() {
    let document = serde_json::to_value(document()).unwrap();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
