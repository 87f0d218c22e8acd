//! `rollcall stop`: one switch that ends every act of Rollcall, whatever any policy says.
//!
//! The ConfigMap `rollcall-stop` is made once, by control, and is in nobody's manifest. Absent, unreadable, or with a
//! reason, it means stopped. A stop is lifted only by naming the very object that is lifted (its resourceVersion), which
//! no manifest can: an apply or replace of an older one is refused by an admission policy, and lifts nothing.

use crate::kube::named::Api;
use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::terminal::{reason, say};
use super::{Failure, ask};
use crate::api::names;

/// Field manager of what a human writes here.
const MANAGER: &str = "kubectl-rollcall";

/// What is done where the ConfigMap is not there.
const CREATE: &str = "create the ConfigMap of the stop";

/// Options of `rollcall stop`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    wish: Choice,
}

/// Stop, or go on.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Choice {
    /// Stop everything; the reason is shown in conditions
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Lift the stop; what waits is checked against every gate again
    #[arg(long)]
    lift: bool,
}

/// Writes the reason into the ConfigMap, or lifts the stop that stands there.
///
/// # Flow          stop: one merge of the reason. Lift: read, then write at exactly that version, naming it
/// # Guarantees    nothing else of the ConfigMap changes; said twice is said once; a stop set meanwhile is not lifted
/// # Assumptions   control and revoker read it before every step; the chart's policy `stop` is installed
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let namespace = options.cluster.namespace();
    let api: Api<ConfigMap> = Api::namespaced(options.cluster.client().await?, namespace);
    match &options.wish.reason {
        Some(reason) => {
            stop(&api, reason).await?;
            say(&format!(
                "Stopped in {namespace}: the revoker takes no further step. Lift the stop with `kubectl rollcall stop --lift`."
            ));
        }
        None if lift(&api).await? => {
            say(&format!("The stop in {namespace} is lifted. What waits is checked against every gate again."));
        }
        None => say(&format!("Nothing is stopped in {namespace}.")),
    }
    Ok(())
}

async fn stop(api: &Api<ConfigMap>, reason: &str) -> Result<(), Failure> {
    let data = json!({"data": {names::STOP_REASON: reason, names::STOP_LIFTS: null}});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let data = Patch::Merge(data);
    match ask("write the stop", api.patch(names::STOP, &params, &data)).await {
        Err(Failure::Server { code: 404, .. }) => {}
        other => return other.map(drop),
    }
    match create(api, &[(names::STOP_REASON, reason)]).await {
        // Control made it in between, at its first start.
        Err(Failure::Server { code: 409, .. }) => {
            ask("write the stop", api.patch(names::STOP, &params, &data)).await.map(drop)
        }
        other => other,
    }
}

/// Lifts the stop that stands; whether there was one. Where control made the ConfigMap in between, it looks again.
async fn lift(api: &Api<ConfigMap>) -> Result<bool, Failure> {
    match lift_what_stands(api).await {
        Err(Failure::Server { code: 409, doing: CREATE, .. }) => lift_what_stands(api).await,
        other => other,
    }
}

async fn lift_what_stands(api: &Api<ConfigMap>) -> Result<bool, Failure> {
    let Some(stop) = ask("read the stop", api.get_opt(names::STOP)).await? else {
        create(api, &[(names::STOP_REASON, ""), (names::STOP_LIFTS, names::STOP_ABSENT)]).await?;
        return Ok(true);
    };
    let reason = stop.data.as_ref().and_then(|data| data.get(names::STOP_REASON));
    if reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Ok(false);
    }
    let version = stop.metadata.resource_version.unwrap_or_default();
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    ask("lift the stop", api.patch(names::STOP, &params, &Patch::Merge(lifted(&version)))).await?;
    Ok(true)
}

/// What lifts the stop of this version, and no other.
fn lifted(version: &str) -> Value {
    json!({"metadata": {"resourceVersion": version}, "data": {names::STOP_REASON: "", names::STOP_LIFTS: version}})
}

async fn create(api: &Api<ConfigMap>, data: &[(&str, &str)]) -> Result<(), Failure> {
    let stop = ConfigMap {
        metadata: ObjectMeta { name: Some(names::STOP.to_owned()), ..ObjectMeta::default() },
        data: Some(data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()),
        ..ConfigMap::default()
    };
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    ask(CREATE, api.create(&params, &stop)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::scenario::{Scenario, on};

    #[test]
    fn lifting_names_the_very_stop_that_is_lifted() {
        let lifts = json!({"metadata": {"resourceVersion": "17"}, "data": {"reason": "", "lifts": "17"}});
        assert_eq!(lifted("17"), lifts);
    }

    #[tokio::test]
    async fn a_stop_is_set_although_control_makes_the_config_map_in_between() {
        let stops = "/api/v1/namespaces/rollcall/configmaps";
        let written = || {
            on(&format!("PATCH {stops}/rollcall-stop?fieldManager=kubectl-rollcall"))
                .sends(json!({"data": {"reason": "why", "lifts": null}}))
        };
        let made = || on(&format!("POST {stops}?fieldManager=kubectl-rollcall"));
        let is_there = json!({"metadata": {"name": "rollcall-stop"}});
        for scenario in [
            Scenario::default().then(written().answers(is_there.clone())),
            Scenario::default().then(written().fails(404)).then(made().answers(is_there.clone())),
            Scenario::default().then(written().fails(404)).then(made().fails(409)).then(written().answers(is_there)),
        ] {
            let api = Api::namespaced(scenario.client(), "rollcall");
            stop(&api, "why").await.unwrap();
            scenario.is_over();
        }
    }
}
