//! What `pontoon doctor` found.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What was looked at, e.g. `plugin folder` or `driver bridge`.
    pub check: String,
    /// How bad it is.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing stands in the way.
    Ok,
    /// It works, but not for everybody or not for long.
    Warning,
    /// A driver can't work, or root's rights are open to others.
    Problem,
    /// It could not be looked at.
    Unknown,
}

impl Finding {
    /// All is well.
    pub fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), status: Status::Ok, found: found.into(), advice: None }
    }

    /// Something that works, but not for everybody or not for long.
    pub fn warning(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Warning, advice: Some(advice.into()), ..Self::ok(check, found) }
    }

    /// Something that keeps drivers from working.
    pub fn problem(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Problem, advice: Some(advice.into()), ..Self::ok(check, found) }
    }

    /// Something that could not be looked at: `why`, and what helps.
    pub fn unknown(check: impl Into<String>, why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Unknown, advice: Some(advice.into()), ..Self::ok(check, why) }
    }
}
