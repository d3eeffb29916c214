//! A plugin `rec` that writes down what it is asked for, and does just enough that containers start.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use serde_json::{Value, json};

use pontoon_tests::Machine;

/// One request, as it came.
#[derive(Clone)]
pub struct Asked {
    /// E.g. `NetworkDriver.Join`.
    pub method: String,
    pub head: String,
    pub body: String,
}

/// What the plugin knows.
struct Plugin {
    asked: Arc<Mutex<Vec<Asked>>>,
    /// A network's gateways, and those of an endpoint: in its own subnets.
    gateways: Mutex<HashMap<String, Vec<IpNet>>>,
    /// The last host number that a pool gave away.
    taken: Mutex<HashMap<String, u32>>,
    /// The words that run a command in the machine.
    enter: Vec<String>,
}

/// Serves the plugin's socket on threads that end with the process.
pub fn serve(machine: &Machine) -> Arc<Mutex<Vec<Asked>>> {
    let enter = machine.enter();
    let words = std::iter::once(enter.get_program()).chain(enter.get_args());
    let enter = words.map(|word| word.to_str().unwrap().to_owned()).collect();
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let plugin = Plugin { asked: asked.clone(), gateways: Mutex::default(), taken: Mutex::default(), enter };
    let plugin = Arc::new(plugin);
    let listener = UnixListener::bind(machine.plugin("rec")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let plugin = plugin.clone();
            std::thread::spawn(move || plugin.converse(stream.unwrap()));
        }
    });
    asked
}

impl Plugin {
    fn converse(&self, stream: UnixStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(asked) = read(&mut reader) {
            let body = serde_json::from_str(&asked.body).unwrap_or_default();
            self.asked.lock().unwrap().push(asked.clone());
            let answer = self.answer(&asked.method, &body).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
            (&stream).write_all((head + &answer).as_bytes()).unwrap();
        }
    }

    fn answer(&self, method: &str, body: &Value) -> Value {
        match method {
            "Plugin.Activate" => json!({"Implements": ["NetworkDriver", "IpamDriver"]}),
            "NetworkDriver.GetCapabilities" => json!({"Scope": "local"}),
            "NetworkDriver.CreateNetwork" => self.create_network(body),
            "NetworkDriver.CreateEndpoint" => self.create_endpoint(body),
            "NetworkDriver.DeleteEndpoint" => self.ip(&["link", "del", &link("r", body)]),
            "NetworkDriver.Join" => self.join(body),
            "NetworkDriver.EndpointOperInfo" => json!({"Value": {}}),
            "IpamDriver.GetDefaultAddressSpaces" => {
                json!({"LocalDefaultAddressSpace": "RecLocal", "GlobalDefaultAddressSpace": "RecGlobal"})
            }
            "IpamDriver.RequestPool" => request_pool(body),
            "IpamDriver.RequestAddress" => self.request_address(body),
            _ => json!({}),
        }
    }

    fn create_network(&self, body: &Value) -> Value {
        let internal = body["Options"]["com.docker.network.internal"] == true;
        let pools =
            ["IPv4Data", "IPv6Data"].map(|family| body[family].as_array().cloned().unwrap_or_default()).concat();
        let gateways =
            pools.iter().filter(|_| !internal).filter_map(|pool| pool["Gateway"].as_str()?.parse().ok()).collect();
        self.gateways.lock().unwrap().insert(text(&body["NetworkID"]), gateways);
        json!({})
    }

    fn create_endpoint(&self, body: &Value) -> Value {
        let mut gateways = self.gateways.lock().unwrap();
        let given = ["Address", "AddressIPv6"].map(|family| text(&body["Interface"][family]).parse::<IpNet>().ok());
        let own = |gateway: &IpNet| given.iter().flatten().any(|net| net.contains(gateway));
        let of_network = gateways.get(&text(&body["NetworkID"])).cloned().unwrap_or_default();
        gateways.insert(text(&body["EndpointID"]), of_network.into_iter().filter(own).collect());
        drop(gateways);
        self.ip(&["link", "add", &link("r", body), "type", "veth", "peer", "name", &link("p", body)])
    }

    fn join(&self, body: &Value) -> Value {
        let gateways = self.gateways.lock().unwrap().get(&text(&body["EndpointID"])).cloned().unwrap_or_default();
        let of =
            |ipv4: bool| gateways.iter().find(|net| net.addr().is_ipv4() == ipv4).map(|net| net.addr().to_string());
        let name = json!({"SrcName": link("r", body), "DstPrefix": "eth"});
        json!({"InterfaceName": name, "Gateway": of(true), "GatewayIPv6": of(false), "DisableGatewayService": true})
    }

    fn request_address(&self, body: &Value) -> Value {
        let id = text(&body["PoolID"]);
        let pool: IpNet = id.trim_start_matches("pool-").replace('_', "/").parse().unwrap();
        let address = match (body["Address"].as_str().unwrap(), &body["Options"]["RequestAddressType"]) {
            ("", Value::Null) => {
                let mut taken = self.taken.lock().unwrap();
                let last = taken.entry(id).or_insert(1);
                *last += 1;
                pool.hosts().nth(*last as usize - 1).unwrap().to_string()
            }
            ("", _) => pool.hosts().next().unwrap().to_string(),
            (given, _) => given.to_owned(),
        };
        json!({"Address": format!("{address}/{}", pool.prefix_len()), "Data": {}})
    }

    /// Runs `ip` in the machine. A link that died with its sandbox need not be removed.
    fn ip(&self, arguments: &[&str]) -> Value {
        drop(Command::new(&self.enter[0]).args(&self.enter[1..]).arg("ip").args(arguments).output().unwrap());
        json!({})
    }
}

fn request_pool(body: &Value) -> Value {
    let free = if body["V6"] == true { "fd00:99::/120" } else { "10.99.0.0/24" };
    let pool = body["Pool"].as_str().filter(|pool| !pool.is_empty()).unwrap_or(free);
    json!({"PoolID": format!("pool-{pool}").replace('/', "_"), "Pool": pool, "Data": {}})
}

fn link(prefix: &str, body: &Value) -> String {
    format!("{prefix}{}", &text(&body["EndpointID"])[..12])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads a request; none: the connection was closed.
fn read(reader: &mut BufReader<UnixStream>) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    head.truncate(head.len() - 2);
    let method = head.split_whitespace().nth(1)?.trim_start_matches('/').to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, head, body: String::from_utf8(body).unwrap() })
}
