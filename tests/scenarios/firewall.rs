//! Beside dockerd's firewall: iptables whose chain FORWARD drops, and bridge-nf, which sends bridged packets through it.

use std::fs::File;
use std::process::Command;

use kernel::{IptablesChain, IptablesFamily};
use pontoon_tests::{Bench, Daemon, Namespace, fetch, listen_tcp, outside, same_at_last, until};

use crate::packets::address;

const BOTH: [&str; 2] = ["iptables-nft", "ip6tables-nft"];

/// What dockerd does at its start and after a reload; some of it may be there already.
fn dockerd_starts(host: &Namespace) {
    host.run("sysctl -q net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1");
    for program in BOTH {
        let script = format!(
            "{program} -N DOCKER-USER; {program} -C DOCKER-USER -j RETURN || {program} -A DOCKER-USER -j RETURN
             {program} -D FORWARD -j DOCKER-USER; {program} -I FORWARD -j DOCKER-USER && {program} -P FORWARD DROP"
        );
        assert!(host.try_run_script(&script).status.success());
    }
}

/// Runs both iptables with the same words.
fn iptables(host: &Namespace, words: &str) {
    BOTH.iter().for_each(|program| drop(host.run(&format!("{program} {words}"))));
}

/// What iptables says of a chain, both families one after the other; of the comments that the host gives, what comes before the index.
fn listed(host: &Namespace, chain: &str) -> Vec<String> {
    let lists = BOTH.map(|program| host.run(&format!("{program} -S {chain}")));
    lists.iter().flat_map(|list| list.lines()).map(without_index).collect()
}

fn without_index(rule: &str) -> String {
    let Some((before, after)) = rule.split_once(" -j ACCEPT").filter(|(before, _)| before.contains("pontoon-")) else {
        return rule.to_owned();
    };
    let name = before.trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{} -j ACCEPT{after}", name.strip_suffix('-').unwrap_or(before))
}

/// What it says of DOCKER-USER when all is well: the administrator's rules, those for the links, RETURN.
fn expected(administrators: &[&str], links: &[(&str, &str)]) -> Vec<String> {
    let mut rules = vec!["-N DOCKER-USER".to_owned()];
    rules.extend(administrators.iter().map(|rule| format!("-A DOCKER-USER {rule}")));
    for (tag, link) in links {
        rules.extend([("-i", "from"), ("-o", "to")].map(|(flag, word)| {
            format!("-A DOCKER-USER {flag} {link} -m comment --comment {tag}{word}-{link} -j ACCEPT")
        }));
    }
    rules.push("-A DOCKER-USER -j RETURN".into());
    [rules.clone(), rules].concat()
}

/// `pontoon-INSTANCE-`, of the only Pontoon in the namespace.
fn tag(host: &Namespace) -> String {
    let tables = host.run("nft list tables inet");
    tables.lines().next().unwrap()["table inet ".len()..][.."pontoon-000000-".len()].to_owned()
}

/// A daemon beside an outside, with the network `n` (its bridge is `br0`) and two endpoints, a and b.
struct Setting {
    daemon: Daemon,
    endpoints: [Namespace; 2],
    outside: Namespace,
}

impl Setting {
    fn new(docker_comes_first: bool) -> Self {
        let daemon = Daemon::start();
        let outside = outside(&daemon.host);
        // As on a host that forwards anyway.
        daemon.host.run("sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        if docker_comes_first {
            dockerd_starts(&daemon.host);
        }
        daemon.load("bridge");
        daemon.ok("network create --ipv6 n -o com.docker.network.bridge.name=br0");
        let endpoints = ["a", "b"].map(|name| {
            let namespace = Namespace::new(name);
            daemon.ok(&format!("endpoint attach n {}", namespace.text()));
            namespace
        });
        Self { daemon, endpoints, outside }
    }

    #[track_caller]
    fn packets_flow(&self) {
        let [a, _] = &self.endpoints;
        for key in ["address", "address_ipv6"] {
            assert!(a.pings(&address(&self.daemon, "n", "b", key)), "{key}");
        }
        assert!(a.pings("192.0.2.2") && a.pings("2001:db8::2"), "to the outside");
    }

    #[track_caller]
    fn recovers(&self, administrators: &[&str]) {
        let expected = expected(administrators, &[(&tag(&self.daemon.host), "br0")]);
        same_at_last(|| listed(&self.daemon.host, "DOCKER-USER"), &expected);
        self.packets_flow();
    }
}

#[test]
fn packets_flow_beside_dockerd() {
    let setting = Setting::new(true);
    let daemon = &setting.daemon;
    assert_eq!(listed(&daemon.host, "DOCKER-USER"), expected(&[], &[(&tag(&daemon.host), "br0")]));
    setting.packets_flow();
    assert!(!setting.outside.pings(&address(daemon, "n", "a", "address")), "the driver's own filter holds");
    let misread = daemon.refused(7, "network create m -o com.docker.network.bridge.name=br+");
    assert!(misread.contains("iptables would misread the name br+"), "{misread}");
    for endpoint in &setting.endpoints {
        daemon.ok(&format!("endpoint detach n {}", endpoint.text()));
    }
    daemon.ok("network rm n");
    assert_eq!(daemon.host.run("nft list tables inet"), "");
    assert_eq!(listed(&daemon.host, "DOCKER-USER"), expected(&[], &[]));
}

#[test]
fn rules_come_back_when_others_change_the_firewall() {
    let setting = Setting::new(false);
    let host = &setting.daemon.host;
    let forward = || BOTH.map(|program| host.run(&format!("{program} -S FORWARD")));
    assert_eq!(forward(), ["-P FORWARD ACCEPT\n"; 2], "nothing is in the way, so nothing is done");
    setting.packets_flow();
    dockerd_starts(host);
    setting.recovers(&[]);
    iptables(host, "-F DOCKER-USER");
    iptables(host, "-A DOCKER-USER -j RETURN");
    setting.recovers(&[]);
    // All of it goes, and comes back a little later.
    host.run("nft delete table ip filter");
    host.run("nft delete table ip6 filter");
    dockerd_starts(host);
    setting.recovers(&[]);
    // All of it at once, without ours.
    for program in BOTH {
        let restore = format!("{program}-save | sed /pontoon/d | {program}-restore");
        assert!(host.try_run_script(&restore).status.success());
    }
    setting.recovers(&[]);
    // All of it at once, with ours: restored, they go by the name alone.
    for program in BOTH {
        assert!(host.try_run_script(&format!("{program}-save | {program}-restore")).status.success());
    }
    same_at_last(|| host.run("nft list ruleset").matches("iif \"br0\" iifname \"br0\"").count(), &2);
    setting.recovers(&[]);
    // Nothing comes by DOCKER-USER any more, but the policy still drops.
    iptables(host, "-F");
    same_at_last(|| listed(host, "FORWARD").len(), &6);
    assert_eq!(listed(host, "DOCKER-USER"), ["-N DOCKER-USER"; 2]);
    setting.packets_flow();
    dockerd_starts(host);
    setting.recovers(&[]);
    assert_eq!(listed(host, "FORWARD").len(), 4, "what was there has moved");
}

#[test]
fn the_administrator_has_the_first_word() {
    let setting = Setting::new(true);
    let host = &setting.daemon.host;
    iptables(host, "-I DOCKER-USER -i br0 -o eth0 -j DROP");
    let [a, _] = &setting.endpoints;
    assert!(!a.pings("192.0.2.2") && !a.pings("2001:db8::2"));
    let b = address(&setting.daemon, "n", "b", "address");
    assert!(a.pings(&b));
    iptables(host, "-R DOCKER-USER 1 -i br0 -o br0 -j DROP");
    assert!(!a.pings(&b), "bridged packets come by here, too");
    iptables(host, "-D DOCKER-USER 1");
    setting.packets_flow();
    // At the end, where it would come after ours.
    iptables(host, "-D DOCKER-USER -j RETURN");
    iptables(host, "-A DOCKER-USER -i eth9 -j DROP");
    iptables(host, "-A DOCKER-USER -j RETURN");
    setting.recovers(&["-i eth9 -j DROP"]);
}

/// A container of Docker's own network `docker0`: 172.17.0.2, whose port 80 is published as 8080 of the host.
fn docker_container(host: &Namespace) -> Namespace {
    let container = Namespace::new("docker");
    for command in [
        "ip link add docker0 type bridge",
        "ip address add 172.17.0.1/16 dev docker0",
        "ip link set docker0 up",
        "ip link add ve0 type veth peer name eth1",
        "ip link set ve0 master docker0 up",
        &format!("ip link set eth1 netns {}", container.text()),
        "iptables-nft -N DOCKER",
        "iptables-nft -A DOCKER -d 172.17.0.2 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT",
        "iptables-nft -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "iptables-nft -A FORWARD -o docker0 -j DOCKER",
        "iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
        "iptables-nft -t nat -A PREROUTING -p tcp --dport 8080 -m addrtype --dst-type LOCAL -j DNAT --to-destination 172.17.0.2:80",
    ] {
        host.run(command);
    }
    container.run("ip address add 172.17.0.2/16 dev eth1");
    container.run("ip link set eth1 up");
    container.run("ip route add default via 172.17.0.1");
    container
}

#[test]
fn containers_of_others_stay_closed() {
    let mut setting = Setting::new(true);
    let (daemon, [a, b]) = (&setting.daemon, &setting.endpoints);
    let docker = docker_container(&daemon.host);
    listen_tcp(&docker, 80, "published");
    listen_tcp(&docker, 81, "private");
    same_at_last(|| fetch(a, "172.17.0.2:81"), &String::new());
    assert_eq!(fetch(a, "192.0.2.1:8080"), "published");
    assert!(!a.pings("172.17.0.2"));
    // And the other way round.
    let c = Namespace::new("c");
    daemon.ok(&format!("endpoint attach n {} -p 9090:80", c.text()));
    listen_tcp(&c, 80, "ours");
    listen_tcp(b, 81, "private");
    assert_eq!(fetch(&docker, "192.0.2.1:9090"), "ours");
    assert_eq!(fetch(&docker, &format!("{}:81", address(daemon, "n", "b", "address"))), "");
    // Networks of one Pontoon are no others.
    daemon.ok("network create m");
    let d = Namespace::new("d");
    daemon.ok(&format!("endpoint attach m {}", d.text()));
    assert_eq!(fetch(&d, "192.0.2.1:9090"), "ours");
    assert_eq!(fetch(&d, "172.17.0.2:81"), "");
    // It is the host's own table that does it.
    let table = format!("{}host", tag(&daemon.host));
    setting.daemon.kill();
    setting.daemon.host.run(&format!("nft delete table inet {table}"));
    assert_eq!(fetch(&setting.endpoints[0], "172.17.0.2:81"), "private");
    setting.daemon.run();
    assert_eq!(fetch(&setting.endpoints[0], "172.17.0.2:81"), "");
}

#[test]
fn a_start_finds_what_a_kill_and_the_time_since_left() {
    let mut setting = Setting::new(true);
    let tag = tag(&setting.daemon.host);
    setting.daemon.kill();
    let host = &setting.daemon.host;
    iptables(host, &format!("-I DOCKER-USER -i br9 -m comment --comment {tag}from-br9 -j ACCEPT"));
    let index = host.run("ip -o link show br0").split(':').next().unwrap().to_owned();
    iptables(host, &format!("-D DOCKER-USER -o br0 -m comment --comment {tag}to-br0-{index} -j ACCEPT"));
    setting.daemon.run();
    let host = &setting.daemon.host;
    assert_eq!(listed(host, "DOCKER-USER"), expected(&[], &[(&tag, "br0")]));
    let collected = setting.daemon.json("gc");
    assert_eq!(collected["objects"].as_array().unwrap().len(), 0, "{collected}");
    for round in 0..6 {
        let daemon = &mut setting.daemon;
        let made = daemon.ask_in_background([format!("network create m{round}")]);
        std::thread::sleep(std::time::Duration::from_millis(2 * round));
        daemon.kill();
        made.into_iter().for_each(|mut child| drop(child.wait()));
        daemon.run();
        let networks = daemon.json("network ls");
        let rules = listed(&daemon.host, "DOCKER-USER");
        let ours = rules.iter().filter(|rule| rule.contains("pontoon")).count();
        // IPv4 alone, but for the first.
        assert_eq!(ours, 2 * (networks.as_array().unwrap().len() + 1), "{networks} {rules:#?}");
    }
}

#[test]
fn two_pontoons_leave_each_other_alone() {
    let setting = Setting::new(true);
    let host = &setting.daemon.host;
    let one = tag(host);
    let mut other = Daemon::stopped();
    let mut beside = Command::new("nsenter");
    beside.arg(format!("--net={}", host.text())).args(other.serve().get_args().skip(1));
    other.run_as(beside);
    other.load("bridge");
    other.ok("network create --ipv6 o --subnet 10.6.0.0/24 --subnet fd06::/64 -o com.docker.network.bridge.name=br1");
    let tables = host.run("nft list tables inet");
    let mut tags = tables.lines().filter_map(|line| line.strip_prefix("table inet ")?.get(..one.len()));
    let two = tags.find(|tag| *tag != one).unwrap().to_owned();
    let both = expected(&[], &[(&one, "br0"), (&two, "br1")]);
    assert_eq!(listed(host, "DOCKER-USER"), both);
    iptables(host, "-F DOCKER-USER");
    iptables(host, "-A DOCKER-USER -j RETURN");
    let sorted = |rules: Vec<String>| std::collections::BTreeSet::from_iter(rules);
    same_at_last(|| sorted(listed(host, "DOCKER-USER")), &sorted(both));
    other.ok("network rm o");
    setting.recovers(&[]);
    drop(other);
}

#[test]
fn legacy_iptables_are_one_line_in_the_log() {
    let mut daemon = Daemon::stopped();
    let _outside = outside(&daemon.host);
    daemon.host.run("iptables-legacy -P FORWARD DROP");
    daemon.host.run("ip6tables-legacy -P FORWARD DROP");
    let mut serve = daemon.serve();
    serve.stderr(File::create(daemon.file("log")).unwrap());
    daemon.run_as(serve);
    daemon.load("bridge");
    for network in ["n", "m"] {
        daemon.ok(&format!("network create --ipv6 {network}"));
    }
    daemon.ok("network rm n");
    let log = std::fs::read_to_string(daemon.file("log")).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("iptables-legacy has a table filter") && log.contains("update-alternatives"), "{log}");
}

#[test]
fn the_hosts_firewall_is_told() {
    let bench = Bench::new();
    let found = |family| bench.wait(bench.controller.firewall(family)).unwrap();
    let (ipv4, ipv6) = (IptablesFamily::Ipv4, IptablesFamily::Ipv6);
    assert_eq!(found(ipv4).to_string(), "iptables-nft drops nothing that is forwarded");
    iptables(&bench.host, "-P FORWARD DROP");
    assert_eq!(found(ipv4).chain, Some(IptablesChain::Forward));
    dockerd_starts(&bench.host);
    bench.host.run("ip6tables-legacy -L -n");
    assert_eq!((found(ipv4).chain, found(ipv4).legacy), (Some(IptablesChain::DockerUser), false));
    assert!(found(ipv6).legacy);
    assert_eq!(found(ipv6).to_string(), "iptables-nft, with the chain DOCKER-USER, and legacy iptables");
}

/// What ufw, an own script or a distribution's defaults make: a rule of the administrator's, and what refuses the rest, by policy or by rules.
const REFUSING: [&str; 3] = [
    "{p} -P FORWARD DROP",
    "{p} -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; {p} -A FORWARD -j REJECT",
    "{p} -N last; {p} -A last -j REJECT; {p} -A FORWARD -j last",
];

#[test]
fn an_administrators_rule_in_forward_holds_for_networks_that_are_made_later() {
    for refusing in REFUSING {
        let mut daemon = Daemon::start();
        let outside = outside(&daemon.host);
        for program in BOTH {
            let closed = format!("{program} -I FORWARD -i eth0 -p tcp -m conntrack --ctorigdstport 8080 -j DROP");
            let script = format!("{}; {closed}", refusing.replace("{p}", program));
            let ran = daemon.host.try_run_script(&script);
            assert!(ran.status.success(), "{ran:?}");
        }
        daemon.load("bridge");
        let endpoints = ["a", "b"].map(|name| {
            daemon.ok(&format!("network create --ipv6 {name}"));
            let namespace = Namespace::new(name);
            let port = if name == "a" { 8080 } else { 8081 };
            daemon.ok(&format!("endpoint attach {name} {} --name {name} -p {port}:80", namespace.text()));
            listen_tcp(&namespace, 80, "hello");
            namespace
        });
        let is_so = || {
            assert!(endpoints.iter().all(|a| a.pings("192.0.2.2") && a.pings("2001:db8::2")), "{refusing}");
            for address in ["192.0.2.1", "[2001:db8::1]"] {
                assert_eq!(fetch(&outside, &format!("{address}:8080")), "", "{refusing}");
                assert_eq!(fetch(&outside, &format!("{address}:8081")), "hello", "{refusing}");
            }
        };
        is_so();
        daemon.restart();
        is_so();
        // One that comes later, behind Pontoon's: they go behind it.
        iptables(&daemon.host, "-I FORWARD 3 -i eth0 -p tcp -m conntrack --ctorigdstport 8081 -j DROP");
        until("the new rule holds", || fetch(&outside, "192.0.2.1:8081").is_empty());
        assert!(endpoints[1].pings("192.0.2.2"));
    }
}
