//! Features of links, as ethtool has them (net/ethtool/features.c, `netdev_features` of each driver).

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::LinkOption;
use crate::fake::fields::Fields;
use crate::fake::link::Kind;
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::link::feature as ethtool;
use crate::options::Place;
use crate::transport::attribute::{Writer, attributes};
use crate::transport::socket::Message;

/// The number that a machine's kernel gave the family.
pub(super) const FAMILY: u16 = 0x15;

/// What can be changed of a new link of a kind, and whether it is wanted.
pub(super) fn first(kind: &Kind, option: LinkOption) -> Option<u32> {
    use LinkOption::{ReceiveGrouping, TcpSegmentation, TransmitChecksums};
    match (kind, option) {
        (Kind::Macvlan { .. } | Kind::Ipvlan { .. }, TransmitChecksums | TcpSegmentation) => None,
        (Kind::Loopback, TransmitChecksums) => None,
        (Kind::Veth { .. }, ReceiveGrouping) => Some(0),
        _ => Some(1),
    }
}

impl Machine {
    pub fn feature_message(&mut self, at: SpaceId, command: u8, fields: &Fields) -> Reply {
        let header = fields.nested(ethtool::ETHTOOL_A_FEATURES_HEADER, 0)?.ok_or(Errno::INVAL)?;
        let index = header.number(ethtool::ETHTOOL_A_HEADER_DEV_INDEX)?.ok_or(Errno::INVAL)?;
        let id = self.by_index(at, index).ok_or(Errno::NODEV)?;
        let set = &mut self.links.get_mut(&id).ok_or(Errno::NODEV)?.options.set;
        let features = set.iter_mut().filter_map(|(option, value)| match option.place() {
            Place::Feature(name) => Some((name, value)),
            _ => None,
        });
        match command {
            ethtool::ETHTOOL_MSG_FEATURES_GET => {
                let (mut can_change, mut wanted) = (Writer::default(), Writer::default());
                for (name, value) in features {
                    let bit = || Writer::default().put_text(ethtool::ETHTOOL_A_BITSET_BIT_NAME, name);
                    let on = bit().put(ethtool::ETHTOOL_A_BITSET_BIT_VALUE, &[]);
                    can_change = can_change.nest(ethtool::ETHTOOL_A_BITSET_BITS_BIT, on);
                    if *value != 0 {
                        wanted = wanted.nest(ethtool::ETHTOOL_A_BITSET_BITS_BIT, bit());
                    }
                }
                let set = |bits| Writer::default().nest(ethtool::ETHTOOL_A_BITSET_BITS, bits);
                let body = Writer::after(&[command, 1, 0, 0])
                    .nest(ethtool::ETHTOOL_A_FEATURES_HW, set(can_change))
                    .nest(ethtool::ETHTOOL_A_FEATURES_WANTED, set(wanted));
                Ok(vec![Message { body: body.finish() }])
            }
            ethtool::ETHTOOL_MSG_FEATURES_SET => {
                let wanted = fields.nested(ethtool::ETHTOOL_A_FEATURES_WANTED, 0)?.ok_or(Errno::INVAL)?;
                let mut changes = BTreeMap::new();
                for bit in attributes(wanted.must(ethtool::ETHTOOL_A_BITSET_BITS)?) {
                    let bit = Fields::after(bit.map_err(|_| Errno::INVAL)?.1, 0)?;
                    let name = bit.text(ethtool::ETHTOOL_A_BITSET_BIT_NAME).ok_or(Errno::INVAL)?;
                    let on = bit.get(ethtool::ETHTOOL_A_BITSET_BIT_VALUE).is_some();
                    changes.insert(name, u32::from(on));
                }
                features.for_each(|(name, now)| *now = changes.get(name).copied().unwrap_or(*now));
                Ok(Vec::new())
            }
            _ => Err(Errno::OPNOTSUPP),
        }
    }
}
