//! The marks by which an instance of Pontoon knows again what it made: a link's group and a protocol number.

use crate::Mark;

/// The first byte of a group that is Pontoon's. Groups below 0x5000_0000 are left to people.
const PONTOON: u32 = 0x50 << 24;
const INSTANCE_BITS: u32 = 22;
/// Protocol numbers from here on are used by no routing daemon of iproute2's rt_protos (the highest there below 186 is 42).
const FIRST_PROTOCOL: u8 = 100;
const PROTOCOLS: u32 = 64;

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

    /// RTPROT_*, FRA_PROTOCOL, NDA_PROTOCOL and IFA_PROTO. One byte: two of many instances may share it, so it only narrows a list down.
    pub fn protocol(self) -> u8 {
        FIRST_PROTOCOL + (self.instance % PROTOCOLS) as u8
    }
}
