//! What belongs to no object: the version, the API's description, garbage collection, the doctor.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::Api;
use super::answer::Answer;
use super::input::Asked;
use crate::controller::Controller;
use crate::doctor::{Daemon, examine};
use operation::finding::Finding;
use operation::table::{Collected, Version};
use words::Error;

/// Tells which Pontoon this is.
#[utoipa::path(get, path = "/version", tag = "system", operation_id = "version",
    responses((status = 200, body = Version), (status = "default", body = Error, description = "Why not.")))]
pub async fn version(State(api): State<Api>) -> Json<Version> {
    Json(api.controller.version())
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "system", operation_id = "openapi",
    responses((status = 200, body = Object, description = "An OpenAPI 3.1 document.")))]
pub async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(super::document())
}

/// Removes what nothing owns any more: endpoints whose namespace is gone, what dockerd has forgotten, kernel objects without a record.
#[utoipa::path(post, path = "/gc", tag = "system", operation_id = "gc", params(Orphans),
    responses((status = 200, body = Collected), (status = "default", body = Error, description = "Why not.")))]
pub async fn gc(State(api): State<Api>, Asked(Orphans { orphans }): Asked<Orphans>) -> Answer<Json<Collected>> {
    let plugins = api.plugins.clone();
    let work = move |controller: Controller| async move {
        if orphans {
            controller.give_up_orphans().await?;
        }
        plugins.collect_garbage().await
    };
    Ok(Json(api.change(work).await?))
}

/// What is collected beside the rest.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Orphans {
    /// Also what a store does not know that is an older copy than the one that this machine's networks were made with.
    #[serde(default)]
    orphans: bool,
}

/// Looks at what stands between this machine and a working driver.
#[utoipa::path(get, path = "/doctor", tag = "system", operation_id = "doctor",
    responses((status = 200, body = Vec<Finding>), (status = "default", body = Error, description = "Why not.")))]
pub async fn doctor(State(api): State<Api>) -> Json<Vec<Finding>> {
    let daemon = Daemon { controller: &api.controller, published: api.plugins.published().await };
    Json(examine(&api.config, Some(daemon)).await)
}
