//! Calls to the API server that more than one command makes, and how its failures are described.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::outcome::Fault;

/// Longest time for one call to the API server, retries included.
pub const CALL: Duration = Duration::from_secs(30);

/// Code and reason of a failed call; never the server's message, which may quote what was sent.
#[must_use]
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        kube::Error::Auth(_) => "the credential for the API server cannot be used".to_owned(),
        kube::Error::Service(_) | kube::Error::HyperError(_) => "the API server cannot be reached".to_owned(),
        kube::Error::SerdeError(_) => "the API server's answer could not be read".to_owned(),
        _ => "the call failed".to_owned(),
    }
}

/// Whether the API server answered with this code.
#[must_use]
pub fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Makes one call with a deadline; a call that never answers is a fault like any other.
///
/// # Errors
/// The call's own, or a timeout.
pub async fn call<T>(doing: &'static str, future: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Fault> {
    match tokio::time::timeout(CALL, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::kube(doing, &error)),
        Err(_) => Err(Fault::Transient { doing, cause: "no answer in time".to_owned() }),
    }
}

/// Applies a whole owned status by server-side apply. The uid goes with it, so that a deleted object is never made again.
///
/// # Errors
/// Any failure of the call.
pub async fn apply_status<K, S>(api: &Api<K>, object: &K, manager: &str, status: &S) -> Result<(), Fault>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let body = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": object.meta().uid},
        "status": status,
    });
    call("write status", api.patch_status(&name, &PatchParams::apply(manager).force(), &Patch::Apply(&body))).await?;
    Ok(())
}

/// The clock: the one place that reads it for the three commands.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "drivers take their time from here")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A signed duration as the runtime wants it; never negative.
#[must_use]
pub fn wait(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}

/// A client for the cluster this process runs in, or the one its kubeconfig names.
///
/// # Errors
/// When neither is to be found.
pub async fn client() -> Result<Client, Fault> {
    let fault = |cause: String| Fault::Transient { doing: "connect to the API server", cause };
    let mut config = kube::Config::infer().await.map_err(|_| fault("no cluster configuration found".to_owned()))?;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(Duration::from_secs(310)); // above the longest watch, so that a lost peer is noticed
    Client::try_from(config).map_err(|error| fault(describe(&error)))
}
