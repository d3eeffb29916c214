//! Requests to the admin API that its command line would not send: over its limits, or not what its description says.

use words::Error;

use super::{at_rest, seen, with_a_network};
use crate::http::{raw, send};

#[test]
fn requests_that_are_refused() {
    let daemon = with_a_network();
    let before = at_rest(&daemon);
    let many: Vec<String> = (0..90_000).map(|n| format!("\"key{n}\":\"value\"")).collect();
    let long = format!("{{\"name\":\"m\",\"driver\":\"bridge\",\"options\":{{{}}}}}", many.join(","));
    let large = format!("{{\"name\":\"{}\"}}", "m".repeat(4 << 20));
    let deep = format!("{{\"name\":\"m\",\"driver\":{}", "[".repeat(200_000));
    let cases: &[(u16, &str, &str, &[u8], &str)] = &[
        (404, "GET", "/nothing", b"", "no route"),
        (405, "PATCH", "/networks", b"", "no method PATCH"),
        (400, "POST", "/networks", b"", "body can't be read"),
        (400, "POST", "/networks", b"{", "body can't be read"),
        (400, "POST", "/networks", b"[]", "body can't be read"),
        (400, "POST", "/networks", b"{\"name\":\"m\"}", "driver"),
        (400, "POST", "/networks", b"{\"name\":\"a/b\",\"driver\":\"bridge\"}", "a/b"),
        (400, "POST", "/networks", b"{\"name\":\"m\",\"driver\":\"bridge\",\"colour\":1}", "colour"),
        (400, "POST", "/networks", b"{\"name\":\"m\",\"driver\":\"bridge\",\"pools\":[{\"subnet\":\"x\"}]}", "body"),
        (400, "POST", "/networks", b"\xff\xfe", "body can't be read"),
        (413, "POST", "/networks", large.as_bytes(), "larger than"),
        (400, "POST", "/networks", long.as_bytes(), "what the driver would be called with has more than"),
        (400, "POST", "/networks", deep.as_bytes(), "body can't be read"),
        (400, "POST", "/networks/n/endpoints", b"{\"namespace\":\"\"}", "namespace"),
        (400, "POST", "/networks/n/endpoints", b"{\"namespace\":\"/a\\u0000b\"}", "namespace"),
        (400, "POST", "/networks/n/endpoints", b"{\"namespace\":\"x\",\"mac_address\":\"no\"}", "body"),
        (400, "POST", "/drivers", b"x", "name="),
        (400, "POST", "/drivers?name=a&colour=1", b"x", "colour"),
        (400, "POST", "/drivers?name=a", b"", "body is empty"),
        (400, "POST", "/drivers/a/upgrade?name=b", b"x", "the path names the driver"),
        (404, "POST", "/drivers/a/upgrade", b"x", "no driver a"),
        (400, "POST", "/drivers/a/rollback?state=keep", b"", "state"),
        (404, "POST", "/drivers/a/rollback", b"", "no driver a"),
        (404, "GET", "/drivers/a/history", b"", "no driver a"),
        (400, "GET", "/drivers/a%2Fb", b"", "a/b"),
        (400, "GET", "/drivers/%ff", b"", "path can't be read"),
        (404, "GET", "/networks/..%2F..%2Fetc", b"", "no network"),
        (400, "GET", "/networks/n?verbose=perhaps", b"", "query can't be read"),
    ];
    for (status, method, path, body, says) in cases {
        let (answered, text) = send(&daemon, method, path, body);
        assert_eq!(answered, *status, "{method} {path}: {text}");
        let error: Error = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{method} {path}: {text}: {e}"));
        assert!(
            error.message.contains(says) && !error.message.contains('\n'),
            "{method} {path}: {says:?} is missing in {error}"
        );
    }
    assert_eq!(seen(&daemon), before);
}

#[test]
fn a_component_over_the_limit_is_refused_before_it_is_sent() {
    let daemon = with_a_network();
    let before = at_rest(&daemon);
    let head = format!(
        "POST /drivers?name=big HTTP/1.1\r\nhost: p\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        (64 << 20) + 1
    );
    let (status, text) = raw(&daemon, head.as_bytes());
    assert_eq!(status, 413, "{text}");
    let file = daemon.file("big.wasm");
    std::fs::File::create(&file).unwrap().set_len((64 << 20) + 1).unwrap();
    super::refused(&daemon, 7, &format!("driver load {}", file.display()), &["larger than", "67108864"]);
    assert_eq!(seen(&daemon), before);
}

#[test]
fn what_is_no_http() {
    let daemon = with_a_network();
    let long = format!("GET /{} HTTP/1.1\r\nhost: p\r\n\r\n", "x".repeat(100_000));
    for request in [b"hello\r\n\r\n".as_slice(), long.as_bytes(), b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
        let (status, _) = raw(&daemon, request);
        assert!((400..=505).contains(&status), "{status}");
    }
    daemon.ok("network inspect n");
}
