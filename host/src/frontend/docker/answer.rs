//! What goes back: always JSON, with a status that dockerd does not retry.
//!
//! An error has its text twice: the network driver's client reads `Err`, the address management's `Error`. Its status is never
//! 200, because then the client shows the method's name before the text, and both clients see that it is an error.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use words::Error;
use words::foreign::{MESSAGE_BYTES, printable};

/// What dockerd's `Accept` asks for; it looks at no `Content-Type` itself.
const CONTENT_TYPE: &str = "application/vnd.docker.plugins.v1.2+json";

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    /// It was done.
    pub fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body }
    }

    /// It failed. dockerd shows the text to the user and writes it to its log as it is, so it is made printable here.
    pub fn failed(status: StatusCode, error: &Error) -> Self {
        let text = printable(&error.message, MESSAGE_BYTES);
        // An empty text would be a success.
        let text = if text.is_empty() { "failed without saying why".to_owned() } else { text };
        Self { status, body: json!({"Err": text, "Error": text}) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = self.body.to_string();
        body.push('\n');
        (self.status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_clipped_and_printable() {
        let wild = format!("no \u{1b}[31m\n\u{202e}{}", "x".repeat(100_000));
        let answer = Answer::failed(StatusCode::INTERNAL_SERVER_ERROR, &Error::internal(wild));
        let text = answer.body["Err"].as_str().unwrap();
        assert!(text.starts_with("no \u{fffd}[31m\u{fffd}\u{fffd}xxx") && text.len() < 2 * MESSAGE_BYTES, "{text}");
        assert_eq!(answer.body["Err"], answer.body["Error"]);
    }

    #[test]
    fn an_error_without_a_text_is_still_one() {
        let answer = Answer::failed(StatusCode::NOT_FOUND, &Error::internal(""));
        assert_ne!(answer.body["Err"], "");
    }
}
