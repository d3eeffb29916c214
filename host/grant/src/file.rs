//! A grant as a file, in TOML.

use super::Grant;
use words::file::from_toml;
use words::{Error, Result};

/// Bytes of a grant: it is written by people, and goes to the daemon in a request's head.
pub const SIZE: usize = 16 << 10;

/// Reads a grant and checks what it says. An error is one line that begins with the place.
pub fn read(place: &str, bytes: &[u8]) -> Result<Grant> {
    if bytes.len() > SIZE {
        return Err(Error::invalid(format!("{place} has {} bytes or more: at most {SIZE}", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::invalid(format!("{place} is no UTF-8 text")))?;
    let grant: Grant = from_toml(place, text)?;
    grant.check().map_err(|e| e.context(place))?;
    Ok(grant)
}

/// A grant as TOML.
pub fn write(grant: &Grant) -> Result<String> {
    toml::to_string(grant).map_err(|e| Error::internal(format!("can't write the grant: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
permissions = ['links', 'packet-filter']
namespaces = ['host', 'container']
addresses = ['network', '10.9.0.0/16', 'fd00::/8']
routes = ['network', 'default']
parents = ['eth0']
sysctls = ['link.ipv6-accept-ra', 'host.ipv4-forwarding', 'own.ipv4-neighbour-threshold1']
hooks = { postrouting = [100], prerouting = [-100] }
mark-bits = '0x00ff0000'
tables = ['peers']

[limits]
memory-mib = 64
links = 10
";

    #[test]
    fn what_is_written_is_read_again() {
        let grant = read("g.toml", WHOLE.as_bytes()).unwrap();
        assert_eq!(read("h.toml", write(&grant).unwrap().as_bytes()).unwrap(), grant);
        assert_eq!(read("g.toml", b"").unwrap(), Grant::default(), "nothing named");
        assert_eq!(write(&Grant::default()).unwrap(), "");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let table = [
            ("permission = ['links']", "g.toml:1: unknown field `permission`, expected one of `permissions`"),
            ("\npermissions = ['link']", "g.toml:2: unknown variant `link`, expected one of `links`"),
            ("namespaces = ['own']", "g.toml:1: unknown variant `own`, expected `host` or `container`"),
            ("addresses = ['10.1.2.3/16']", "g.toml:1: \"10.1.2.3/16\" names a host in a range: write 10.1.0.0/16"),
            ("addresses = ['10.1.2.3']", "g.toml:1: \"10.1.2.3\" is no range: write network, a range such as"),
            ("addresses = ['default']", "g.toml: addresses: \"default\" is for routes"),
            ("routes = ['::/0']", "g.toml:1: \"::/0\" is everything and no range: for routes, write default"),
            ("parents = ['et/h0']", "g.toml: parents: "),
            ("tables = ['a/b']", "g.toml: tables: "),
            ("sysctls = ['ipv4-forwarding']", "\"ipv4-forwarding\" is no setting: link. and one of ipv4-arp-ignore,"),
            ("sysctls = ['link.../../kernel']", "is no setting"),
            ("hooks = { ingress = [0] }", "g.toml:1: unknown variant `ingress`, expected one of `prerouting`"),
            ("hooks = { input = ['0'] }", "g.toml:1: invalid type"),
            ("mark-bits = '16711680'", "g.toml:1: \"16711680\" is no mask of 32 bits: write it as 0x00ff0000"),
            ("mark-bits = '0x1ff000000'", "is no mask of 32 bits"),
            ("mark-bits = '0x+1'", "is no mask of 32 bits"),
            ("limits = { link = 1 }", "g.toml:1: unknown variant `link`, expected one of `memory-mib`"),
            ("limits = { links = -1 }", "g.toml:1: invalid value: integer `-1`"),
            (
                "limits = { memory-mib = 4096 }",
                "g.toml: limits: memory-mib = 4096 is more than this host bears: at most 128",
            ),
        ];
        for (text, says) in table {
            let said = read("g.toml", text.as_bytes()).unwrap_err().message;
            assert!(said.contains(says) && !said.contains('\n'), "{text:?}: {said}");
        }
    }

    #[test]
    fn the_readme_shows_one() {
        let readme = include_str!("../../README.md");
        let shown = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(read("host/README.md", shown.as_bytes()).unwrap().limits.len(), 1);
    }

    #[test]
    fn its_size_is_limited() {
        let long = |count: usize| {
            let names: Vec<_> = (0..count).map(|number| format!("'t{number}'")).collect();
            read("g.toml", format!("tables = [{}]", names.join(",")).as_bytes())
        };
        assert!(long(super::super::ENTRIES).is_ok());
        assert!(long(super::super::ENTRIES + 1).unwrap_err().message.contains("tables: 257 entries: at most 256"));
        assert!(read("g.toml", &[b' '; SIZE + 1]).unwrap_err().message.contains("at most 16384"));
        assert!(read("g.toml", &[0xff]).unwrap_err().message.contains("no UTF-8"));
    }
}
