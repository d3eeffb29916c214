//! `/drivers`: load, upgrade, roll back, list, inspect, remove; a driver's history, its component and its recorded calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use axum::Json;
use axum::extract::FromRequest;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::Api;
use super::answer::{Answer, Refusal};
use super::input::{Asked, Component, Given, Moved, Segments};
use crate::controller::{Controller, EARLIER};
use crate::frontend::http::limits::MAX_WAIT;
use crate::frontend::http::peer::Caller;
use grant::Audited;
use grant::Grant;
use operation::driver::{
    CurrentGrant, Driver, DriverDetails, DriverVersion, Forgot, Granting, LoadDriver, Signed, Source,
};
use operation::recording::Recording;
use words::foreign::{MESSAGE_BYTES, printable};
use words::{Error, Name};

/// Loads a driver.
#[utoipa::path(post, path = "/drivers", tag = "drivers", operation_id = "load_driver",
    params(
        ("name" = Name, Query, description = "The name that networks say."),
        ("set" = Option<Vec<String>>, Query, style = Form, explode = true,
            description = "KEY=VALUE: what the driver's `configuration` import answers. May be repeated."),
        ("grant" = Option<String>, Query, description = "A Grant as JSON text: what the driver may do. Without it: nothing."),
        ("grant-asked" = Option<bool>, Query, description = "`true`, instead of `grant`: whatever the driver asks for."),
        ("from" = Option<String>, Query, description = "Where the component comes from, for the driver's history."),
        ("signed" = Option<String>, Query, description = "A Signed as JSON text: who signed the component, for the host's policy."),
        ("allow-unsigned" = Option<bool>, Query, description = "`true`: without a signature, too, although the policy wants one."),
    ),
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component, at most 64 MiB."),
    responses(
        (status = 201, body = DriverDetails, description = "It is loaded and stays loaded over restarts."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn load(
    State(api): State<Api>,
    Asked(pairs): Asked<Vec<(String, String)>>,
    request: Request,
) -> Answer<(StatusCode, Json<DriverDetails>)> {
    let Settings { name, loading } = settings(pairs)?;
    let name = name.ok_or_else(|| Error::invalid("the query must have name=: the name that networks say"))?;
    let loaded = uploaded(&api, request, name, loading, |c, load| async move { c.load_driver(load).await });
    Ok((StatusCode::CREATED, Json(loaded.await?)))
}

/// Puts another component in a driver's place, while its networks carry packets.
#[utoipa::path(post, path = "/drivers/{name}/upgrade", tag = "drivers", operation_id = "upgrade_driver",
    params(
        ("name" = Name, Path, description = "The driver."),
        ("set" = Option<Vec<String>>, Query, style = Form, explode = true,
            description = "KEY=VALUE: what the driver's `configuration` import answers. May be repeated. Without it: what it answered before."),
        ("grant" = Option<String>, Query, description = "A Grant as JSON text: what the driver may do. Without it: what it might before."),
        ("grant-asked" = Option<bool>, Query, description = "`true`, instead of `grant`: whatever the driver asks for."),
        ("from" = Option<String>, Query, description = "Where the component comes from, for the driver's history."),
        ("signed" = Option<String>, Query, description = "A Signed as JSON text: who signed the component, for the host's policy."),
        ("allow-unsigned" = Option<bool>, Query, description = "`true`: without a signature, too, although the policy wants one."),
    ),
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component, at most 64 MiB."),
    responses(
        (status = 200, body = DriverDetails, description = "It serves from now on."),
        (status = "default", body = Error, description = "Why not. The one before serves on, and nothing has changed."),
    ))]
pub async fn upgrade(
    State(api): State<Api>,
    Segments(name): Segments<String>,
    Asked(pairs): Asked<Vec<(String, String)>>,
    request: Request,
) -> Answer<Json<DriverDetails>> {
    let name = Name::new(&name)?;
    let Settings { name: None, loading } = settings(pairs)? else {
        return Err(Error::invalid("the query has name=, and the path names the driver").into());
    };
    let upgraded = uploaded(&api, request, name, loading, |c, load| async move { c.upgrade_driver(load).await });
    Ok(Json(upgraded.await?))
}

/// Brings a driver's version before back.
#[utoipa::path(post, path = "/drivers/{name}/rollback", tag = "drivers", operation_id = "roll_back_driver",
    params(("name" = Name, Path, description = "The driver."), HowBack),
    responses(
        (status = 200, body = DriverDetails, description = "It serves from now on."),
        (status = "default", body = Error, description = "Why not. Nothing has changed."),
    ))]
pub async fn roll_back(
    State(api): State<Api>,
    Segments(name): Segments<String>,
    Asked(HowBack { keep_state }): Asked<HowBack>,
    request: Request,
) -> Answer<Json<DriverDetails>> {
    let (name, by) = (Name::new(&name)?, caller(&request));
    let back = api.change(move |c| async move { c.roll_back_driver(&name, keep_state.unwrap_or(false), by).await });
    Ok(Json(with_plugin(&api, back.await?).await))
}

/// How to roll a driver back.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[into_params(parameter_in = Query)]
pub struct HowBack {
    /// Also if the driver has changed something since: the version before gets its state as it is.
    keep_state: Option<bool>,
}

/// Forgets earlier versions with their components, and what was compiled of those that are kept.
#[utoipa::path(post, path = "/driver-versions/gc", tag = "drivers", operation_id = "forget_driver_versions", params(Keep),
    responses((status = 200, body = Vec<Forgot>), (status = "default", body = Error, description = "Why not.")))]
pub async fn forget(State(api): State<Api>, Asked(Keep { name, keep }): Asked<Keep>) -> Answer<Json<Vec<Forgot>>> {
    let (name, keep) = (name.map(|name| Name::new(&name)).transpose()?, keep.unwrap_or(EARLIER));
    Ok(Json(api.change(move |c| async move { c.forget_versions(name, keep).await }).await?))
}

/// What stays.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Keep {
    /// The driver; left out: all.
    name: Option<String>,
    /// So many earlier versions, at most 8; left out: 8.
    keep: Option<usize>,
}

/// Lists a driver's versions, the newest first.
#[utoipa::path(get, path = "/drivers/{name}/history", tag = "drivers", operation_id = "driver_history",
    params(("name" = Name, Path, description = "The driver.")),
    responses((status = 200, body = Vec<DriverVersion>), (status = "default", body = Error, description = "Why not.")))]
pub async fn history(State(api): State<Api>, Segments(name): Segments<String>) -> Answer<Json<Vec<DriverVersion>>> {
    Ok(Json(api.controller.driver_history(&Name::new(&name)?).await?))
}

/// Has the component in a request's body loaded, one way or the other.
async fn uploaded<W>(
    api: &Api,
    request: Request,
    name: Name,
    Loading { configuration, grant, from, signed, allow_unsigned }: Loading,
    load: impl FnOnce(Controller, LoadDriver) -> W + Send + 'static,
) -> Answer<DriverDetails>
where
    W: Future<Output = Result<DriverDetails, Error>> + Send + 'static,
{
    let source = Source { from, by: caller(&request), ..Source::default() };
    let slot = upload_slot(api, api.limits.body).await?;
    let Component(component) = Component::from_request(request, api).await?;
    let wanted = LoadDriver { name, component, configuration, grant, source, signed, allow_unsigned };
    let plugins = api.plugins.clone();
    let loaded = api.change(move |c| async move {
        // Held to the end, so that components that wait for the compiler are counted, too.
        let _slot = slot;
        let loaded = load(c, wanted).await?;
        let socket = plugins.publish(&loaded.driver.name).await;
        Ok(with_socket(loaded, socket))
    });
    loaded.await
}

/// The number of the user who asks.
fn caller(request: &Request) -> Option<u32> {
    request.extensions().get::<Caller>().map(|caller| caller.0)
}

/// Lists the drivers.
#[utoipa::path(get, path = "/drivers", tag = "drivers", operation_id = "drivers",
    responses((status = 200, body = Vec<Driver>), (status = "default", body = Error, description = "Why not.")))]
pub async fn list(State(api): State<Api>) -> Answer<Json<Vec<Driver>>> {
    Ok(Json(api.controller.drivers().await?))
}

/// Tells all of one driver.
#[utoipa::path(get, path = "/drivers/{name}", tag = "drivers", operation_id = "driver",
    params(("name" = Name, Path, description = "The driver.")),
    responses((status = 200, body = DriverDetails), (status = "default", body = Error, description = "Why not.")))]
pub async fn inspect(State(api): State<Api>, Segments(name): Segments<String>) -> Answer<Json<DriverDetails>> {
    let details = api.controller.driver(&Name::new(&name)?).await?;
    Ok(Json(with_plugin(&api, details).await))
}

/// Changes what a driver may do, from its next call on.
#[utoipa::path(put, path = "/drivers/{name}/grant", tag = "drivers", operation_id = "set_grant",
    params(("name" = Name, Path, description = "The driver.")),
    responses((status = 200, body = CurrentGrant), (status = "default", body = Error, description = "Why not.")))]
pub async fn set_grant(
    State(api): State<Api>,
    Segments(name): Segments<String>,
    Given(grant): Given<Grant>,
) -> Answer<Json<CurrentGrant>> {
    let name = Name::new(&name)?;
    Ok(Json(api.change(move |c| async move { c.set_grant(&name, grant).await }).await?))
}

/// Tells what a driver was allowed and refused.
#[utoipa::path(get, path = "/drivers/{name}/audit", tag = "drivers", operation_id = "audit",
    params(("name" = Name, Path, description = "The driver.")),
    responses((status = 200, body = Audited), (status = "default", body = Error, description = "Why not.")))]
pub async fn audit(State(api): State<Api>, Segments(name): Segments<String>) -> Answer<Json<Audited>> {
    Ok(Json(api.controller.audit(&Name::new(&name)?).await?))
}

/// Answers a driver's component.
#[utoipa::path(get, path = "/drivers/{name}/component", tag = "drivers", operation_id = "driver_component",
    params(("name" = Name, Path, description = "The driver.")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/wasm", description = "As it was loaded."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn component(State(api): State<Api>, Segments(name): Segments<String>) -> Answer<impl IntoResponse> {
    let component = api.controller.component(&Name::new(&name)?).await?;
    Ok(([(CONTENT_TYPE, "application/wasm")], component))
}

/// Answers a driver as one file, for another host: its component, grant, configuration, history and state.
#[utoipa::path(get, path = "/drivers/{name}/export", tag = "drivers", operation_id = "export_driver",
    params(("name" = Name, Path, description = "The driver.")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "The file."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn export(State(api): State<Api>, Segments(name): Segments<String>) -> Answer<impl IntoResponse> {
    let file = api.controller.export_driver(&Name::new(&name)?).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], file))
}

/// Takes a driver from such a file. One that is here already is upgraded with its component, grant and configuration, and keeps its own history and state.
#[utoipa::path(post, path = "/drivers/{name}/import", tag = "drivers", operation_id = "import_driver",
    params(
        ("name" = Name, Path, description = "The name that networks say."),
        ("from" = Option<String>, Query, description = "Where the file comes from, for the driver's history."),
        ("signed" = Option<String>, Query, description = "A Signed as JSON text: who signed the component, for the host's policy."),
        ("allow-unsigned" = Option<bool>, Query, description = "`true`: without a signature, too, although the policy wants one."),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file."),
    responses(
        (status = 200, body = DriverDetails, description = "It is loaded and stays loaded over restarts."),
        (status = "default", body = Error, description = "Why not. Nothing has changed."),
    ))]
pub async fn import(
    State(api): State<Api>,
    Segments(name): Segments<String>,
    Asked(Moving { from, signed, allow_unsigned }): Asked<Moving>,
    request: Request,
) -> Answer<Json<DriverDetails>> {
    let from = printable(&from.unwrap_or_default(), MESSAGE_BYTES);
    let load = LoadDriver {
        name: Name::new(&name)?,
        component: Vec::new(),
        configuration: BTreeMap::new(),
        grant: Granting::Unsaid,
        source: Source { from, by: caller(&request), ..Source::default() },
        signed: signed.as_deref().map(read_signed).transpose()?.unwrap_or_default(),
        allow_unsigned,
    };
    let slot = upload_slot(&api, api.limits.body).await?;
    let Moved(file) = Moved::from_request(request, &api).await?;
    let plugins = api.plugins.clone();
    let imported = api.change(move |c| async move {
        let _slot = slot;
        let imported = c.import_driver(file, load).await?;
        let socket = plugins.publish(&imported.driver.name).await;
        Ok(with_socket(imported, socket))
    });
    Ok(Json(imported.await?))
}

/// What is said of a file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[into_params(parameter_in = Query)]
pub struct Moving {
    /// Where it comes from, in the words of whoever brought it.
    from: Option<String>,
    /// A [`Signed`] as JSON text.
    signed: Option<String>,
    /// Without a signature, too.
    #[serde(default)]
    allow_unsigned: bool,
}

/// Answers recorded calls. From the first question on, and for a minute after the last one, all calls of the driver are recorded; those
/// that trap always are. Of both, only the last are kept.
#[utoipa::path(get, path = "/drivers/{name}/recordings", tag = "drivers", operation_id = "driver_recordings",
    params(("name" = Name, Path, description = "The driver."), After),
    responses((status = 200, body = Vec<Recording>), (status = "default", body = Error, description = "Why not.")))]
pub async fn recordings(
    State(api): State<Api>,
    Segments(name): Segments<String>,
    Asked(After { after, wait }): Asked<After>,
) -> Answer<Response> {
    let wait = Duration::from_secs(wait.unwrap_or(0).min(MAX_WAIT));
    let found = api.controller.recordings(&Name::new(&name)?, after.unwrap_or(0), wait).await?;
    Ok(Json(found.iter().map(AsRef::as_ref).collect::<Vec<&Recording>>()).into_response())
}

/// Which recordings.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// Those with a greater number; left out: all that are kept.
    after: Option<u64>,
    /// Waits for so many seconds, at most 5, if there is none.
    wait: Option<u64>,
}

/// Removes a driver that serves no network.
#[utoipa::path(delete, path = "/drivers/{name}", tag = "drivers", operation_id = "remove_driver",
    params(("name" = Name, Path, description = "The driver.")),
    responses((status = 204, description = "It is gone."), (status = "default", body = Error, description = "Why not.")))]
pub async fn remove(State(api): State<Api>, Segments(name): Segments<String>) -> Answer<StatusCode> {
    let name = Name::new(&name)?;
    let plugins = api.plugins.clone();
    let removed = api.change(move |c| async move {
        c.remove_driver(&name).await?;
        plugins.withdraw(&name).await;
        Ok(())
    });
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A driver with what dockerd sees of it now.
async fn with_plugin(api: &Api, details: DriverDetails) -> DriverDetails {
    let socket = api.plugins.find(&details.driver.name).await;
    with_socket(details, socket)
}

/// A driver with what dockerd sees of it.
fn with_socket(details: DriverDetails, socket: Result<PathBuf, Error>) -> DriverDetails {
    match socket {
        Ok(socket) => DriverDetails { plugin_socket: Some(socket), ..details },
        Err(error) => DriverDetails { unpublished: Some(error.message), ..details },
    }
}

/// What a query says of a component.
struct Settings {
    name: Option<Name>,
    loading: Loading,
}

/// How a component is to be loaded, whatever its name.
struct Loading {
    configuration: BTreeMap<String, String>,
    grant: Granting,
    from: String,
    signed: Signed,
    allow_unsigned: bool,
}

/// What a query says. It is read by hand because `set` repeats.
fn settings(pairs: Vec<(String, String)>) -> Result<Settings, Error> {
    let (mut name, mut grant, mut from) = (None, Granting::Unsaid, String::new());
    let (mut signed, mut allow_unsigned) = (Signed::default(), false);
    let mut configuration = BTreeMap::new();
    for (key, value) in pairs {
        match key.as_str() {
            "name" if name.is_some() => return Err(Error::invalid("the query has more than one name=")),
            "name" => name = Some(Name::new(&value)?),
            "set" => set(&mut configuration, &value)?,
            "grant" | "grant-asked" if grant != Granting::Unsaid => {
                return Err(Error::invalid("the query has more than one of grant= and grant-asked="));
            }
            "grant" => grant = Some(read_grant(&value)?).into(),
            "grant-asked" if value == "true" => grant = Granting::Asked,
            "grant-asked" => return Err(Error::invalid(format!("grant-asked={value:?} is not true"))),
            "signed" => signed = read_signed(&value)?,
            "allow-unsigned" if value == "true" => allow_unsigned = true,
            "allow-unsigned" => return Err(Error::invalid(format!("allow-unsigned={value:?} is not true"))),
            "from" => from = printable(&value, MESSAGE_BYTES),
            _ => {
                return Err(Error::invalid(format!(
                    "the query can't be read: unknown field {key:?}: name, set, grant, grant-asked, signed, allow-unsigned or from"
                )));
            }
        }
    }
    Ok(Settings { name, loading: Loading { configuration, grant, from, signed, allow_unsigned } })
}

fn read_signed(text: &str) -> Result<Signed, Error> {
    serde_json::from_str(text).map_err(|e| Error::invalid(format!("signed= can't be read: {e}")))
}

fn read_grant(text: &str) -> Result<Grant, Error> {
    let grant: Grant = serde_json::from_str(text).map_err(|e| Error::invalid(format!("grant= can't be read: {e}")))?;
    grant.check().map_err(|e| e.context("grant="))?;
    Ok(grant)
}

fn set(configuration: &mut BTreeMap<String, String>, text: &str) -> Result<(), Error> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => match configuration.insert(key.to_owned(), value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!("{key:?} is set more than once"))),
        },
        _ => Err(Error::invalid(format!("set={text:?} is not KEY=VALUE"))),
    }
}

async fn upload_slot(api: &Api, within: Duration) -> Result<OwnedSemaphorePermit, Refusal> {
    match tokio::time::timeout(within, api.uploads.clone().acquire_owned()).await {
        Ok(Ok(slot)) => Ok(slot),
        _ => Err(Refusal::too_slow("too many drivers are being loaded: no turn", within)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_query_is_a_name_and_settings() {
        let said = pairs(&[("set", "a=1"), ("name", "bridge"), ("set", "b=x=y"), ("set", "c="), ("from", "/a b")]);
        let Settings { name, loading: Loading { configuration: set, grant, from, signed, allow_unsigned } } =
            settings(said).unwrap();
        assert_eq!((signed, allow_unsigned), (Signed::default(), false));
        assert_eq!((name.unwrap().as_str(), grant, from.as_str()), ("bridge", Granting::Unsaid, "/a b"));
        let expected = [("a", "1"), ("b", "x=y"), ("c", "")];
        assert!(set.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected));
    }

    #[test]
    fn a_bad_query_names_what_was_wrong() {
        let table: [(&[(&str, &str)], &str); 11] = [
            (&[("name", "a"), ("name", "b")], "more than one name="),
            (&[("name", "a/b")], "a/b"),
            (&[("name", "a"), ("set", "b")], "\"b\" is not KEY=VALUE"),
            (&[("name", "a"), ("set", "=b")], "is not KEY=VALUE"),
            (&[("name", "a"), ("set", "b=1"), ("set", "b=2")], "\"b\" is set more than once"),
            (&[("name", "a"), ("grant", "{}"), ("grant-asked", "true")], "more than one of grant= and grant-asked="),
            (&[("name", "a"), ("grant-asked", "yes")], "grant-asked=\"yes\" is not true"),
            (&[("name", "a"), ("allow-unsigned", "yes")], "allow-unsigned=\"yes\" is not true"),
            (&[("name", "a"), ("signed", "{\"keys\": 1}")], "signed= can't be read: unknown field `keys`"),
            (&[("name", "a"), ("grant", "{\"links\": 1}")], "grant= can't be read: unknown field `links`"),
            (&[("name", "a"), ("grant", "{\"parents\": [\"a/b\"]}")], "grant=: parents: "),
        ];
        for (query, part) in table {
            let error = settings(pairs(query)).err().unwrap();
            assert!(error.message.contains(part), "{query:?}: {error}");
        }
        assert!(settings(pairs(&[("nam", "a")])).err().unwrap().message.contains("unknown field \"nam\""));
    }
}
