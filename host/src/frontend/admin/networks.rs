//! `/networks`: create, list, inspect, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Api;
use super::answer::Answer;
use super::input::{Asked, Given, Segments};
use operation::network::{CreateNetwork, CreatedNetwork, Network, NetworkDetails, Removed};
use words::Error;

/// The query of [`inspect`].
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Tell its table entries and kernel objects, too.
    #[serde(default)]
    verbose: bool,
}

/// Makes a network.
#[utoipa::path(post, path = "/networks", tag = "networks", operation_id = "create_network",
    request_body = CreateNetwork,
    responses(
        (status = 201, body = CreatedNetwork, description = "It is there, and stays over restarts and reboots."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn create(
    State(api): State<Api>,
    Given(create): Given<CreateNetwork>,
) -> Answer<(StatusCode, Json<CreatedNetwork>)> {
    let created = api.change(move |c| async move { c.create_network(create).await }).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Lists the networks.
#[utoipa::path(get, path = "/networks", tag = "networks", operation_id = "networks",
    responses((status = 200, body = Vec<Network>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list(State(api): State<Api>) -> Answer<Json<Vec<Network>>> {
    Ok(Json(api.controller.networks().await?))
}

/// Tells all of one network.
#[utoipa::path(get, path = "/networks/{network}", tag = "networks", operation_id = "network",
    params(("network" = String, Path, description = "Name, id, or the start of an id that only one has."), How),
    responses((status = 200, body = NetworkDetails), (status = "default", body = Error, description = "Why not.")))]
pub async fn inspect(
    State(api): State<Api>,
    Segments(network): Segments<String>,
    Asked(how): Asked<How>,
) -> Answer<Json<NetworkDetails>> {
    Ok(Json(api.controller.network(&network, how.verbose).await?))
}

/// Removes a network without endpoints.
#[utoipa::path(delete, path = "/networks/{network}", tag = "networks", operation_id = "remove_network",
    params(("network" = String, Path, description = "Name, id, or the start of an id that only one has.")),
    responses(
        (status = 200, body = Removed, description = "It is gone, and this with it."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn remove(State(api): State<Api>, Segments(network): Segments<String>) -> Answer<Json<Removed>> {
    Ok(Json(api.change(move |c| async move { c.remove_network(&network).await }).await?))
}
