//! Takes a request apart: path, query and body, each under its limit, each refusal as the API's error.

use std::error::Error as _;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Api;
use super::answer::Refusal;
use crate::controller::DRIVER_FILE;
use crate::frontend::http::limits::{MAX_COMPONENT, MAX_JSON};
use crate::frontend::http::read;
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

/// A driver's file as the body.
pub struct Moved(pub Vec<u8>);

impl FromRequest<Api> for Moved {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        Ok(Self(read(request, DRIVER_FILE, api.limits.body).await?.into()))
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
