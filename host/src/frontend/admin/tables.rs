//! `/networks/{network}/tables`: list, put, remove entries, as another host would.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::answer::Answer;
use super::input::{Given, Segments};
use operation::table::{Entry, PutEntry};
use words::Error;

/// Lists the entries of all tables of a network.
#[utoipa::path(get, path = "/networks/{network}/tables", tag = "tables", operation_id = "entries",
    params(("network" = String, Path, description = "Name, id, or the start of an id that only one has.")),
    responses((status = 200, body = Vec<Entry>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list(State(api): State<Api>, Segments(network): Segments<String>) -> Answer<Json<Vec<Entry>>> {
    Ok(Json(api.controller.entries(&network, None).await?))
}

/// Lists the entries of one table.
#[utoipa::path(get, path = "/networks/{network}/tables/{table}", tag = "tables", operation_id = "entries_of",
    params(
        ("network" = String, Path, description = "Name, id, or the start of an id that only one has."),
        ("table" = String, Path, description = "The table."),
    ),
    responses((status = 200, body = Vec<Entry>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list_of(
    State(api): State<Api>,
    Segments((network, table)): Segments<(String, String)>,
) -> Answer<Json<Vec<Entry>>> {
    Ok(Json(api.controller.entries(&network, Some(&table)).await?))
}

/// Puts an entry.
#[utoipa::path(put, path = "/networks/{network}/tables/{table}/{key}", tag = "tables", operation_id = "put_entry",
    params(
        ("network" = String, Path, description = "Name, id, or the start of an id that only one has."),
        ("table" = String, Path, description = "The table."),
        ("key" = String, Path, description = "The key."),
    ),
    request_body = PutEntry,
    responses((status = 204, description = "It is there."), (status = "default", body = Error, description = "Why not.")))]
pub async fn put(
    State(api): State<Api>,
    Segments((network, table, key)): Segments<(String, String, String)>,
    Given(put): Given<PutEntry>,
) -> Answer<StatusCode> {
    api.change(move |c| async move { c.put_entry(&network, &table, &key, put).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an entry.
#[utoipa::path(delete, path = "/networks/{network}/tables/{table}/{key}", tag = "tables", operation_id = "remove_entry",
    params(
        ("network" = String, Path, description = "Name, id, or the start of an id that only one has."),
        ("table" = String, Path, description = "The table."),
        ("key" = String, Path, description = "The key."),
    ),
    responses((status = 204, description = "It is gone."), (status = "default", body = Error, description = "Why not.")))]
pub async fn remove(
    State(api): State<Api>,
    Segments((network, table, key)): Segments<(String, String, String)>,
) -> Answer<StatusCode> {
    api.change(move |c| async move { c.remove_entry(&network, &table, &key).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
