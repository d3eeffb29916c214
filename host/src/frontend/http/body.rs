//! A request's body, read whole within its limits.

use std::error::Error as _;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::LengthLimitError;

use words::{Error, Kind};

/// Why a body was not read: HTTP's status for it, and the words.
#[derive(Debug)]
pub struct Unread(pub StatusCode, pub Error);

/// Reads a body. One that says itself that it is too large is refused before its first byte is read.
pub async fn read(request: Request, limit: usize, within: Duration) -> Result<Bytes, Unread> {
    let too_large = || {
        let error = Error::invalid(format!("the body is larger than {limit} bytes"));
        Unread(StatusCode::PAYLOAD_TOO_LARGE, error)
    };
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let Ok(read) = tokio::time::timeout(within, to_bytes(request.into_body(), limit)).await else {
        let late = format!("the body did not arrive within {} seconds", within.as_secs_f32());
        return Err(Unread(StatusCode::REQUEST_TIMEOUT, Error::new(Kind::Unavailable, late)));
    };
    read.map_err(|e| match e.source().is_some_and(|s| s.is::<LengthLimitError>()) {
        true => too_large(),
        false => Unread(StatusCode::BAD_REQUEST, Error::invalid(format!("the body broke off: {e}"))),
    })
}
