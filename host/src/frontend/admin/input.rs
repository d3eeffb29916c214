//! Takes a request apart: path, query and body, each under its limit, each refusal as the API's error.

use std::error::Error as _;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::Api;
use super::answer::Refusal;
use super::limits::{MAX_COMPONENT, MAX_JSON};
use words::Error;

/// The variable parts of the path.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(e) => Err(Error::invalid(format!("the path can't be read: {}", e.body_text())).into()),
        }
    }
}

/// The query.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, api).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(e) => {
                let why = e.source().map_or_else(|| e.body_text(), ToString::to_string);
                Err(Error::invalid(format!("the query can't be read: {why}")).into())
            }
        }
    }
}

/// A JSON body. Its content type is not looked at: no route takes two.
pub struct Given<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Api> for Given<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let bytes = read(request, MAX_JSON, api.limits.body).await?;
        match serde_json::from_slice(&bytes) {
            Ok(given) => Ok(Self(given)),
            Err(e) => Err(Error::invalid(format!("the body can't be read: {e}")).into()),
        }
    }
}

/// A component as the body.
pub struct Component(pub Vec<u8>);

impl FromRequest<Api> for Component {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let bytes = read(request, MAX_COMPONENT, api.limits.body).await?;
        if bytes.is_empty() {
            return Err(Error::invalid("the body is empty: it must be the component's bytes").into());
        }
        Ok(Self(bytes.into()))
    }
}

/// Reads a body. One that says itself that it is too large is refused before its first byte is read.
async fn read(request: Request, limit: usize, within: Duration) -> Result<Bytes, Refusal> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::too_large(limit));
    }
    let body: Body = request.into_body();
    let Ok(read) = tokio::time::timeout(within, to_bytes(body, limit)).await else {
        return Err(Refusal::too_slow("the body did not arrive", within));
    };
    read.map_err(|e| match e.source().is_some_and(|s| s.is::<LengthLimitError>()) {
        true => Refusal::too_large(limit),
        false => Error::invalid(format!("the body broke off: {e}")).into(),
    })
}
