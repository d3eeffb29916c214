//! `/metrics`: what [`Measured`] has, as OpenMetrics text, which Prometheus reads. No series has a label: nothing that a driver or another node
//! names makes one.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Api;
use super::answer::Answer;
use crate::controller::Measured;
use words::{Error, Result};

/// What a scraper is told of it.
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Tells how much there is, and how it stands with the cluster, in numbers.
#[utoipa::path(get, path = "/metrics", tag = "system", operation_id = "metrics",
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text", description = "OpenMetrics text."),
        (status = "default", body = Error, description = "Why not."),
    ))]
pub async fn metrics(State(api): State<Api>) -> Answer<Response> {
    let text = text(&api.controller.measure().await?)?;
    Ok(([(CONTENT_TYPE, TYPE)], text).into_response())
}

/// As text.
fn text(measured: &Measured) -> Result<String> {
    let mut all = Registry::with_prefix("pontoon");
    let mut gauge = |name: &str, help: &str, value: i64| all.register(name, help, ConstGauge::new(value));
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    gauge("drivers", "Drivers that are loaded", number(measured.drivers));
    gauge("networks", "Networks of this host", number(measured.networks));
    gauge("endpoints", "Endpoints of this host", number(measured.endpoints));
    if let Some(cluster) = &measured.cluster {
        gauge("cluster_healthy", "1: nothing is wrong with etcd", i64::from(cluster.healthy));
        gauge("cluster_revision", "Revision of etcd up to which all changes are known", cluster.revision);
        if let Some(lag) = cluster.lag {
            let lag = i64::try_from(lag).unwrap_or(i64::MAX);
            gauge("cluster_lag_revisions", "Revisions of etcd that are not known yet", lag);
        }
        gauge("cluster_nodes", "Nodes that are there", number(cluster.nodes));
        gauge("cluster_endpoints", "Endpoints of all nodes on networks of global scope", number(cluster.endpoints));
        gauge("cluster_entries", "Entries of all nodes in tables", number(cluster.entries));
        let help = "Times that something began to be wrong with etcd";
        all.register("cluster_faults", help, ConstCounter::new(cluster.faults));
    }
    let mut text = String::new();
    encode(&mut text, &all).map_err(|e| Error::internal(format!("metrics as text: {e}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::MeasuredCluster;

    #[test]
    fn numbers_are_text() {
        let alone = Measured { drivers: 1, networks: 2, endpoints: 3, cluster: None };
        let told = text(&alone).unwrap();
        assert!(told.contains("# TYPE pontoon_networks gauge\npontoon_networks 2\n"), "{told}");
        assert!(told.ends_with("# EOF\n") && !told.contains("cluster"), "{told}");
        let cluster =
            MeasuredCluster { healthy: true, faults: 4, revision: 5, lag: Some(6), nodes: 7, endpoints: 8, entries: 9 };
        let told = text(&Measured { cluster: Some(cluster.clone()), ..alone.clone() }).unwrap();
        for line in ["cluster_healthy 1", "cluster_faults_total 4", "cluster_lag_revisions 6", "cluster_entries 9"] {
            assert!(told.contains(&format!("\npontoon_{line}\n")), "{line}: {told}");
        }
        let cluster = MeasuredCluster { lag: None, ..cluster };
        assert!(
            !text(&Measured { cluster: Some(cluster), ..alone }).unwrap().contains("lag"),
            "nothing is known of it"
        );
    }
}
