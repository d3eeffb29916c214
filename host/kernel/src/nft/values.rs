//! Maps that lead to a value: their form, and rules that look one up. A map to chains is `map`.

use crate::nft::expression::{
    Expressions, NFPROTO_IPV4, NFPROTO_IPV6, NFT_META_L4PROTO, NFT_NAT_DNAT, NFT_PAYLOAD_TRANSPORT_HEADER,
    NFTA_LOOKUP_SET, NFTA_NAT_TYPE, REGISTER, Test,
};
use crate::nft::map::{BEHIND_IT, DESTINATION_PORT, KEY_TYPE, NFT_SET_MAP, NFTA_SET_DATA_LEN, NFTA_SET_DATA_TYPE};
use crate::nft::message as m;
use crate::nft::statement::NFT_META_MARK;
use crate::transport::attribute::Writer;
use crate::{NftField, NftMap, NftSetKind};

const NFT_SET_INTERVAL: u32 = 4;
/// nft's types of what is in a set; two in one number have six bits each.
const IPV4_ADDR: u32 = 7;
const IPV6_ADDR: u32 = 8;
const INET_SERVICE: u32 = 13;
const MARK: u32 = 19;
/// NFTNL_UDATA_SET_KEYBYTEORDER, of four bytes: big-endian.
const BIG_ENDIAN: [u8; 6] = [0, 4, 2, 0, 0, 0];
/// And NFTNL_UDATA_SET_DATABYTEORDER: as the host has it.
const MARKS: [u8; 12] = [0, 4, 2, 0, 0, 0, 1, 4, 1, 0, 0, 0];
/// Where the port stands behind an IPv6 address that begins in the first register (NFT_REG32_04).
const BEHIND_IPV6: u32 = 12;

/// How the kernel has a set of a kind.
pub(super) struct Form {
    flags: u32,
    key: (u32, usize),
    value: Option<(u32, u32)>,
    /// What nft needs to print it.
    userdata: &'static [u8],
}

impl Form {
    pub fn of(kind: NftSetKind) -> Self {
        let set = |key| Self { flags: NFT_SET_INTERVAL, key: (key, kind.bytes()), value: None, userdata: &BIG_ENDIAN };
        let marks = |key| {
            let value = Some((MARK, 4));
            Self { flags: NFT_SET_INTERVAL | NFT_SET_MAP, value, userdata: &MARKS, ..set(key) }
        };
        let ports = |address: u32, bytes| {
            let value = Some((address << 6 | INET_SERVICE, bytes));
            Self { flags: NFT_SET_MAP, value, userdata: &[], ..set(KEY_TYPE) }
        };
        match kind {
            NftSetKind::Ipv4 => set(IPV4_ADDR),
            NftSetKind::Ipv6 => set(IPV6_ADDR),
            NftSetKind::Ports => set(INET_SERVICE),
            NftSetKind::HostPorts4 => ports(IPV4_ADDR, 8),
            NftSetKind::HostPorts6 => ports(IPV6_ADDR, 20),
            NftSetKind::Marks4 => marks(IPV4_ADDR),
            NftSetKind::Marks6 => marks(IPV6_ADDR),
        }
    }

    /// Behind the set's names. `id`: its number in the transaction.
    pub fn put(&self, names: Writer, id: u32) -> Writer {
        let (key, bytes) = self.key;
        let body = names
            .put_big(m::NFTA_SET_FLAGS, self.flags)
            .put_big(m::NFTA_SET_KEY_TYPE, key)
            .put_big(m::NFTA_SET_KEY_LEN, u32::try_from(bytes).unwrap_or(u32::MAX));
        let body = match self.value {
            Some((value, bytes)) => body.put_big(NFTA_SET_DATA_TYPE, value).put_big(NFTA_SET_DATA_LEN, bytes),
            None => body,
        };
        let body = body.put_big(m::NFTA_SET_ID, id);
        if self.userdata.is_empty() { body } else { body.put(m::NFTA_SET_USERDATA, self.userdata) }
    }
}

impl Expressions {
    /// What comes to a port of the host on any address of the family, to where the map says. For what it does not have, the rule ends.
    pub(super) fn translate_by(self, map: &NftMap) -> Self {
        let (family, port) = match map.kind {
            NftSetKind::HostPorts6 => (NFPROTO_IPV6, BEHIND_IPV6),
            _ => (NFPROTO_IPV4, BEHIND_IT),
        };
        let (offset, length) = DESTINATION_PORT;
        let load = Writer::default().put_big(1, BEHIND_IT).put_big(2, NFT_PAYLOAD_TRANSPORT_HEADER);
        let nat = Writer::default().put_big(NFTA_NAT_TYPE, NFT_NAT_DNAT).put_big(2, family.into());
        self.only(family)
            .destination_local(false)
            .meta(NFT_META_L4PROTO)
            .add("payload", load.put_big(3, offset).put_big(4, length))
            .look_up(map)
            .add("nat", nat.put_big(3, REGISTER).put_big(5, port))
    }

    /// The mark becomes what the map has for an address, where it has no bits but these.
    pub(super) fn set_mark_by(self, field: NftField, map: &NftMap, mask: u32) -> Self {
        let this = match !mask {
            0 => self,
            others => self.meta(NFT_META_MARK).mask(&others.to_ne_bytes()).compare(Test::Equal, &[0; 4]),
        };
        let set = Writer::default().put_big(2, NFT_META_MARK).put_big(3, REGISTER);
        this.part(field, map.kind).look_up(map).add("meta", set)
    }

    /// What the first register has becomes what the map has for it.
    fn look_up(self, map: &NftMap) -> Self {
        let lookup = Writer::default().put_text(NFTA_LOOKUP_SET, &map.name).put_big(2, REGISTER);
        self.add("lookup", lookup.put_big(3, REGISTER))
    }
}
