//! How the API says no: a status by the error's kind, and the error itself as JSON, whoever found it.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::frontend::http::Unread;
use words::{Error, Kind};

/// What a handler answers.
pub type Answer<T> = Result<T, Refusal>;

/// An error on its way to the client.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: Error,
}

impl Refusal {
    /// An error with a status that HTTP has a better word for than its kind's.
    pub fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }

    /// A client that takes too long.
    pub fn too_slow(what: &str, within: std::time::Duration) -> Self {
        let error = Error::new(Kind::Unavailable, format!("{what} within {} seconds", within.as_secs_f32()));
        Self::new(StatusCode::REQUEST_TIMEOUT, error)
    }
}

impl From<Unread> for Refusal {
    fn from(Unread(status, error): Unread) -> Self {
        Self::new(status, error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(status(error.kind), error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}

/// The HTTP status of an error's kind.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::InvalidArgument => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::AlreadyExists => StatusCode::CONFLICT,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Answers for a path that the API does not have.
pub async fn no_route(uri: Uri) -> Refusal {
    Error::not_found(format!("there is no route {:?}; GET /openapi.json lists them", uri.path())).into()
}

/// Answers for a method that a path does not have.
pub async fn no_method(method: Method, uri: Uri) -> Refusal {
    let error = Error::invalid(format!("{:?} has no method {method}; GET /openapi.json lists them", uri.path()));
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status() {
        let table = [
            (Kind::InvalidArgument, 400),
            (Kind::NotFound, 404),
            (Kind::AlreadyExists, 409),
            (Kind::Forbidden, 403),
            (Kind::NotImplemented, 501),
            (Kind::Unavailable, 503),
            (Kind::Internal, 500),
        ];
        for (kind, number) in table {
            assert_eq!(status(kind).as_u16(), number, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn an_error_is_its_own_body() {
        let mut error = Error::forbidden("no grant for \"eth0\"");
        error.errno = Some(1);
        let response = Refusal::from(error.clone()).into_response();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(serde_json::from_slice::<Error>(&body).unwrap(), error);
    }
}
