//! `/endpoints` and `/networks/{network}/endpoints`: attach, list, detach.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Api;
use super::answer::Answer;
use super::input::{Asked, Given, Segments};
use operation::endpoint::{Attach, Attached, Endpoint};
use operation::network::Removed;
use words::Error;

/// The query of [`list`].
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of this network only.
    network: Option<String>,
}

/// Attaches a network namespace to a network.
#[utoipa::path(post, path = "/networks/{network}/endpoints", tag = "endpoints", operation_id = "attach",
    params(("network" = String, Path, description = "Name, id, or the start of an id that only one has.")),
    request_body = Attach,
    responses(
        (status = 201, body = Attached, description = "It is attached."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn attach(
    State(api): State<Api>,
    Segments(network): Segments<String>,
    Given(attach): Given<Attach>,
) -> Answer<(StatusCode, Json<Attached>)> {
    let attached = api.change(move |c| async move { c.attach(&network, attach).await }).await?;
    Ok((StatusCode::CREATED, Json(attached)))
}

/// Lists the endpoints.
#[utoipa::path(get, path = "/endpoints", tag = "endpoints", operation_id = "endpoints", params(Which),
    responses((status = 200, body = Vec<Endpoint>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list(State(api): State<Api>, Asked(which): Asked<Which>) -> Answer<Json<Vec<Endpoint>>> {
    Ok(Json(api.controller.endpoints(which.network.as_deref()).await?))
}

/// Lists the endpoints of one network.
#[utoipa::path(get, path = "/networks/{network}/endpoints", tag = "endpoints", operation_id = "endpoints_of",
    params(("network" = String, Path, description = "Name, id, or the start of an id that only one has.")),
    responses((status = 200, body = Vec<Endpoint>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list_of(State(api): State<Api>, Segments(network): Segments<String>) -> Answer<Json<Vec<Endpoint>>> {
    Ok(Json(api.controller.endpoints(Some(&network)).await?))
}

/// Detaches an endpoint that only one network has.
#[utoipa::path(delete, path = "/endpoints/{endpoint}", tag = "endpoints", operation_id = "detach",
    params(("endpoint" = String, Path, description = "Name, id, the start of an id, or the namespace.")),
    responses(
        (status = 200, body = Removed, description = "It is gone, and this with it."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn detach(State(api): State<Api>, Segments(endpoint): Segments<String>) -> Answer<Json<Removed>> {
    Ok(Json(api.change(move |c| async move { c.detach(None, &endpoint).await }).await?))
}

/// Detaches an endpoint of one network.
#[utoipa::path(delete, path = "/networks/{network}/endpoints/{endpoint}", tag = "endpoints", operation_id = "detach_from",
    params(
        ("network" = String, Path, description = "Name, id, or the start of an id that only one has."),
        ("endpoint" = String, Path, description = "Name, id, the start of an id, or the namespace."),
    ),
    responses(
        (status = 200, body = Removed, description = "It is gone, and this with it."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn detach_from(
    State(api): State<Api>,
    Segments((network, endpoint)): Segments<(String, String)>,
) -> Answer<Json<Removed>> {
    Ok(Json(api.change(move |c| async move { c.detach(Some(&network), &endpoint).await }).await?))
}
