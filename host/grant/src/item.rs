//! One thing that a grant names.

use std::fmt;

use super::{Hook, Limit, MarkBits, NamespaceKind, Permission, Range, Sysctl};

/// One thing that a grant names. It is shown as `KEY: WORD`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the cases are the keys of a grant")]
pub enum Item {
    Permission(Permission),
    Namespace(NamespaceKind),
    Address(Range),
    Pool(Range),
    Route(Range),
    Parent(String),
    Sysctl(Sysctl),
    Hook(Hook, i32),
    MarkBits(MarkBits),
    Table(String),
    Limit(Limit, u64),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(permission) => write!(f, "permissions: {permission}"),
            Self::Namespace(kind) => write!(f, "namespaces: {kind}"),
            Self::Address(range) => write!(f, "addresses: {range}"),
            Self::Pool(range) => write!(f, "pools: {range}"),
            Self::Route(range) => write!(f, "routes: {range}"),
            Self::Parent(name) => write!(f, "parents: {name}"),
            Self::Sysctl(sysctl) => write!(f, "sysctls: {sysctl}"),
            Self::Hook(hook, priority) => write!(f, "hooks: {hook} {priority}"),
            Self::MarkBits(bits) => write!(f, "mark-bits: {bits}"),
            Self::Table(name) => write!(f, "tables: {name}"),
            Self::Limit(limit, value) => write!(f, "limits: {limit} {value}"),
        }
    }
}
