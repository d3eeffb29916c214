//! Random numbers from a seed, and choices.

use crate::tests::*;

pub struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub fn below(&mut self, count: usize) -> usize {
        self.0.usize(..count)
    }

    /// One in so many times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// A value, half of the time.
    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(2).then(|| make(self))
    }

    pub fn text<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self, from: &[&str]) -> T {
        self.pick(from).parse().unwrap()
    }

    pub fn mac(&mut self) -> MacAddress {
        MacAddress([2, 0, 0, 0, 0, self.below(12) as u8 + 1])
    }

    pub fn name(&mut self) -> LinkName {
        name(self.pick(&["a", "b", "c", "d", "e", "f", "g"]))
    }

    pub fn new_name(&mut self) -> NewName {
        if self.one_in(3) { NewName::Prefix(name(self.pick(&["a", "p"]))) } else { NewName::Exact(self.name()) }
    }

    pub fn address(&mut self) -> IpNet {
        self.text(&[
            "10.0.0.1/24",
            "10.0.0.2/24",
            "10.0.0.3/24",
            "10.0.1.1/24",
            "10.0.1.2/24",
            "10.0.0.9/16",
            "10.0.2.1/32",
            "fd00::1/64",
            "fd00::2/64",
            "fd00::3/64",
            "fd00:0:0:1::1/64",
            "fd00::9/48",
            "fd00::1/48",
            "fd00:2::1/128",
        ])
    }

    pub fn ipv4(&mut self) -> std::net::IpAddr {
        self.text(&["10.0.0.1", "10.0.0.2", "10.0.0.7", "10.0.0.255", "10.0.1.7", "10.0.9.9", "192.0.2.1", "10.5.0.1"])
    }

    pub fn ipv6(&mut self) -> std::net::IpAddr {
        self.text(&[
            "fd00::1",
            "fd00::2",
            "fd00::7",
            "fd00:0:0:1::7",
            "fd00:0:0:9::1",
            "fe80::7",
            "2001:db8::1",
            "fd00:5::1",
        ])
    }

    pub fn destination(&mut self) -> IpNet {
        self.text(&[
            "10.5.0.0/16",
            "10.0.0.0/24",
            "10.0.1.0/24",
            "10.6.0.0/16",
            "0.0.0.0/0",
            "192.0.2.1/32",
            "fd00:5::/64",
            "fd00::/64",
            "fd00:0:0:1::/64",
            "fd00:6::/64",
            "::/0",
            "2001:db8::1/128",
        ])
    }
}
