//! Names, keys and messages that mean something to somebody else.

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::{Error, Result, namespaces, store, tables};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("path-as-a-link", |_| links::add_one(LinkSpec::bridge(LinkEnd::named("../../x"))).map(drop)),
    ("format-as-a-link", |_| links::add_one(LinkSpec::bridge(LinkEnd::named("h%s%n"))).map(drop)),
    ("escape-as-a-link", |_| links::add_one(LinkSpec::bridge(LinkEnd::named("h\u{1b}[2J"))).map(drop)),
    ("path-as-a-namespace", |_| namespaces::add("../../etc").map(drop)),
    ("path-as-a-table", |_| tables::put("own/../peers", "k", b"")),
    ("nul-as-a-key", |_| store::set_bytes("a\0b", b"")),
    ("statement-as-a-key", statement_as_a_key),
    ("huge-key", |_| store::set_bytes(&"k".repeat(100_000), b"")),
    ("huge-value", |_| store::set_bytes("k", &[0; 200_000])),
    ("escapes-in-an-error", |_| Err(Error::internal("\u{1b}[2J\u{1b}]0;owned\u{7}\nroot# \u{202e}done"))),
    ("endless-error", |_| Err(Error::internal("x".repeat(500_000)))),
];

/// It is a key like any other.
fn statement_as_a_key(_: &Stage) -> Result<()> {
    let key = "'; DROP TABLE networks; --";
    store::set_bytes(key, b"x")?;
    Err(Error::internal(format!("{:?} under a key of that name", store::get_bytes(key)?)))
}
