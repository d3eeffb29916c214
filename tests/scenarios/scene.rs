//! Where hostile drivers are let loose: a host with an uplink, a network of another driver with a container on it, and the hostile driver.

use std::time::{Duration, Instant};

use grant::Limit;
use pontoon_tests::{Bench, Namespace, attach, create, until};
use serde_json::json;
use words::Name;

/// All of it.
pub struct Scene {
    pub bench: Bench,
    pub container: Namespace,
    pub other: Namespace,
}

impl Scene {
    /// On a bench that has nothing yet.
    pub fn of(bench: Bench) -> Self {
        let (container, other) = (Namespace::new("container"), Namespace::new("other"));
        for namespace in [&bench.host, &container, &other] {
            // An address of IPv6 is there at once, not a second or two later.
            namespace.run("sysctl -q net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
        }
        bench.host.run("ip link add eth0 type veth peer name far0");
        bench.host.run("ip address add 192.0.2.1/24 dev eth0");
        bench.host.run("ip link set eth0 up");
        bench.host.run("ip link set far0 up");
        bench.load("bridge", "bridge", &[]);
        bench.load("hostile", "test/hostile", &[]);
        let victim =
            json!({"pools": [{"subnet": "10.77.0.0/24"}], "options": {"com.docker.network.bridge.name": "victim"}});
        bench.wait(bench.controller.create_network(create("victim", "bridge", &victim))).unwrap();
        bench.wait(bench.controller.attach("victim", attach(&container, &json!({})))).unwrap();
        let scene = Self { bench, container, other };
        until("the links are as they stay", || {
            let moving = ["tentative", "NO-CARRIER", "linkdown"];
            !scene.seen().iter().any(|dump| moving.iter().any(|word| dump.contains(word)))
        });
        scene
    }

    /// What a driver's calls may take from now on; answers what that was before. None: what they may without a word.
    pub fn allow_milliseconds(&self, driver: &str, most: Option<u64>) -> Option<u64> {
        let driver = Name::new(driver).unwrap();
        let mut grant = self.bench.wait(self.bench.controller.driver(&driver)).unwrap().grant;
        let before = match most {
            Some(most) => grant.limits.insert(Limit::CallMilliseconds, most),
            None => grant.limits.remove(&Limit::CallMilliseconds),
        };
        self.bench.wait(self.bench.controller.set_grant(&driver, grant)).unwrap();
        before
    }

    /// The other driver's calls: an endpoint comes and goes. Answers how long that took.
    pub fn work(&self, namespace: &Namespace) -> Duration {
        let begin = Instant::now();
        self.bench.wait(self.bench.controller.attach("victim", attach(namespace, &json!({})))).unwrap();
        let name = namespace.path().file_name().unwrap().to_str().unwrap();
        self.bench.wait(self.bench.controller.detach(Some("victim"), name)).unwrap();
        begin.elapsed()
    }

    /// Kernel and store, as they are.
    pub fn seen(&self) -> [String; 3] {
        [self.bench.host.dump(), self.container.dump(), self.bench.stored()]
    }
}
