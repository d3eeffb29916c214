//! The syntax of `--publish`: `[HOSTIP:][HOSTPORT[-END]:]CONTAINERPORT[-END][/tcp|udp|sctp]`, an IPv6 address in brackets.

use std::net::{IpAddr, Ipv6Addr};

use operation::endpoint::{PortBinding, Protocol};

/// Reads one `--publish`.
pub fn parse(text: &str) -> Result<PortBinding, String> {
    let (ports, protocol) = match text.rsplit_once('/') {
        Some((ports, name)) => (ports, protocol(name)?),
        None => (text, Protocol::Tcp),
    };
    let (host, container) = match ports.rsplit_once(':') {
        Some((host, container)) => (Some(host), container),
        None => (None, ports),
    };
    let (host_address, host_ports) = host.map_or(Ok((None, "")), split_host)?;
    let (host_port, host_port_end) = range(host_ports)?;
    let (container_port, container_port_end) =
        if container.contains('-') { range(container)? } else { (port(container)?, 0) };
    let container_port_end = if container_port_end == container_port { 0 } else { container_port_end };
    if container_port_end != 0
        && (host_port == 0 || container_port_end - container_port != host_port_end.saturating_sub(host_port))
    {
        return Err(format!(
            "a range of the container's needs as many ports of the host: write HOSTPORT-END:{container}"
        ));
    }
    Ok(PortBinding {
        protocol,
        container_port,
        container_port_end,
        container_address: None,
        host_address,
        host_port,
        host_port_end,
    })
}

/// A binding in the same syntax, for tables.
pub fn show(binding: &PortBinding) -> String {
    let address = match binding.host_address {
        Some(IpAddr::V6(address)) => format!("[{address}]:"),
        Some(address) => format!("{address}:"),
        None => String::new(),
    };
    let ports = match (binding.host_port, binding.host_port_end) {
        (0, _) => String::new(),
        (first, last) if last == 0 || last == first => format!("{first}:"),
        (first, last) => format!("{first}-{last}:"),
    };
    let gap = if ports.is_empty() && !address.is_empty() { ":" } else { "" };
    let protocol = match binding.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    let end = match binding.container_port_end {
        0 => String::new(),
        last => format!("-{last}"),
    };
    format!("{address}{gap}{ports}{}{end}/{protocol}", binding.container_port)
}

/// What stands before the container's port: an address, a port or a range, or both.
fn split_host(text: &str) -> Result<(Option<IpAddr>, &str), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or("the bracket of the IPv6 address is not closed")?;
        let address: Ipv6Addr = address.parse().map_err(|_| format!("{address:?} is no IPv6 address"))?;
        let ports = rest.strip_prefix(':').unwrap_or(rest);
        return Ok((Some(address.into()), ports));
    }
    let (address, ports) = match text.rsplit_once(':') {
        Some((address, ports)) => (address, ports),
        None if text.contains('.') => (text, ""),
        None => return Ok((None, text)),
    };
    if address.contains(':') {
        return Err("an IPv6 address goes in brackets, as in [::1]:8080:80".to_owned());
    }
    let address: IpAddr = address.parse().map_err(|_| format!("{address:?} is no address of the host"))?;
    Ok((Some(address), ports))
}

/// The host's ports: none means any.
fn range(text: &str) -> Result<(u16, u16), String> {
    match text.split_once('-') {
        None if text.is_empty() => Ok((0, 0)),
        None => Ok((port(text)?, 0)),
        Some((first, last)) => match (port(first)?, port(last)?) {
            (first, last) if first <= last => Ok((first, last)),
            (first, last) => Err(format!("the range {first}-{last} is empty")),
        },
    }
}

fn port(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|port| *port != 0).ok_or_else(|| format!("{text:?} is no port: 1 to 65535"))
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "sctp" => Ok(Protocol::Sctp),
        _ => Err(format!("{text:?} is no protocol: tcp, udp or sctp")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_for_a_range() {
        let range = parse("10000-12000:20000-22000/udp").unwrap();
        assert_eq!((range.host_port, range.host_port_end), (10_000, 12_000));
        assert_eq!((range.container_port, range.container_port_end), (20_000, 22_000));
        assert_eq!(show(&range), "10000-12000:20000-22000/udp");
        assert_eq!(show(&parse("10-10:20-20").unwrap()), "10:20/tcp");
        for wrong in ["20-22", "10:20-22", "10-11:20-22", "10-12:22-20", "127.0.0.1::20-22", "10-12:-", "10-12:20-"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_published() {
        let table = [
            ("80", None, 0, 0, 80, Protocol::Tcp, "80/tcp"),
            ("80/udp", None, 0, 0, 80, Protocol::Udp, "80/udp"),
            ("80/SCTP", None, 0, 0, 80, Protocol::Sctp, "80/sctp"),
            ("8080:80", None, 8080, 0, 80, Protocol::Tcp, "8080:80/tcp"),
            (":80", None, 0, 0, 80, Protocol::Tcp, "80/tcp"),
            ("8080-8090:80/tcp", None, 8080, 8090, 80, Protocol::Tcp, "8080-8090:80/tcp"),
            ("65535:65535", None, 65535, 0, 65535, Protocol::Tcp, "65535:65535/tcp"),
            ("127.0.0.1:8080:80", Some("127.0.0.1"), 8080, 0, 80, Protocol::Tcp, "127.0.0.1:8080:80/tcp"),
            ("127.0.0.1::80", Some("127.0.0.1"), 0, 0, 80, Protocol::Tcp, "127.0.0.1::80/tcp"),
            ("127.0.0.1:80", Some("127.0.0.1"), 0, 0, 80, Protocol::Tcp, "127.0.0.1::80/tcp"),
            ("[::1]:8080:80/udp", Some("::1"), 8080, 0, 80, Protocol::Udp, "[::1]:8080:80/udp"),
            ("[::1]:8080-8081:80", Some("::1"), 8080, 8081, 80, Protocol::Tcp, "[::1]:8080-8081:80/tcp"),
            ("[::1]::80", Some("::1"), 0, 0, 80, Protocol::Tcp, "[::1]::80/tcp"),
            ("[::]:80", Some("::"), 0, 0, 80, Protocol::Tcp, "[::]::80/tcp"),
        ];
        for (text, address, host_port, host_port_end, container_port, protocol, shown) in table {
            let host_address = address.map(|a: &str| a.parse().unwrap());
            let expected = PortBinding {
                protocol,
                container_port,
                container_port_end: 0,
                container_address: None,
                host_address,
                host_port,
                host_port_end,
            };
            assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(show(&expected), shown, "{text}");
            assert_eq!(parse(shown), Ok(expected), "{shown}");
        }
    }

    #[test]
    fn what_is_not() {
        let table = [
            ("", "is no port"),
            ("0", "is no port"),
            ("65536", "is no port"),
            ("+80", "is no port"),
            ("80-90", "needs as many ports of the host"),
            ("8080:", "is no port"),
            ("a:80", "\"a\" is no port"),
            ("0:80", "is no port"),
            ("8090-8080:80", "8090-8080 is empty"),
            ("8080-:80", "is no port"),
            ("80/", "is no protocol"),
            ("80/icmp", "\"icmp\" is no protocol"),
            ("::1:8080:80", "goes in brackets"),
            ("[::1:8080:80", "not closed"),
            ("[127.0.0.1]:80:80", "is no IPv6 address"),
            ("[::1]8080x:80", "is no port"),
            ("host:80:80", "\"host\" is no address"),
            ("1.2.3:80", "\"1.2.3\" is no address"),
        ];
        for (text, part) in table {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
