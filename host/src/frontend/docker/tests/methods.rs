//! Answers of every method, and requests that can't be read.

use serde_json::json;

use super::golden::answering;
use super::*;
use operation::engine::{Interface, InterfaceName, Joined, StaticRoute, TakenPool};

#[tokio::test]
async fn what_is_known_is_not_asked_for() {
    let engine = obliging();
    let router = router(plugin(), engine.clone());
    let capabilities = json!({"Scope": "local", "ConnectivityScope": "local", "GwAllocChecker": true});
    assert_eq!(ask(&router, "NetworkDriver.GetCapabilities", "").await, (200, capabilities));
    let ipam = json!({"RequiresMACAddress": false, "RequiresRequestReplay": false});
    assert_eq!(ask(&router, "IpamDriver.GetCapabilities", "").await, (200, ipam));
    for method in ["NetworkDriver.DiscoverNew", "NetworkDriver.DiscoverDelete"] {
        assert_eq!(ask(&router, method, r#"{"DiscoveryType":1}"#).await, (200, json!({})));
    }
    assert_eq!(ask(&router, "NetworkDriver.Fly", "{}").await.0, 404);
    assert_eq!(ask(&router, "VolumeDriver.Create", "").await.0, 404);
    assert_eq!(engine.asked(), []);
}

#[tokio::test]
async fn only_post_calls_a_method() {
    let request = HttpRequest::get("/Plugin.Activate").body(Body::empty()).unwrap();
    let response = router(plugin(), obliging()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_unasked() {
    let engine = obliging();
    let router = router(plugin(), engine.clone());
    let key = |rest: &str| format!(r#"{{"NetworkID":"n","EndpointID":"e",{rest}}}"#);
    let table = [
        ("NetworkDriver.DeleteNetwork", "{}".into(), "NetworkID"),
        ("NetworkDriver.DeleteNetwork", r#"{"NetworkID":"a/b"}"#.into(), "NetworkID"),
        ("NetworkDriver.DeleteNetwork", r#"{"NetworkID":7}"#.into(), "expected a string"),
        ("NetworkDriver.DeleteNetwork", r#"{"NetworkID":"n"} x"#.into(), "trailing"),
        ("NetworkDriver.Leave", r#"{"NetworkID":"n"}"#.into(), "EndpointID"),
        ("NetworkDriver.Leave", "[]".into(), "can't be read"),
        ("NetworkDriver.Leave", format!(r#"{{"x":{}"#, "[".repeat(100_000)), "recursion limit"),
        ("NetworkDriver.CreateEndpoint", key(r#""Interface":{"Address":"10.5.0.2"}"#), "Address"),
        ("NetworkDriver.CreateEndpoint", key(r#""Interface":{"MacAddress":"02:42"}"#), "MacAddress"),
        ("NetworkDriver.CreateEndpoint", key(r#""Interface":{"AddressIPv6":"10.5.0.2/24"}"#), "AddressIPv6"),
        ("NetworkDriver.CreateEndpoint", key(r#""Options":[]"#), "can't be read"),
        ("NetworkDriver.CreateNetwork", key(r#""IPv4Data":[{"Pool":"10.5.0.0/33"}]"#), "Pool"),
        ("NetworkDriver.CreateNetwork", key(r#""IPv4Data":[{"AuxAddresses":{"a":"b"}}]"#), "AuxAddresses"),
        ("NetworkDriver.CreateNetwork", key(r#""Options":{"com.docker.network.internal":"yes"}"#), "network.internal"),
        ("NetworkDriver.Join", key(r#""SandboxKey":"netns/a""#), "SandboxKey"),
        ("NetworkDriver.Join", key(r#""SandboxKey":"/run/../etc""#), "SandboxKey"),
        ("NetworkDriver.Join", key(r#""SandboxKey":"/run/\u0000""#), "SandboxKey"),
        ("NetworkDriver.Join", key(r#""SandboxKey":"""#), "SandboxKey"),
        ("IpamDriver.RequestPool", r#"{"SubPool":"10.5.0.0/25"}"#.into(), "SubPool"),
        ("IpamDriver.RequestPool", r#"{"Pool":"10.5.0.0/24","V6":true}"#.into(), "family"),
        ("IpamDriver.RequestAddress", r#"{"PoolID":"p","Address":"10.5.0.0/24"}"#.into(), "Address"),
        ("IpamDriver.ReleaseAddress", r#"{"PoolID":"p"}"#.into(), "Address"),
    ];
    for (method, body, part) in table {
        let (status, answer) = ask(&router, method, body.clone()).await;
        assert_eq!(status, 400, "{method} {}", &body[..body.len().min(80)]);
        assert!(answer["Err"].as_str().unwrap().contains(part), "{method}: {answer}");
        assert_eq!(answer["Err"], answer["Error"]);
    }
    let (status, _) = ask(&router, "NetworkDriver.Leave", vec![b' '; MAX_JSON + 1]).await;
    assert_eq!(status, 413);
    assert_eq!(engine.asked(), []);
}

#[tokio::test]
async fn an_endpoints_answer_has_only_what_came_empty() {
    let chosen = Interface {
        mac: Some("02:42:0a:05:00:02".parse().unwrap()),
        address: Some("10.5.0.9/24".parse().unwrap()),
        address_ipv6: Some("fd00::9/64".parse().unwrap()),
    };
    let router = router(plugin(), Recorder::new(move |_| Ok(Reply::Chosen(chosen.clone()))));
    let given = |interface: Value| json!({"NetworkID": "n", "EndpointID": "e", "Interface": interface}).to_string();
    let (_, answer) = ask(&router, "NetworkDriver.CreateEndpoint", given(json!(null))).await;
    let all = json!({"MacAddress": "02:42:0a:05:00:02", "Address": "10.5.0.9/24", "AddressIPv6": "fd00::9/64"});
    assert_eq!(answer, json!({"Interface": all}));
    let body = given(json!({"Address": "10.5.0.9/24", "AddressIPv6": "", "MacAddress": "02:42:0a:05:00:02"}));
    let (_, answer) = ask(&router, "NetworkDriver.CreateEndpoint", body).await;
    assert_eq!(answer, json!({"Interface": {"AddressIPv6": "fd00::9/64"}}));
    let body = given(json!({"Address": "10.5.0.9/24", "AddressIPv6": "fd00::9/64", "MacAddress": "02:42:0a:05:00:02"}));
    assert_eq!(ask(&router, "NetworkDriver.CreateEndpoint", body).await, (200, json!({})));
}

#[tokio::test]
async fn a_joins_answer_says_all_that_there_is() {
    let body = json!({"NetworkID": "n", "EndpointID": "e", "SandboxKey": "/var/run/docker/netns/1"}).to_string();
    let (_, answer) = ask(&router(plugin(), obliging()), "NetworkDriver.Join", body.clone()).await;
    assert_eq!(answer, json!({}), "no interface is moved");
    let connected = StaticRoute { destination: "169.254.1.1/32".parse().unwrap(), next_hop: None };
    let hop = StaticRoute { destination: "10.6.0.0/24".parse().unwrap(), next_hop: Some("10.5.0.1".parse().unwrap()) };
    let names = InterfaceName { source: "v1".to_owned().try_into().unwrap(), prefix: "eth".into(), name: None };
    let joined = Joined {
        interface: Some(names),
        gateway: Some("10.5.0.1".parse().unwrap()),
        gateway_ipv6: Some("fd00::1".parse().unwrap()),
        routes: vec![connected, hop],
        disable_gateway_service: true,
    };
    let router = router(plugin(), Recorder::new(move |_| Ok(Reply::Joined(joined.clone()))));
    let expected = json!({
        "InterfaceName": {"SrcName": "v1", "DstPrefix": "eth"},
        "Gateway": "10.5.0.1",
        "GatewayIPv6": "fd00::1",
        "StaticRoutes": [
            {"Destination": "169.254.1.1/32", "RouteType": 1},
            {"Destination": "10.6.0.0/24", "RouteType": 0, "NextHop": "10.5.0.1"},
        ],
        "DisableGatewayService": true,
    });
    assert_eq!(ask(&router, "NetworkDriver.Join", body).await, (200, expected));
}

#[tokio::test]
async fn the_other_answers() {
    let router_of = |reply: Reply| router(plugin(), Recorder::new(move |_| Ok(reply.clone())));
    let info = [("a".to_owned(), r#"{"B":1}"#.to_owned()), ("c".to_owned(), "no json".to_owned())];
    let key = r#"{"NetworkID":"n","EndpointID":"e"}"#;
    let (_, answer) = ask(&router_of(Reply::Info(info.into())), "NetworkDriver.EndpointOperInfo", key).await;
    assert_eq!(answer, json!({"Value": {"a": {"B": 1}, "c": "no json"}}));
    let skipped = router(plugin(), answering());
    assert_eq!(ask(&skipped, "NetworkDriver.GwAllocCheck", "{}").await.1, json!({"SkipIPv4": false, "SkipIPv6": true}));
    let allocated = router_of(Reply::Allocated([("k".to_owned(), "v".to_owned())].into()));
    assert_eq!(ask(&allocated, "NetworkDriver.AllocateNetwork", key).await.1, json!({"Options": {"k": "v"}}));
    let data = [("com.docker.network.gateway".to_owned(), "10.9.0.1/24".to_owned())].into();
    let taken = TakenPool { id: "i".parse().unwrap(), pool: "10.9.0.0/24".parse().unwrap(), data };
    let (_, answer) = ask(&router_of(Reply::Pool(taken)), "IpamDriver.RequestPool", "{}").await;
    assert_eq!(
        answer,
        json!({"PoolID": "i", "Pool": "10.9.0.0/24", "Data": {"com.docker.network.gateway": "10.9.0.1/24"}})
    );
    let address = router_of(Reply::Address("10.9.0.2/24".parse().unwrap()));
    let (_, answer) = ask(&address, "IpamDriver.RequestAddress", r#"{"PoolID":"i"}"#).await;
    assert_eq!(answer, json!({"Address": "10.9.0.2/24", "Data": {}}));
}

#[tokio::test]
async fn a_reply_to_something_else_is_an_error() {
    let router = router(plugin(), Recorder::new(|_| Ok(Reply::Address("10.9.0.2/24".parse().unwrap()))));
    let key = r#"{"NetworkID":"n","EndpointID":"e"}"#;
    for method in ["NetworkDriver.CreateEndpoint", "NetworkDriver.Leave", "IpamDriver.RequestPool"] {
        assert_eq!(ask(&router, method, key).await.0, 500, "{method}");
    }
}

#[tokio::test]
async fn external_connectivity_may_be_missing_but_ports_are_never_ignored() {
    let missing = |_: &Request| Err(Error::new(Kind::NotImplemented, "the driver has no external connectivity"));
    let router = router(plugin(), Recorder::new(missing));
    let key = r#"{"NetworkID":"n","EndpointID":"e"}"#;
    let ports =
        r#"{"NetworkID":"n","EndpointID":"e","Options":{"com.docker.network.portmap":[{"Proto":6,"Port":80}]}}"#;
    for (method, body, status) in [
        ("NetworkDriver.ProgramExternalConnectivity", key, 404),
        ("NetworkDriver.ProgramExternalConnectivity", ports, 500),
        ("NetworkDriver.RevokeExternalConnectivity", key, 404),
        ("NetworkDriver.Join", r#"{"NetworkID":"n","EndpointID":"e","SandboxKey":"/a"}"#, 500),
    ] {
        let (found, answer) = ask(&router, method, body).await;
        assert_eq!(found, status, "{method} {body}");
        assert_eq!(answer["Err"], "the driver has no external connectivity");
    }
}
