//! `pontoon gc`, `pontoon metrics` and `pontoon version`.

use super::exit::{Failure, UNREACHABLE};
use super::output::{Format, Session, listing, table};
use operation::table::{Collected, Version};

/// Removes what nothing owns any more.
pub async fn gc(orphans: bool, session: &mut Session<'_>) -> Result<(), Failure> {
    let reply = session.client.post(if orphans { "/gc?orphans=true" } else { "/gc" }, &()).await?;
    if let Some(why) = reply.read::<Collected>()?.unasked {
        session.note(&format!("what dockerd has forgotten is not known: {why}"));
    }
    session.answer(&reply, |collected: Collected| {
        listing([
            ("ENDPOINTS", collected.endpoints.join("\n")),
            ("FORGOTTEN BY DOCKER", collected.forgotten.join("\n")),
            ("KERNEL OBJECTS", collected.objects.join("\n")),
            ("NETWORKS UP AGAIN", collected.networks.join("\n")),
            ("EVENTS TOLD", collected.events.to_string()),
        ])
    })
}

/// Shows the daemon's numbers, as the text that it answers.
pub async fn metrics(session: &mut Session<'_>) -> Result<(), Failure> {
    let reply = session.client.get("/metrics").await?;
    match session.format {
        Format::Json => session.json(&serde_json::json!({ "text": reply.text() }).to_string()),
        Format::Table => session.print(&reply.text()),
    }
}

/// Tells the versions of the command line and, if it runs, of the daemon.
pub async fn version(session: &mut Session<'_>) -> Result<(), Failure> {
    let daemon: Option<Version> = match session.client.get("/version").await {
        Ok(reply) => Some(reply.read()?),
        Err(failure) if failure.code == UNREACHABLE => {
            session.note(&failure.error.message);
            None
        }
        Err(failure) => return Err(failure),
    };
    let client = env!("CARGO_PKG_VERSION");
    if session.format == Format::Json {
        let both = serde_json::json!({ "client": { "version": client }, "daemon": daemon });
        return session.json(&both.to_string());
    }
    let own = ["client".to_owned(), client.to_owned(), String::new(), String::new(), String::new()];
    let rows = std::iter::once(own)
        .chain(daemon.map(|d| ["daemon".to_owned(), d.version, d.interface, d.wasmtime, d.schema.to_string()]));
    session.print(&table(["", "VERSION", "INTERFACE", "WASMTIME", "SCHEMA"], rows))
}
