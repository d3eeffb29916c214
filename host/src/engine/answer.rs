//! What the host answers, as JSON and back: a recording keeps it, and a replay answers it again.
//!
//! A handle is kept as its number: a replayed call gets the same numbers, and nothing behind them.

use serde_json::{Value, json};
use wasmtime::component::Resource;

use super::bindings::imports::{links, neighbours, routes, rules, tables, types};

/// A value that the host answers.
pub trait Answered: Sized {
    /// As JSON.
    fn keep(&self) -> Value;

    /// What was kept; none where it is something else.
    fn kept(value: &Value) -> Option<Self>;
}

/// A value that can be an item of a list: all but a byte, of which a list is kept as text.
pub trait Item: Answered {}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Answered for $type {
            fn keep(&self) -> Value {
                json!(self)
            }

            fn kept(value: &Value) -> Option<Self> {
                serde_json::from_value(value.clone()).ok()
            }
        }

        impl Item for $type {}
    )*};
}

macro_rules! record {
    ($type:ty { $($field:ident),* }) => {
        impl Answered for $type {
            fn keep(&self) -> Value {
                json!({ $(stringify!($field): self.$field.keep()),* })
            }

            fn kept(value: &Value) -> Option<Self> {
                Some(Self { $($field: Answered::kept(value.get(stringify!($field))?)?),* })
            }
        }

        impl Item for $type {}
    };
}

plain!((), bool, i32, u16, u32, u64, String, types::MacAddress);

record!(links::AddedLink { link, peer });
record!(links::LinkInfo { name, kind, mac_address, mtu, up, running, master });
record!(neighbours::ForwardingInfo { mac_address, remote });
record!(neighbours::NeighbourInfo { address, mac_address });
record!(routes::RouteInfo { destination, gateway, table, metric });
record!(rules::RuleInfo { priority, source, destination, mark, table });
record!(tables::Entry { key, value, is_own });

impl Answered for types::IpNetwork {
    fn keep(&self) -> Value {
        json!([self.address.keep(), self.prefix_length])
    }

    fn kept(value: &Value) -> Option<Self> {
        let prefix_length = u8::try_from(value.get(1)?.as_u64()?).ok()?;
        Some(Self { address: Answered::kept(value.get(0)?)?, prefix_length })
    }
}

impl Item for types::IpNetwork {}

impl Answered for types::IpAddress {
    fn keep(&self) -> Value {
        json!(crate::capability::convert::address(*self))
    }

    fn kept(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok().map(crate::capability::convert::address_to_wit)
    }
}

impl<T: Answered> Answered for Option<T> {
    fn keep(&self) -> Value {
        // In a list of its own, because some values are kept as null.
        self.as_ref().map_or(Value::Null, |value| json!([value.keep()]))
    }

    fn kept(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => Some(Some(T::kept(value.get(0)?)?)),
        }
    }
}

impl<T: Item> Answered for Vec<T> {
    fn keep(&self) -> Value {
        self.iter().map(Answered::keep).collect()
    }

    fn kept(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::kept).collect()
    }
}

/// In hexadecimal digits.
impl Answered for Vec<u8> {
    fn keep(&self) -> Value {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
        Value::String(self.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }

    fn kept(value: &Value) -> Option<Self> {
        let digits: Vec<u8> =
            value.as_str()?.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
        digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}

impl<A: Answered, B: Answered> Answered for (A, B) {
    fn keep(&self) -> Value {
        json!([self.0.keep(), self.1.keep()])
    }

    fn kept(value: &Value) -> Option<Self> {
        Some((A::kept(value.get(0)?)?, B::kept(value.get(1)?)?))
    }
}

impl<A: Answered, B: Answered> Item for (A, B) {}

impl<T: 'static> Answered for Resource<T> {
    fn keep(&self) -> Value {
        json!(self.rep())
    }

    fn kept(value: &Value) -> Option<Self> {
        Some(Self::new_own(value.as_u64()?.try_into().ok()?))
    }
}

/// About how many bytes a value takes.
pub fn size(value: &Value) -> usize {
    16 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `value` is after it was kept, as text.
    fn again<T: Answered + std::fmt::Debug>(value: &T) -> String {
        let text = value.keep().to_string();
        format!("{:?}", T::kept(&serde_json::from_str(&text).unwrap()).unwrap())
    }

    #[test]
    fn what_is_kept_is_what_was_answered() {
        let v4 = types::IpAddress::Ipv4((10, 0, 0, 1));
        let network = types::IpNetwork { address: types::IpAddress::Ipv6((1, 2, 3, 4, 5, 6, 7, 8)), prefix_length: 64 };
        let entry = tables::Entry { key: "k".into(), value: vec![0, 171, 255], is_own: true };
        let route = routes::RouteInfo { destination: network, gateway: Some(v4), table: 254, metric: None };
        assert_eq!(again(&Some(vec![entry.clone()])), format!("{:?}", Some(vec![entry])));
        assert_eq!(again(&vec![route]), format!("{:?}", vec![route]));
        for value in [None, Some(())] {
            assert_eq!(again(&value), format!("{value:?}"));
        }
        let pairs = vec![("a".to_owned(), vec![1_u8]), ("b".to_owned(), vec![])];
        assert_eq!(again(&pairs), format!("{pairs:?}"));
        let bad = [json!("abc"), json!("zz"), json!([1]), json!(7)];
        assert!(bad.iter().all(|value| <Vec<u8>>::kept(value).is_none()));
        assert!(<Option<u16>>::kept(&json!([70000])).is_none());
    }
}
