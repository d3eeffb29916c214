//! The admin API: HTTP and JSON on a unix socket, for the command line and for programs.
//!
//! Its JSON is the serde form of [`operation`]'s types, and its OpenAPI description is made from the same types and routes.
//!
//! - [`router`] and [`document`]: the routes, and their description
//! - `system`, `metrics`, `drivers`, `networks`, `endpoints`, `tables`, `nodes`: the handlers, one file per object
//! - `input`, `answer`: a request taken apart, an error put together

mod answer;
mod drivers;
mod endpoints;
#[cfg(fuzzing)]
pub mod fuzzing;
mod input;
mod metrics;
mod networks;
mod nodes;
mod system;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::answer::{Answer, no_method, no_route};
use crate::config::Config;
use crate::controller::Controller;
use crate::frontend::docker::Plugins;
use crate::frontend::http::limits::{Limits, MAX_UPLOADS};
use words::{Error, Result};

/// What the handlers share.
#[derive(Clone)]
struct Api {
    controller: Controller,
    plugins: Plugins,
    config: Arc<Config>,
    limits: Limits,
    uploads: Arc<Semaphore>,
    changes: Arc<Semaphore>,
}

impl Api {
    fn new(controller: Controller, plugins: Plugins, config: Config, limits: Limits) -> Self {
        let uploads = Arc::new(Semaphore::new(MAX_UPLOADS));
        let (config, changes) = (Arc::new(config), Arc::new(Semaphore::new(limits.changes)));
        Self { controller, plugins, config, limits, uploads, changes }
    }

    /// Runs a change to its end, even if the client hangs up meanwhile: a dropped connection must not stop it halfway.
    async fn change<T, W>(&self, work: impl FnOnce(Controller) -> W) -> Answer<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let closed = |_| Error::internal("the daemon takes no changes any more");
        let turn = self.changes.clone().acquire_owned().await.map_err(closed)?;
        let work = work(self.controller.clone());
        let running = tokio::spawn(async move {
            let _turn = turn;
            work.await
        });
        match running.await {
            Ok(done) => Ok(done?),
            Err(e) => Err(Error::internal(format!("the daemon failed, which is a bug: {e}")).into()),
        }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Pontoon",
    description = "The admin API of `pontoon serve`. Every answer that is not 2xx has an Error as its body."
))]
struct Description;

/// The API as a service: it needs no socket.
pub fn router(controller: Controller, plugins: Plugins, config: Config) -> Router {
    router_within(controller, plugins, config, Limits::default())
}

/// [`router`] with limits of one's own.
pub fn router_within(controller: Controller, plugins: Plugins, config: Config, limits: Limits) -> Router {
    let (router, _) = routes().split_for_parts();
    let api = Api::new(controller, plugins, config, limits);
    router.fallback(no_route).method_not_allowed_fallback(no_method).with_state(api)
}

/// The API's OpenAPI 3.1 description.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(system::version))
        .routes(routes!(system::openapi))
        .routes(routes!(system::gc))
        .routes(routes!(system::doctor))
        .routes(routes!(metrics::metrics))
        .routes(routes!(drivers::list, drivers::load))
        .routes(routes!(drivers::forget))
        .routes(routes!(drivers::inspect, drivers::remove))
        .routes(routes!(drivers::upgrade))
        .routes(routes!(drivers::roll_back))
        .routes(routes!(drivers::history))
        .routes(routes!(drivers::set_grant))
        .routes(routes!(drivers::audit))
        .routes(routes!(drivers::component))
        .routes(routes!(drivers::export))
        .routes(routes!(drivers::import))
        .routes(routes!(drivers::recordings))
        .routes(routes!(networks::list, networks::create))
        .routes(routes!(networks::inspect, networks::remove))
        .routes(routes!(endpoints::list))
        .routes(routes!(endpoints::list_of, endpoints::attach))
        .routes(routes!(endpoints::detach))
        .routes(routes!(endpoints::detach_from))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::inspect, nodes::update, nodes::remove))
        .routes(routes!(tables::list))
        .routes(routes!(tables::list_of))
        .routes(routes!(tables::put, tables::remove))
}
