//! What the long-running commands have in common: probes, leadership, and an orderly end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;
use k8s_openapi::api::batch::v1::JobSpec;
use kube::Client;
use reqwest::Url;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Namespace, collector};
use crate::api::convert;
use crate::api::policy::ClusterLimits;
use crate::kube::calls;
use crate::kube::health::{self, Health};
use crate::kube::lease::Candidate;
use crate::kube::outcome::Fault;
use crate::kube::telemetry::Metrics;
use crate::kube::traces::Traces;
use crate::{control, grant, scim, sync, tell, trim};
use domain::ledger::{LONGEST, What};

/// Options of every long-running command.
#[derive(Debug, Args)]
pub struct Process {
    /// The namespace.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Name of the release
    #[arg(long, env = "ROLLCALL_INSTANCE")]
    pub instance: String,
    /// Address for probes and metrics
    #[arg(long, env = "ROLLCALL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What this replica is called in the Lease; in a pod, its name
    #[arg(long, env = "HOSTNAME", default_value = "local", hide = true)]
    host: String,
}

/// Options of `rollcall sync`.
#[derive(Debug, Args)]
pub struct Sync {
    #[command(flatten)]
    process: Process,
    #[command(flatten)]
    collector: collector::Options,
}

/// Options of `rollcall control`.
#[derive(Debug, Args)]
pub struct Control {
    #[command(flatten)]
    process: Process,
    /// The namespace of the revoker's Jobs
    #[arg(long, env = "ROLLCALL_REVOKER_NAMESPACE")]
    revoker_namespace: String,
    /// The ServiceAccount of the revoker's Jobs
    #[arg(long, env = "ROLLCALL_REVOKER_ACCOUNT")]
    revoker_account: String,
    /// The spec of the revoker's Jobs, as JSON
    #[arg(long, env = "ROLLCALL_REVOKER_JOB", value_name = "JSON", value_parser = job_spec)]
    revoker_job: JobSpec,
    /// Do not start empty Jobs to prove that the revoker can run
    #[arg(long)]
    no_revoker_check: bool,
    /// The limits of all policies together, as JSON: people, objects and workloads, each a list of window, percent, atLeast, atMost
    #[arg(long, env = "ROLLCALL_LIMITS", value_name = "JSON", value_parser = cluster_limits, default_value = "{}")]
    limits: ClusterLimits,
    /// The namespace of the Jobs of hooks; without it, no hook runs
    #[arg(long, env = "ROLLCALL_HOOKS_NAMESPACE")]
    hooks_namespace: Option<String>,
    /// Keep the list of what of leavers is not to be made again, for the admission policy that refuses it
    #[arg(long)]
    deny_returns: bool,
    /// The sandbox of the drill: what acts on nothing else counts against no limit; without it, no drill is reported
    #[arg(long, env = "ROLLCALL_DRILL_NAMESPACE")]
    drill_namespace: Option<String>,
    /// A user name that is never frozen, such as a break-glass user; can be given several times
    #[arg(long, value_name = "NAME")]
    never_freeze: Vec<String>,
    #[command(flatten)]
    collector: collector::Options,
}

/// Options of `rollcall grant`.
#[derive(Debug, Args)]
pub struct Grant {
    #[command(flatten)]
    process: Process,
    /// A namespace in which it may bind; may be given several times
    #[arg(long = "grant-namespace", required = true, value_name = "NAMESPACE")]
    namespaces: Vec<String>,
}

/// Options of `rollcall trim`.
#[derive(Debug, Args)]
pub struct Trim {
    #[command(flatten)]
    process: Process,
    /// The namespace of the revoker's Jobs, where nothing is touched
    #[arg(long, env = "ROLLCALL_REVOKER_NAMESPACE")]
    revoker_namespace: String,
}

/// Options of `rollcall scim`.
#[derive(Debug, Args)]
pub struct Scim {
    #[command(flatten)]
    process: Process,
    /// Address for clients
    #[arg(long, env = "ROLLCALL_SCIM_LISTEN", default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    scim_listen: SocketAddr,
    /// Certificate in PEM; without it, something in front of this process must speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Where clients reach this, such as https://scim.example.com; without it, the host that a request names
    #[arg(long, env = "ROLLCALL_SCIM_URL", value_name = "URL")]
    url: Option<String>,
    /// A file of public keys, as rollcall signal keys prints them, that is served to receivers of signals
    #[arg(long, value_name = "FILE", requires = "signals_issuer", requires = "url")]
    signals_keys: Option<PathBuf>,
    /// Who signs: --issuer of rollcall signal send
    #[arg(long, value_name = "URL", requires = "signals_keys")]
    signals_issuer: Option<String>,
}

/// Options of `rollcall tell`.
#[derive(Debug, Args)]
pub struct Tell {
    #[command(flatten)]
    process: Process,
    /// Where events are sent
    #[arg(long, env = "ROLLCALL_TELL_RECEIVER", value_name = "URL")]
    receiver: Url,
    /// Where they happened: the `source` of each event, such as https://cluster.example.com/rollcall
    #[arg(long, env = "ROLLCALL_TELL_SOURCE", value_name = "URI")]
    source: String,
    /// A file with a bearer token for the receiver
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Certificate authorities in PEM that are trusted in addition to the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Allow a receiver at a private, loopback, link-local or cluster address, and http://
    #[arg(long)]
    allow_private_addresses: bool,
}

/// Reads the limits, and that every window is one: limits that nobody understands hold nothing.
fn cluster_limits(text: &str) -> Result<ClusterLimits, String> {
    let limits: ClusterLimits = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let read = convert::cluster_limits(&limits, 0).map_err(|error| error.to_string())?;
    for windows in What::ALL.map(|what| read.of(what)) {
        if windows.is_empty() || windows.iter().any(|window| window.within > LONGEST) {
            return Err("people, objects and workloads need a window each, of 31d at most".to_owned());
        }
    }
    Ok(limits)
}

/// Reads the spec of a Job. The text of the error quotes nothing: proxies may hold passwords.
fn job_spec(text: &str) -> Result<JobSpec, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("not the spec of a Job (line {}, column {})", error.line(), error.column()))
}

/// `rollcall sync`.
///
/// # Errors
/// See [`lead`].
pub async fn sync(options: Sync) -> Result<(), Fault> {
    let Sync { process, collector } = options;
    let namespace = process.namespace.namespace.clone();
    let work = |client, told, stop| sync::start::run(client, namespace, calls::now, told, stop);
    lead("sync", &process, Some(&collector), work).await
}

/// `rollcall control`.
///
/// # Errors
/// See [`lead`].
pub async fn control(wish: Control) -> Result<(), Fault> {
    let options = control::Options {
        namespace: wish.process.namespace.namespace.clone(),
        instance: wish.process.instance.clone(),
        revoker_namespace: wish.revoker_namespace,
        revoker_account: wish.revoker_account,
        revoker_job: wish.revoker_job,
        revoker_check: !wish.no_revoker_check,
        limits: wish.limits,
        never_freeze: wish.never_freeze.into_iter().collect(),
        hooks_namespace: wish.hooks_namespace,
        deny_returns: wish.deny_returns,
        drill_namespace: wish.drill_namespace,
    };
    let work = |client, told, stop| control::run(client, options, calls::now, told, stop);
    lead("control", &wish.process, Some(&wish.collector), work).await
}

/// `rollcall grant`.
///
/// # Errors
/// See [`lead`].
pub async fn grant(options: Grant) -> Result<(), Fault> {
    let Grant { process, namespaces } = options;
    let options = grant::Options { namespace: process.namespace.namespace.clone(), namespaces };
    lead("grant", &process, None, |client, _, stop| grant::run(client, options, calls::now, stop)).await
}

/// `rollcall trim`.
///
/// # Errors
/// See [`lead`].
pub async fn trim(options: Trim) -> Result<(), Fault> {
    let Trim { process, revoker_namespace } = options;
    let namespace = process.namespace.namespace.clone();
    let own_namespaces = vec![namespace.clone(), revoker_namespace];
    let options = trim::Options { namespace, own_namespaces };
    lead("trim", &process, None, |client, _, stop| trim::run(client, options, calls::now, stop)).await
}

/// `rollcall tell`.
///
/// # Errors
/// See [`lead`].
pub async fn tell(options: Tell) -> Result<(), Fault> {
    let Tell { process, receiver, source, token, ca, allow_private_addresses } = options;
    let namespace = process.namespace.namespace.clone();
    let options = tell::Options { namespace, receiver, source, token, ca, allow_private_addresses };
    lead("tell", &process, None, |client, (metrics, _), stop| tell::run(client, options, metrics, stop)).await
}

/// `rollcall scim`: every replica serves, so there is no Lease.
///
/// # Errors
/// See [`scim::run`].
pub async fn scim(options: Scim) -> Result<(), Fault> {
    let Scim { process, scim_listen, tls_certificate, tls_key, url, signals_keys, signals_issuer } = options;
    let tls = tls_certificate.zip(tls_key).map(|(certificate, key)| scim::doors::Tls { certificate, key });
    let stop = told_to_stop()?;
    let health = Arc::new(Health::default());
    let listener = health::listen(process.listen).await?;
    let probes = health::serve(listener, Arc::clone(&health));
    let signed = signals_keys.zip(signals_issuer).zip(url.clone());
    let signals = signed.map(|((keys, issuer), url)| scim::signals::Signals { keys, issuer, url });
    let namespace = process.namespace.namespace.clone();
    let options = scim::Options { namespace, listen: scim_listen, tls, url, signals };
    let work = async { scim::run(calls::client().await?, options, Arc::clone(&health), calls::now, stop).await };
    tokio::select! {
        ended = work => ended,
        failed = probes => failed,
    }
}

/// Runs the work of a command for as long as this replica leads, until the process is told to stop.
///
/// # Flow
/// answer probes, wait for the Lease `INSTANCE-COMMAND`, work, give the Lease up
/// # Guarantees
/// the work is dropped when leadership is lost, and the Lease is given up only when the work has ended
/// # Assumptions
/// every act of the work is safe when two lead for a moment
/// # Errors
/// the work's, or that leadership was lost: the process is to end and to be started again
async fn lead<W>(
    command: &'static str,
    process: &Process,
    collector: Option<&collector::Options>,
    work: impl FnOnce(Client, (Arc<Metrics>, Arc<Traces>), CancellationToken) -> W,
) -> Result<(), Fault>
where
    W: Future<Output = Result<(), Fault>>,
{
    let stop = told_to_stop()?;
    let health = Arc::new(Health::default());
    let listener = health::listen(process.listen).await?;
    let probes = health::serve(listener, Arc::clone(&health));
    let work = async {
        let client = calls::client().await?;
        health.ready.store(true, Ordering::Relaxed);
        let name = format!("{}-{command}", process.instance);
        let identity = format!("{}_{}", process.host, calls::now().as_microsecond());
        let heartbeat = Arc::clone(&health.heartbeat);
        let candidate =
            Candidate::new(client.clone(), &process.namespace.namespace, name, identity, calls::now, heartbeat);
        let Some(mut leading) = candidate.lead(&stop).await else { return Ok(()) };
        tracing::info!(command, "leading");
        health.metrics.leading(true);
        let dropped = health.metrics.spans_dropped();
        let begin =
            |collector: &collector::Options| collector.begin(command, &process.instance, &process.host, dropped);
        let (traces, sending) = collector.map(begin).unwrap_or_default();
        let ended = tokio::select! {
            fault = leading.lost() => return Err(fault),
            ended = work(client, (Arc::clone(&health.metrics), traces), stop.clone()) => ended,
        };
        leading.release().await;
        sending.end().await; // the next one leads meanwhile
        ended
    };
    tokio::select! {
        ended = work => ended,
        failed = probes => failed,
    }
}

/// Cancelled by the first SIGTERM or SIGINT.
#[cfg(unix)]
fn told_to_stop() -> Result<CancellationToken, Fault> {
    let listen = |kind| {
        signal(kind).map_err(|error| Fault::Transient { doing: "listen for signals", cause: error.kind().to_string() })
    };
    let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

/// Cancelled by Ctrl-C: the operator runs on Linux, and elsewhere only for somebody who looks at it.
#[cfg(not(unix))]
fn told_to_stop() -> Result<CancellationToken, Fault> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_all_policies_are_read_as_the_chart_writes_them_or_refused() {
        let window = |text: &str| format!(r#"{{"people": [{{"window": "{text}", "percent": 5, "atLeast": 10}}]}}"#);
        assert_eq!(cluster_limits("{}").unwrap(), ClusterLimits::default());
        let read = cluster_limits(&window("7d")).unwrap();
        assert_eq!((read.people.len(), read.objects), (1, ClusterLimits::default().objects));
        let ceiling = r#"{"people": [{"window": "1h", "percent": 5, "atLeast": 1, "most": 3}]}"#;
        for wrong in [&window("a day"), &window("32d"), r#"{"people": []}"#, ceiling, r#"{"person": []}"#, "5 %"] {
            assert!(cluster_limits(wrong).is_err(), "{wrong}");
        }
    }
}
