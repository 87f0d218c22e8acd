//! What `rollcall doctor` looks at, read once, with the caller's own rights.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Client, Resource, ResourceExt};

use crate::api::condition::Condition;
use crate::api::{HRConnection, SyncPolicy, names};
use crate::cli::plugin::people::all;
use crate::cli::{Failure, ask};
use crate::kube::consents::{self, Row};
use crate::kube::named::Api;
use crate::kube::revoker::{self, RevokerCheck};
use crate::kube::{calls, stop};

/// Label of everything that a release of the chart made.
const INSTANCE: &str = "app.kubernetes.io/instance";

/// A list, or that the caller may not read it.
pub(super) type Readable<T> = Option<Vec<T>>;

/// What was read.
#[derive(Default)]
pub struct Seen {
    /// Version of the API server, such as `v1.35.4`.
    pub server: String,
    /// How far this machine's clock is ahead of the API server's, in seconds.
    pub ahead: Option<i64>,
    pub definitions: Readable<CustomResourceDefinition>,
    pub admission: Readable<ValidatingAdmissionPolicy>,
    pub bindings: Readable<ValidatingAdmissionPolicyBinding>,
    pub deployments: Readable<Deployment>,
    pub stop: Option<String>,
    pub consents: Option<Vec<Row>>,
    pub revoker: Option<RevokerCheck>,
    pub connections: Vec<HRConnection>,
    pub policies: Vec<SyncPolicy>,
}

impl Seen {
    /// Reads it.
    pub async fn read(client: &Client, namespace: &str) -> Result<Self, Failure> {
        let server = ask("read the version of the API server", client.apiserver_version()).await?.git_version;
        let deployments: Readable<Deployment> =
            readable(all("list the Deployments", Api::namespaced(client.clone(), namespace), PART_OF).await)?;
        let instance = deployments.iter().flatten().find_map(|one| one.labels().get(INSTANCE).cloned());
        let of_release = format!("{INSTANCE}={}", instance.as_deref().unwrap_or("rollcall"));
        let definitions = readable(all("list the kinds", Api::all(client.clone()), "").await)?;
        let admission = readable(all("list the admission policies", Api::all(client.clone()), &of_release).await)?;
        let bindings = readable(all("list their bindings", Api::all(client.clone()), &of_release).await)?;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let told = ask("read the consents", maps.get_opt(names::CONSENTS)).await?;
        let mut told = told.and_then(|map| map.data).unwrap_or_default();
        Ok(Self {
            server,
            ahead: ahead(client).await,
            definitions,
            admission,
            bindings,
            deployments,
            stop: stop::stopped(client, namespace).await,
            consents: told.remove(consents::KEY).and_then(|text| serde_json::from_str(&text).ok()),
            revoker: told.remove(revoker::KEY).and_then(|text| serde_json::from_str(&text).ok()),
            connections: all("list the HRConnections", Api::namespaced(client.clone(), namespace), "").await?,
            policies: all("list the SyncPolicies", Api::namespaced(client.clone(), namespace), "").await?,
        })
    }

    /// Every connection and policy, with the generation it has, the one that was looked at, and its conditions.
    pub fn objects(&self) -> impl Iterator<Item = (String, Option<i64>, Option<i64>, &[Condition])> {
        let connections = self.connections.iter().map(|one| {
            let status = one.status.as_ref();
            let (observed, conditions) =
                status.map_or((None, [].as_slice()), |s| (s.observed_generation, &s.conditions));
            (format!("HRConnection {}", one.name_any()), one.meta().generation, observed, conditions)
        });
        let policies = self.policies.iter().map(|one| {
            let status = one.status.as_ref();
            let (observed, conditions) =
                status.map_or((None, [].as_slice()), |s| (s.observed_generation, &s.conditions));
            (format!("SyncPolicy {}", one.name_any()), one.meta().generation, observed, conditions)
        });
        connections.chain(policies)
    }
}

/// Everything of Rollcall, whatever the release is called.
const PART_OF: &str = "app.kubernetes.io/name=rollcall";

/// A list; `None` where the caller may not read it.
fn readable<T>(read: Result<Vec<T>, Failure>) -> Result<Readable<T>, Failure> {
    match read {
        Ok(items) => Ok(Some(items)),
        Err(Failure::Server { code: 403 | 404, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// By how many seconds this machine's clock is ahead of the API server's, by the date of a response.
async fn ahead(client: &Client) -> Option<i64> {
    let request = axum::http::Request::get("/version").body(kube::client::Body::empty()).ok()?;
    let asked = calls::now();
    let response = client.send(request).await.ok()?;
    let date = response.headers().get("date")?.to_str().ok()?;
    let there = Timestamp::from_second(rfc2822::parse(date).ok()?.timestamp().as_second()).ok()?;
    Some(asked.duration_since(there).as_secs())
}
