//! `/nodes`: list, inspect, drain, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::answer::Answer;
use super::input::{Given, Segments};
use operation::node::{Node, NodeDetails, NodeUpdate};
use words::{Error, Name};

/// Lists the nodes of the cluster, also those that are gone and have something there still.
#[utoipa::path(get, path = "/nodes", tag = "nodes", operation_id = "nodes",
    responses((status = 200, body = Vec<Node>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list(State(api): State<Api>) -> Answer<Json<Vec<Node>>> {
    Ok(Json(api.controller.nodes().await?))
}

/// Tells all of one node.
#[utoipa::path(get, path = "/nodes/{node}", tag = "nodes", operation_id = "node",
    params(("node" = String, Path, description = "Its name.")),
    responses((status = 200, body = NodeDetails), (status = "default", body = Error, description = "Why not.")))]
pub async fn inspect(State(api): State<Api>, Segments(node): Segments<Name>) -> Answer<Json<NodeDetails>> {
    Ok(Json(api.controller.node(&node).await?))
}

/// Has a node take new endpoints, or none. What it has stays.
#[utoipa::path(put, path = "/nodes/{node}", tag = "nodes", operation_id = "update_node",
    params(("node" = String, Path, description = "Its name.")), request_body = NodeUpdate,
    responses((status = 204, description = "It does."), (status = "default", body = Error, description = "Why not.")))]
pub async fn update(
    State(api): State<Api>,
    Segments(node): Segments<Name>,
    Given(update): Given<NodeUpdate>,
) -> Answer<StatusCode> {
    api.change(move |c| async move { c.update_node(&node, update.availability).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes away what a node has that is gone for ever: its addresses, endpoints and entries.
#[utoipa::path(delete, path = "/nodes/{node}", tag = "nodes", operation_id = "remove_node",
    params(("node" = String, Path, description = "Its name.")),
    responses((status = 204, description = "It is gone."), (status = "default", body = Error, description = "Why not.")))]
pub async fn remove(State(api): State<Api>, Segments(node): Segments<Name>) -> Answer<StatusCode> {
    api.change(move |c| async move { c.remove_node(&node).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
