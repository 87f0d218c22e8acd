//! Calls to the API server that more than one command makes, and how its failures are described.

use std::time::Duration;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::outcome::{CallFailure, Fault};
use crate::api::condition::Reason;
use crate::api::names;

/// Longest time for one call to the API server, retries included.
pub const CALL: Duration = Duration::from_secs(30);

/// Code and reason of a failed call, or how else it failed; never the server's message, which may quote what was sent.
#[must_use]
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        other => CallFailure::of(other).to_string(),
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
    call_within(CALL, doing, future).await
}

/// Reads, and reads once more where the answer would end something: one alone may be of before.
///
/// # Errors
/// The read's own.
pub async fn surely<T, F>(read: impl Fn() -> F, ends: impl Fn(&T) -> bool) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let first = read().await;
    if matches!(&first, Ok(answer) if ends(answer)) { read().await } else { first }
}

/// `call` with a shorter deadline, for what is of no use later.
///
/// # Errors
/// The call's own, or a timeout.
pub async fn call_within<T>(
    deadline: Duration,
    doing: &'static str,
    future: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(deadline, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::call(doing, error)),
        Err(_) => Err(Fault::unanswered(doing)),
    }
}

/// Applies a whole owned status by server-side apply, over exactly this state of the object, and gives back the object as it is then. The
/// uid goes with it, so that a deleted object is never made again.
///
/// # Errors
/// Any failure of the call; a conflict if the object has changed since.
pub async fn apply_exactly<K, S>(api: &Api<K>, object: &K, manager: &str, status: &S) -> Result<K, Fault>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let metadata = ObjectMeta {
        name: Some(name.clone()),
        uid: object.meta().uid.clone(),
        resource_version: object.meta().resource_version.clone(),
        ..ObjectMeta::default()
    };
    let body = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": metadata,
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    call("write status", api.patch_status(&name, &params, &Patch::Apply(&body))).await
}

/// The clock: the one place that reads it for the three commands.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "drivers take their time from here")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The name of this machine; in a pod, the pod's.
#[must_use]
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
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
    connect(config().await?)
}

/// The same, for who is to hear at once that a call was refused for now (429), instead of having it repeated.
///
/// # Errors
/// When neither is to be found.
pub async fn impatient() -> Result<Client, Fault> {
    let mut config = config().await?;
    config.default_retry = false;
    connect(config)
}

/// A client for one API server of that cluster, by its address and port; its certificate is that of the cluster's API.
///
/// # Errors
/// When there is no configuration, or that is no address.
pub async fn client_at(address: &str) -> Result<Client, Fault> {
    let mut config = config().await?;
    let host = config.cluster_url.host().map(str::to_owned);
    config.tls_server_name = config.tls_server_name.or(host);
    config.cluster_url = format!("https://{address}").parse().map_err(|_| unconnected("not an address".to_owned()))?;
    connect(config)
}

fn unconnected(cause: String) -> Fault {
    Fault::Transient { doing: "connect to the API server", cause }
}

async fn config() -> Result<kube::Config, Fault> {
    kube::Config::infer().await.map_err(|_| unconnected("no cluster configuration found".to_owned()))
}

fn connect(mut config: kube::Config) -> Result<Client, Fault> {
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(Duration::from_secs(310)); // above the longest watch, so that a lost peer is noticed
    Client::try_from(config).map_err(|error| unconnected(describe(&error)))
}

/// What an Event on an object of this name is called: names of Events are narrower than those of bindings.
fn event_name(name: &str) -> String {
    if name.len() <= 200 && names::is_dns_name(name) {
        return name.to_owned();
    }
    data_encoding::HEXLOWER.encode(&Sha256::digest(name.as_bytes())).chars().take(16).collect()
}

/// Writes an Event of type Normal on an object, and a log line: something happened.
///
/// `note` holds ids only, never a name, an address or a token.
pub async fn publish_event(
    client: &Client,
    reporter: &str,
    on: ObjectReference,
    reason: Reason,
    note: String,
    at: Timestamp,
) {
    publish(client, "Normal", reporter, on, reason, note, at).await;
}

/// Writes an Event of type Warning on an object, and a log line: something is wrong.
///
/// `note` holds ids only, never a name, an address or a token.
pub async fn publish_warning(
    client: &Client,
    reporter: &str,
    on: ObjectReference,
    reason: Reason,
    note: String,
    at: Timestamp,
) {
    publish(client, "Warning", reporter, on, reason, note, at).await;
}

/// An Event that cannot be written is logged and nothing else: the status says it all.
async fn publish(
    client: &Client,
    type_: &str,
    reporter: &str,
    on: ObjectReference,
    reason: Reason,
    note: String,
    at: Timestamp,
) {
    let namespace = on.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let name = on.name.clone().unwrap_or_default();
    let kind = on.kind.clone().unwrap_or_default();
    if type_ == "Warning" {
        tracing::warn!(kind, name, namespace, %reason, "{note}");
    } else {
        tracing::info!(kind, name, namespace, %reason, "{note}");
    }
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:x}", event_name(&name), at.as_nanosecond())),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some(reason.as_str().to_owned()),
        event_time: Some(MicroTime(at)),
        note: Some(note.chars().take(1000).collect()),
        reason: Some(reason.as_str().to_owned()),
        regarding: Some(on),
        reporting_controller: Some(format!("rollcall.dev/{reporter}")),
        reporting_instance: Some(reporter.to_owned()),
        type_: Some(type_.to_owned()),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    if let Err(fault) = call("write an event", api.create(&PostParams::default(), &event)).await {
        tracing::warn!(%fault, %reason, "event not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_on_an_object_of_any_name_can_be_written() {
        for (name, kept) in [("ci-bot", true), ("mine?x", false), ("..", false), (&"x".repeat(300), false)] {
            let called = event_name(name);
            assert_eq!(called == name, kept, "{name}");
            assert!(names::is_dns_name(&called) && called.len() <= 200, "{name}: {called}");
        }
    }
}
