//! The command line against a fake daemon: what is sent, what is printed, how it ends.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::net::UnixListener;

use super::*;

type Requests = Arc<Mutex<Vec<String>>>;

/// A daemon that answers every request with the same, and keeps what it was asked.
struct Daemon {
    folder: tempfile::TempDir,
    requests: Requests,
}

impl Daemon {
    fn answering(status: u16, body: &'static str) -> Self {
        Self::start(move |_| (status, body))
    }

    fn start(answer: impl Fn(&str) -> (u16, &'static str) + Clone + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let requests = Requests::default();
        let handler = move |State(requests): State<Requests>, request: Request| async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let (status, text) = answer(&line);
            requests.lock().unwrap().push(format!("{line} {}", String::from_utf8_lossy(&body)).trim_end().to_owned());
            (StatusCode::from_u16(status).unwrap(), text)
        };
        let router = Router::new().fallback(handler).with_state(requests.clone());
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        tokio::spawn(crate::frontend::http::serve(listener, router, std::future::pending()));
        Self { folder, requests }
    }

    /// Runs `pontoon LINE`, words apart by spaces; answers exit code, output and errors.
    async fn pontoon(&self, line: &str) -> (u8, String, String) {
        let socket = self.folder.path().join("socket");
        let words = std::iter::once("pontoon").chain(line.split(' ')).map(OsString::from);
        let arguments = parse(words).expect("a line that can be understood");
        let Command::Ask(ask) = arguments.command else { panic!("not a question: {line}") };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(ask, Some(socket), arguments.output, &mut out, &mut err).await;
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

const REMOVED: &str = r#"{"swept":[],"calls":[]}"#;

#[tokio::test]
async fn every_command_sends_its_request() {
    let daemon = Daemon::answering(500, r#"{"kind":"internal","message":"no"}"#);
    let table = [
        ("driver ls", "GET /drivers"),
        ("driver inspect bridge", "GET /drivers/bridge"),
        ("driver rm bridge", "DELETE /drivers/bridge"),
        ("driver rollback bridge", "POST /drivers/bridge/rollback null"),
        ("driver rollback bridge --keep-state", "POST /drivers/bridge/rollback?keep-state=true null"),
        ("driver history bridge", "GET /drivers/bridge/history"),
        ("network ls", "GET /networks"),
        ("network inspect a", "GET /networks/a"),
        ("network inspect --verbose a/b", "GET /networks/a%2Fb?verbose=true"),
        ("network rm a", "DELETE /networks/a"),
        ("endpoint ls", "GET /endpoints"),
        ("endpoint ls a", "GET /networks/a/endpoints"),
        ("endpoint detach red", "DELETE /endpoints/red"),
        ("endpoint detach a /run/netns/red", "DELETE /networks/a/endpoints/%2Frun%2Fnetns%2Fred"),
        ("table ls a", "GET /networks/a/tables"),
        ("table ls a t", "GET /networks/a/tables/t"),
        ("table put a t k v", r#"PUT /networks/a/tables/t/k {"value":"v","owner":"operator"}"#),
        ("table put a t k v --owner b", r#"PUT /networks/a/tables/t/k {"value":"v","owner":"b"}"#),
        ("table rm a t k", "DELETE /networks/a/tables/t/k"),
        ("node ls", "GET /nodes"),
        ("node inspect a", "GET /nodes/a"),
        ("node drain a", "PUT /nodes/a {\"availability\":\"drain\"}"),
        ("node activate a", "PUT /nodes/a {\"availability\":\"active\"}"),
        ("node rm a", "DELETE /nodes/a"),
        ("gc", "POST /gc null"),
        ("version", "GET /version"),
    ];
    for (line, request) in table {
        let ended = daemon.pontoon(line).await;
        assert_eq!(ended, (1, String::new(), "pontoon: no\n".to_owned()), "{line}");
        assert_eq!(daemon.asked(), [request], "{line}");
    }
}

#[tokio::test]
async fn a_network_is_asked_for_whole() {
    let daemon = Daemon::answering(500, "");
    daemon.pontoon("network create a").await;
    let plain = r#"POST /networks {"name":"a","driver":"bridge","pools":[],"ipv4":true,"ipv6":false,"internal":false,"no_pools":false,"options":{}}"#;
    assert_eq!(daemon.asked(), [plain]);
    let line = "network create a -d mine --subnet 10.5.0.0/24 --gateway 10.5.0.9 --ip-range 10.5.0.128/25 \
        --aux-address p=10.5.0.7 --ipv6 --no-ipv4 --internal -o k=v --opt l=";
    daemon.pontoon(line).await;
    let pool =
        r#"{"subnet":"10.5.0.0/24","range":"10.5.0.128/25","gateway":"10.5.0.9","aux_addresses":{"p":"10.5.0.7"}}"#;
    let rest = r#""ipv4":false,"ipv6":true,"internal":true,"no_pools":false,"options":{"k":"v","l":""}}"#;
    assert_eq!(daemon.asked(), [format!(r#"POST /networks {{"name":"a","driver":"mine","pools":[{pool}],{rest}"#)]);
    let (code, _, err) = daemon.pontoon("network create a --subnet 10.5.0.0/24 --gateway 10.6.0.1").await;
    assert_eq!((code, err.as_str()), (7, "pontoon: no --subnet contains the gateway 10.6.0.1\n"));
    assert!(daemon.asked().is_empty(), "found before anything is sent");
}

#[tokio::test]
async fn an_attach_is_asked_for_whole() {
    let daemon = Daemon::answering(500, "");
    let line = "endpoint attach a /run/netns/red --name b --ip 10.5.0.2 --ip6 fd00::2 --mac-address 02:42:0a:05:00:02 \
        --interface eth7 --gateway-priority -3 -p [::1]:8080-8081:80/udp -o k=v";
    daemon.pontoon(line).await;
    let port = r#"{"protocol":"udp","container_port":80,"host_address":"::1","host_port":8080,"host_port_end":8081}"#;
    let expected = format!(
        r#"POST /networks/a/endpoints {{"namespace":"/run/netns/red","name":"b","address":"10.5.0.2","address_ipv6":"fd00::2","mac_address":"02:42:0a:05:00:02","interface":"eth7","gateway_priority":-3,"ports":[{port}],"options":{{"k":"v"}}}}"#
    );
    assert_eq!(daemon.asked(), [expected]);
    daemon.pontoon("endpoint attach a red").await;
    assert!(daemon.asked()[0].contains(r#""namespace":"red","name":null"#), "a name stays a name");
    daemon.pontoon("endpoint attach a ./red").await;
    let here = std::env::current_dir().unwrap().join("red");
    assert!(daemon.asked()[0].contains(&format!(r#""namespace":"{}""#, here.display())), "a path from here does not");
}

const DRIVER: &str = r#"{"name":"bridge","network_type":"bridge","data_scope":"local","connectivity_scope":"local","digest":"ab","size":1234,"networks":1,"state":"ready","exports":["x","y"],"imports":["z"],"manifest":{"name":"blue","version":"1.2.0","licence":"MIT","asks":{"permissions":["links","host-ports"]}},"lacks":["host-ports"],"configuration":{},"unpublished":"it is dockerd's own name","calls":[{"function":"join","count":2,"failed":1,"micros":80}]}"#;

#[tokio::test]
async fn a_driver_is_sent_with_its_configuration() {
    let daemon = Daemon::answering(201, DRIVER);
    let file = daemon.folder.path().join("bridge.wasm");
    std::fs::write(&file, "bytes").unwrap();
    let line = format!("driver load {} --set a=b&c --set d=", file.display());
    let note = "pontoon: Docker does not see it: it is dockerd's own name\n";
    assert_eq!(daemon.pontoon(&line).await, (0, "bridge\n".to_owned(), note.to_owned()));
    let from = super::client::encode(file.to_str().unwrap()).to_string();
    assert_eq!(daemon.asked(), [format!("POST /drivers?name=bridge&from={from}&set=a%3Db%26c&set=d%3D bytes")]);
    assert_eq!(daemon.pontoon(&format!("driver upgrade bridge {}", file.display())).await.1, "bridge\n");
    let sent = format!("POST /drivers/bridge/upgrade?from={from} bytes");
    assert_eq!(daemon.asked(), ["GET /drivers/bridge".to_owned(), sent]);
    std::fs::write(daemon.folder.path().join("bridge.grant.toml"), "permissions = ['links']").unwrap();
    let table = "PERMISSION          ASKED FOR  GRANTED\npermissions: links  no         yes\n";
    assert_eq!(daemon.pontoon(&line).await.2, format!("{table}{note}"), "the grant beside the component");
    assert!(daemon.asked()[0].contains("&grant=%7B%22permissions%22%3A%5B%22links%22%5D%7D "));
    assert_eq!(daemon.pontoon(&format!("{line} --grant-asked")).await.2, note);
    assert!(daemon.asked()[0].contains("&grant-asked=true "));
    let (code, _, said) = daemon.pontoon(&format!("{line} --grant {}", file.display())).await;
    assert!(code == 7 && said.contains("bridge.wasm:1: "), "{said}");
    std::fs::remove_file(daemon.folder.path().join("bridge.grant.toml")).unwrap();
    assert_eq!(daemon.pontoon(&format!("{line} --name other")).await.1, "other\n");
    let unnamed = daemon.pontoon("driver load /a/.b*.wasm").await;
    assert_eq!(unnamed.0, 7);
    assert!(unnamed.2.starts_with("pontoon: /a/.b*.wasm needs a --name: \".b*\" is no name"), "{}", unnamed.2);
    let missing = daemon.pontoon("driver load /nonexistent/a.wasm").await;
    assert_eq!(missing.0, 4);
    assert!(missing.2.contains("can't read /nonexistent/a.wasm"), "{}", missing.2);
}

#[tokio::test]
async fn people_get_tables_and_programs_json() {
    let endpoint = r#"[{"id":"0123456789abcdef","name":"red","network":"a","origin":{"engine":"native"},"namespace":"/run/netns/red","interface":"eth0","mac_address":"02:42:0a:05:00:02","address":"10.5.0.2/24","address_ipv6":"fd00::2/64","gateway":"10.5.0.1","gateway_ipv6":null,"ports":[{"protocol":"tcp","container_port":80,"host_address":null,"host_port":8080,"host_port_end":0}],"info":{}}]"#;
    let daemon = Daemon::answering(200, endpoint);
    let table = "\
ID            NAME  NETWORK  NAMESPACE       INTERFACE  ADDRESSES                PORTS
0123456789ab  red   a        /run/netns/red  eth0       10.5.0.2/24, fd00::2/64  8080:80/tcp
";
    assert_eq!(daemon.pontoon("endpoint ls").await, (0, table.to_owned(), String::new()));
    assert_eq!(daemon.pontoon("endpoint ls --output json").await, (0, format!("{endpoint}\n"), String::new()));
    let other = Daemon::answering(200, "<html>");
    let (code, out, err) = other.pontoon("network ls").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("another version"), "{err}");
}

#[tokio::test]
async fn attach_prints_a_summary_and_the_trace() {
    let attached = r#"{"id":"0123456789abcdef","name":"red","network":"a","origin":{"engine":"native"},"namespace":"/run/netns/red","interface":"eth0","mac_address":null,"address":"10.5.0.2/24","address_ipv6":null,"gateway":"10.5.0.1","gateway_ipv6":null,"ports":[],"info":{},"calls":[{"function":"join","micros":9,"commit_micros":3,"host_calls":[{"function":"log.write","micros":1}]}]}"#;
    let daemon = Daemon::answering(201, attached);
    let summary = "\
NAME  INTERFACE  ADDRESSES    GATEWAYS  PORTS
red   eth0       10.5.0.2/24  10.5.0.1
";
    assert_eq!(daemon.pontoon("endpoint attach a red").await, (0, summary.to_owned(), String::new()));
    let trace = "
CALL  HOST CALL  MICROSECONDS  RESULT
join             9
      log.write  1             ok
      (commit)   3
";
    assert_eq!(daemon.pontoon("endpoint attach a red --trace").await.1, format!("{summary}{trace}"));
}

#[tokio::test]
async fn every_view_can_be_shown() {
    let details = r#"{"id":"n1","name":"a","driver":"bridge","pools":[{"subnet":"10.5.0.0/24","gateway":"10.5.0.1"}],"ipv4":true,"ipv6":false,"internal":false,"options":{"k":"v"},"origin":{"engine":"docker","api":"/run/docker.sock"},"state":"up","created":0,"endpoints":0,"attached":[],"entries":[{"table":"t","key":"k","value":"v","owner":"self","title":"T"}],"objects":["link br-1"],"calls":[]}"#;
    let daemon = Daemon::answering(200, details);
    let (code, out, _) = daemon.pontoon("network inspect a --verbose").await;
    assert_eq!(code, 0);
    for part in [
        "ORIGIN     docker (/run/docker.sock)\n",
        "POOLS      10.5.0.0/24, gateway 10.5.0.1\n",
        "1970-01-01T00:00:00Z",
        "k=v",
        "link br-1",
        "self",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(daemon.pontoon("network create a").await.1, "n1\n");
    let (code, out, _) = Daemon::answering(200, DRIVER).pontoon("driver inspect bridge").await;
    assert_eq!(code, 0);
    let parts = [
        "EXPORTS             x\n                    y\n",
        "MANIFEST            blue 1.2.0\n                    MIT\n",
        "ASKS FOR            permissions: links\n                    permissions: host-ports\n",
        "LACKS               host-ports\n",
        "join  2      1       80\n",
    ];
    for part in parts {
        assert!(out.contains(part), "{part}: {out}");
    }
    let collected = r#"{"endpoints":["a","b"],"objects":[],"events":3,"networks":[],"forgotten":["pool c"]}"#;
    let out = Daemon::answering(200, collected).pontoon("gc").await.1;
    assert_eq!(
        out,
        "ENDPOINTS            a\n                     b\nFORGOTTEN BY DOCKER  pool c\nKERNEL OBJECTS\nNETWORKS UP AGAIN\nEVENTS TOLD          3\n"
    );
}

#[tokio::test]
async fn several_are_all_tried_and_the_first_error_counts() {
    let daemon = Daemon::start(|line| match line {
        "DELETE /networks/b" => (409, r#"{"kind":"already-exists","message":"b is used"}"#),
        "DELETE /networks/d" => (404, r#"{"kind":"not-found","message":"no d"}"#),
        _ => (200, REMOVED),
    });
    let (code, out, err) = daemon.pontoon("network rm a b c d").await;
    assert_eq!((code, out.as_str(), err.as_str()), (5, "a\nc\n", "pontoon: b is used\npontoon: no d\n"));
    let (code, out, err) = daemon.pontoon("network rm a d b --output json").await;
    let error = "{\"kind\":\"not-found\",\"message\":\"no d\",\"errno\":null}\n{\"kind\":\"already-exists\",\"message\":\"b is used\",\"errno\":null}\n";
    assert_eq!((code, out, err.as_str()), (4, format!("{REMOVED}\n"), error));
}

#[tokio::test]
async fn what_the_driver_left_to_the_host_is_no_fault() {
    let daemon = Daemon::answering(200, r#"{"swept":["link \u001bx"],"calls":[]}"#);
    assert_eq!(daemon.pontoon("endpoint detach red").await, (0, "red\n".to_owned(), String::new()));
    let (_, out, err) = daemon.pontoon("endpoint detach --trace red").await;
    assert!(out.ends_with("\nremoved by the host: link \u{fffd}x\n") && err.is_empty(), "{out}{err}");
    let daemon = Daemon::answering(200, r#"{"swept":["link x"],"failed":"it trapped","calls":[]}"#);
    let (code, out, err) = daemon.pontoon("network rm red").await;
    assert_eq!((code, out.as_str()), (0, "red\n"));
    assert_eq!(err, "pontoon: red: its driver failed to remove it, and the host did: it trapped\n");
}

#[tokio::test]
async fn answers_without_a_body_are_json_too() {
    let daemon = Daemon::answering(204, "");
    assert_eq!(daemon.pontoon("driver rm a").await, (0, "a\n".to_owned(), String::new()));
    assert_eq!(daemon.pontoon("driver rm a --output json").await, (0, "{}\n".to_owned(), String::new()));
    assert_eq!(daemon.pontoon("table put a t k v").await, (0, String::new(), String::new()));
}

#[tokio::test]
async fn the_version_does_not_need_a_daemon() {
    let own = env!("CARGO_PKG_VERSION");
    let version = r#"{"version":"9.9.9","interface":"pontoon:driver@0.1.1","wasmtime":"48","schema":1}"#;
    let (code, out, _) = Daemon::answering(200, version).pontoon("version").await;
    assert!(code == 0 && out.contains(own) && out.contains("9.9.9"), "{out}");
    let daemon = Daemon::answering(200, version);
    std::fs::remove_file(daemon.folder.path().join("socket")).unwrap();
    let (code, out, err) = daemon.pontoon("version --output json").await;
    assert_eq!(
        (code, out, err),
        (0, format!("{{\"client\":{{\"version\":\"{own}\"}},\"daemon\":null}}\n"), String::new())
    );
    assert_eq!(daemon.pontoon("network ls").await.0, 3);
}

#[test]
fn what_cannot_be_understood_is_one_line() {
    let table = [
        "network",
        "network create",
        "network create a/b",
        "network create a --subnet x",
        "network create a --subnt x",
        "network create a --gateway 10.0.0.1",
        "network create a --no-pools --subnet 10.0.0.0/8",
        "network inspect ",
        "network rm",
        "endpoint attach a",
        "endpoint attach a b --publish 0",
        "endpoint attach a b --mac-address x",
        "endpoint attach a b --interface a/b",
        "endpoint detach",
        "endpoint detach a b c",
        "table put a t k",
        "driver load",
        "frobnicate",
        "network ls --output yaml",
        "network create a -o k",
    ];
    for line in table {
        let words = std::iter::once("pontoon").chain(line.split(' ')).map(OsString::from);
        let error = Arguments::command().try_get_matches_from(words.clone()).unwrap_err();
        let message = mistake(&error);
        assert!(!message.contains('\n') && message.len() > 20, "{line}: {message}");
        assert_eq!(parse(words).err(), Some(exit::USAGE), "{line}");
    }
    for line in ["--help", "network create --help", "--version"] {
        let words = std::iter::once("pontoon").chain(line.split(' ')).map(OsString::from);
        assert_eq!(parse(words).err(), Some(exit::OK), "{line}");
    }
}

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}
