//! The marks by which an instance of Pontoon knows again what it made: a link's group and a protocol number.

use crate::{Device, LinkName, Mark};

/// The first byte of a group that is Pontoon's. Groups below 0x5000_0000 are left to people.
const PONTOON: u32 = 0x50 << 24;
const INSTANCE_BITS: u32 = 22;
/// Protocol numbers from here on are used by no routing daemon of iproute2's rt_protos (the highest there below 186 is 42).
const FIRST_PROTOCOL: u8 = 100;
const PROTOCOLS: u32 = 64;
/// What the alternative names begin with that devices get when they are taken for containers, by whichever instance. Longer than any link's first name.
pub(crate) const TAGS: &str = "pontoon-";

/// The marks of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    instance: u32,
}

impl Marks {
    pub fn new(instance: u32) -> Self {
        Self { instance: instance & ((1 << INSTANCE_BITS) - 1) }
    }

    /// The instance's id.
    pub fn instance(self) -> u32 {
        self.instance
    }

    /// The group (IFLA_GROUP) of a link that is in use.
    pub fn owned(self) -> u32 {
        PONTOON | self.instance << 2 | 1
    }

    /// The group of a link that waits for the reaper.
    pub fn condemned(self) -> u32 {
        PONTOON | self.instance << 2 | 2
    }

    /// The group of those that are deleted now.
    pub fn dying(self) -> u32 {
        PONTOON | self.instance << 2 | 3
    }

    /// What a link's group says.
    pub fn read(self, group: u32) -> Mark {
        match group {
            g if g == self.owned() => Mark::Owned,
            g if g == self.condemned() || g == self.dying() => Mark::Condemned,
            _ => Mark::Foreign,
        }
    }

    /// The alternative name of a device that this instance takes: what it was on the host is in it.
    pub fn tag(self, index: u32, name: &LinkName) -> String {
        format!("{}{index:x}-{name}", self.tags())
    }

    /// What a tag says, if it is this instance's.
    pub fn read_tag(self, tag: &str) -> Option<Device> {
        let (index, name) = tag.strip_prefix(&self.tags())?.split_once('-')?;
        let (index, name) = (u32::from_str_radix(index, 16).ok()?, LinkName::new(name).ok()?);
        Some(Device { index, name, inside: None, before: None })
    }

    fn tags(self) -> String {
        format!("{TAGS}{:06x}-", self.instance)
    }

    /// RTPROT_*, FRA_PROTOCOL, NDA_PROTOCOL and IFA_PROTO. One byte: two of many instances may share it, so it only narrows a list down.
    pub fn protocol(self) -> u8 {
        FIRST_PROTOCOL + (self.instance % PROTOCOLS) as u8
    }
}
