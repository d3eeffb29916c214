//! What users do with a remote driver, one after the other, so that the requests come in the same order every time.

use pontoon_tests::Machine;

/// Lines of docker's command line, which have to succeed. What the command line would send in any order goes to the API itself.
const LINES: &str = r#"
    network create -d rec --subnet 10.31.0.0/24 -o mtu=1400 -o com.example.Key=Value plain
    run -d --name c1 --network plain bb:1 sleep 1d
    rm -f c1
    run -d --name c2 --network plain --ip 10.31.0.77 --mac-address 02:42:0a:1f:00:4d bb:1 sleep 1d
    stop -t 0 c2
    start c2
    restart -t 0 c2
    rm -f c2

    run -d --name c3 --network plain --expose 7000 -p 80 -p 8081:81 -p 127.0.0.1:8082:82 -p 8083:83/udp bb:1 sleep 1d
    rm -f c3
    run -d --name c4 --network plain -p 9000-9002:84 -p 9010-9011:85-86 -p [::1]:8087:87 -p 8088:88/sctp bb:1 sleep 1d
    rm -f c4

    network create -d rec --ipv6 --subnet 10.32.0.0/24 --subnet fd00:32::/64 --gateway fd00:32::1 dual
    run -d --name c5 --network dual --ip 10.32.0.9 --ip6 fd00:32::9 -p 8080:80 bb:1 sleep 1d
    network connect --ip 10.31.0.50 --alias other --driver-opt my.Opt=Val plain c5
    network disconnect plain c5
    network disconnect -f dual c5
    network connect dual c5
    rm -f c5

    network create -d rec --internal --subnet 10.33.0.0/24 inside
    run -d --name c6 --network inside -p 8080:80 --dns 8.8.8.8 bb:1 sleep 1d
    kill c6
    rm c6

    POST /networks/create {"Name":"two","Driver":"rec","IPAM":{"Config":[{"Subnet":"10.34.0.0/24","IPRange":"10.34.0.128/25","AuxiliaryAddresses":{"h":"10.34.0.9"}},{"Subnet":"10.35.0.0/24"}]}}
    run -d --name c7 --network two --ip 10.34.0.20 bb:1 sleep 1d
    rm -f c7

    network create -d rec --ipam-driver null --label a=b nopools
    run -d --name c0 --network nopools bb:1 sleep 1d
    rm -f c0
    network rm nopools

    network create -d rec --ipam-driver rec --ipam-opt o=p --subnet 10.36.0.0/24 --ip-range 10.36.0.128/25 --gateway 10.36.0.3 --aux-address h=10.36.0.9 pools
    run -d --name c8 --network pools bb:1 sleep 1d
    run -d --name c9 --network pools --ip 10.36.0.20 --mac-address 02:42:0a:24:00:14 bb:1 sleep 1d
    rm -f c8
    rm -f c9
    network create -d rec --ipam-driver rec --ipv6 --subnet fd00:36::/120 free
    network rm free pools

    network rm plain dual inside two
"#;

/// Does it.
pub fn run(machine: &Machine) {
    for line in LINES.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["POST", path, body] => machine.post(path, body),
            _ => drop(machine.docker(line)),
        }
    }
}
