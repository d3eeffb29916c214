//! Address pools as the command line says them: gateways, ranges and reserved addresses go to the subnet that contains them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use operation::network::PoolRequest;
use words::Error;

/// The address options of `network create`.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "addresses", multiple = true)]
pub struct Pools {
    /// A subnet, e.g. 10.5.0.0/24 (repeatable)
    #[arg(long = "subnet", value_name = "CIDR")]
    subnets: Vec<IpNet>,
    /// The gateway of the subnet that contains it (repeatable)
    #[arg(long = "gateway", value_name = "IP", requires = "subnets")]
    gateways: Vec<IpAddr>,
    /// Choose addresses from this part of the subnet that contains it (repeatable)
    #[arg(long = "ip-range", value_name = "CIDR", requires = "subnets")]
    ranges: Vec<IpNet>,
    /// An address that no endpoint gets, and its name (repeatable)
    #[arg(long = "aux-address", value_name = "NAME=IP", value_parser = named, requires = "subnets")]
    auxiliary: Vec<(String, IpAddr)>,
}

impl Pools {
    /// One pool for each subnet.
    pub fn requests(self) -> Result<Vec<PoolRequest>, Error> {
        let pool = |subnet| PoolRequest { subnet, range: None, gateway: None, aux_addresses: BTreeMap::new() };
        let mut pools: Vec<_> = self.subnets.into_iter().map(pool).collect();
        for gateway in self.gateways {
            let pool = of(&mut pools, gateway.into(), "gateway")?;
            once(pool.gateway.replace(gateway), pool.subnet, "gateway")?;
        }
        for range in self.ranges {
            let pool = of(&mut pools, range, "range")?;
            once(pool.range.replace(range), pool.subnet, "range")?;
        }
        for (name, address) in self.auxiliary {
            let pool = of(&mut pools, address.into(), "reserved address")?;
            once(pool.aux_addresses.insert(name, address), pool.subnet, "reserved address of that name")?;
        }
        Ok(pools)
    }
}

/// The pool that contains a network or address.
fn of<'a>(pools: &'a mut [PoolRequest], part: IpNet, what: &str) -> Result<&'a mut PoolRequest, Error> {
    let pool = pools.iter_mut().find(|pool| pool.subnet.contains(&part));
    pool.ok_or_else(|| {
        let shown = if part.prefix_len() == part.max_prefix_len() { part.addr().to_string() } else { part.to_string() };
        Error::invalid(format!("no --subnet contains the {what} {shown}"))
    })
}

fn once<T>(before: Option<T>, subnet: IpNet, what: &str) -> Result<(), Error> {
    match before {
        None => Ok(()),
        Some(_) => Err(Error::invalid(format!("the subnet {subnet} has more than one {what}"))),
    }
}

fn named(text: &str) -> Result<(String, IpAddr), String> {
    let (name, address) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("it is not NAME=IP")?;
    Ok((name.to_owned(), address.parse().map_err(|_| format!("{address:?} is no address"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(subnets: &[&str], gateways: &[&str], ranges: &[&str], auxiliary: &[&str]) -> Pools {
        Pools {
            subnets: subnets.iter().map(|s| s.parse().unwrap()).collect(),
            gateways: gateways.iter().map(|s| s.parse().unwrap()).collect(),
            ranges: ranges.iter().map(|s| s.parse().unwrap()).collect(),
            auxiliary: auxiliary.iter().map(|s| named(s).unwrap()).collect(),
        }
    }

    #[test]
    fn parts_go_to_their_subnet() {
        let said = pools(
            &["10.5.0.0/24", "fd00::/64"],
            &["fd00::9", "10.5.0.254"],
            &["10.5.0.128/25"],
            &["printer=10.5.0.7", "printer=fd00::7"],
        );
        let found = serde_json::to_string(&said.requests().unwrap()).unwrap();
        let expected = r#"[{"subnet":"10.5.0.0/24","range":"10.5.0.128/25","gateway":"10.5.0.254","aux_addresses":{"printer":"10.5.0.7"}},{"subnet":"fd00::/64","range":null,"gateway":"fd00::9","aux_addresses":{"printer":"fd00::7"}}]"#;
        assert_eq!(found, expected);
    }

    #[test]
    fn parts_without_a_subnet_are_named() {
        let table = [
            (pools(&["10.5.0.0/24"], &["10.6.0.1"], &[], &[]), "no --subnet contains the gateway 10.6.0.1"),
            (pools(&["10.5.0.0/24"], &[], &["10.5.0.0/16"], &[]), "no --subnet contains the range 10.5.0.0/16"),
            (pools(&["10.5.0.0/24"], &[], &[], &["a=::1"]), "no --subnet contains the reserved address ::1"),
            (pools(&["10.5.0.0/24"], &["10.5.0.1", "10.5.0.2"], &[], &[]), "more than one gateway"),
            (pools(&["10.5.0.0/24"], &[], &[], &["a=10.5.0.1", "a=10.5.0.2"]), "more than one reserved address"),
        ];
        for (said, part) in table {
            let error = said.requests().unwrap_err();
            assert!(error.message.contains(part), "{error}");
        }
        assert!(named("a").is_err() && named("=10.0.0.1").is_err() && named("a=b").is_err());
    }
}
