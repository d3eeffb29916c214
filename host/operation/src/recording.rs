//! Recorded calls: what a driver was called with, what it asked of the host and was answered, and how it ended. A call is determined by
//! that: it can be made again without a kernel.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use ask::{Answer, Arguments, Ask, Returned};
use words::{Error, Id, Name};

/// One call of a driver, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// Its number, in the order in which calls of this name's drivers ended, the first being 1.
    pub number: u64,
    /// The driver.
    pub driver: Name,
    /// SHA-256 of its component, in hexadecimal digits.
    pub component: String,
    /// The interface, e.g. `pontoon:driver@0.1.1`.
    pub interface: String,
    /// The exported function, e.g. `create-endpoint`.
    pub function: String,
    /// What it was called with: an object with the function's name, and below it its arguments.
    #[schema(value_type = Object)]
    pub arguments: Arguments,
    /// The network at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Id>,
    /// The endpoint at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Id>,
    /// What the driver asked of the host, in order.
    pub host_calls: Vec<RecordedHostCall>,
    /// The later host calls are missing, because all together were too large to keep: it can't be made again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// How the driver ended it.
    pub end: End,
    /// Why all was undone although the driver returned ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Error>,
    /// Microseconds from the instance's start to the commit's end.
    pub micros: u64,
}

/// One host call, with what was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordedHostCall {
    /// What was asked: an object with the function's name, e.g. `links.add`, and below it its arguments.
    #[schema(value_type = Object)]
    pub ask: Ask,
    /// What was answered.
    pub answer: HostAnswer,
    /// Microseconds.
    pub micros: u64,
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostAnswer {
    /// An object with the function's name, and below it the value.
    #[schema(value_type = Object)]
    Ok(Answer),
    /// An error, which the driver got.
    Error(Error),
    /// The end of the call.
    Trap(String),
}

/// How a driver ends a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It returned: an object with the function's name, and below it the value.
    #[schema(value_type = Object)]
    Returned(Returned),
    /// It returned an error.
    Failed(Error),
    /// It trapped, or a limit ended it.
    Trapped(Trap),
}

/// A call that did not return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trap {
    /// What whoever asked for the operation was told.
    pub message: String,
    /// Where: frames of WebAssembly, the innermost first.
    pub backtrace: Vec<String>,
}

/// An ask for people: its function, and its arguments as JSON.
pub fn text(ask: &Ask) -> String {
    format!("{}({})", ask.call().name(), inner(ask))
}

/// What stands below the name of an ask, an answer, or of what was returned: JSON on one line.
pub fn inner(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(object)) => object.into_iter().map(|(_, value)| value.to_string()).collect(),
        _ => String::new(),
    }
}
