//! `rollcall read-now`, which is `kubectl rollcall sync`: reads an HR system now, and says what came of it.

use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::cluster::Cluster;
use super::terminal::{plain, say};
use super::{Failure, ask};
use crate::api::condition::ConditionType;
use crate::api::connection::HRConnectionStatus;
use crate::api::{HRConnection, names};
use crate::kube::calls;
use crate::kube::named::Api;

/// Time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Exit code where the source was read and the response is not trusted, or there is none.
const NOT_TRUSTED: u8 = 2;

/// Options of `rollcall read-now`.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the HRConnection
    connection: String,
    /// How long to wait for the result, in seconds; 0 only asks for it
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
    #[command(flatten)]
    cluster: Cluster,
}

/// Asks for a read and waits until it was handled.
///
/// # Flow          annotate; look until the status names the annotation
/// # Guarantees    changes nothing but the annotation; ends with 2 where the response is not trusted
/// # Errors        it is suspended; it was not read in time; whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let api: Api<HRConnection> = Api::namespaced(options.cluster.client().await?, options.cluster.namespace());
    let name = &options.connection;
    let connection = ask("read the HRConnection", api.get(name)).await?;
    let now = calls::now();
    if let Some(suspended) = connection.spec.suspend.as_ref().filter(|suspended| suspended.until > now) {
        return Err(Failure::Refused(format!(
            "{name} is suspended until {}: {}. Read it again with `kubectl rollcall resume {name}`",
            suspended.until,
            plain(&suspended.reason)
        )));
    }
    let asked = now.to_string();
    let patch = Patch::Merge(json!({"metadata": {"annotations": {names::REQUESTED_AT: asked}}}));
    ask("ask for a read", api.patch(name, &PatchParams::default(), &patch)).await?;
    if options.timeout == 0 {
        say(&format!("{name}: a read is asked for"));
        return Ok(());
    }
    let bar = ProgressBar::new_spinner().with_message(format!("{name} is being read"));
    bar.enable_steady_tick(Duration::from_millis(100));
    let handled = tokio::time::timeout(Duration::from_secs(options.timeout), handled(&api, name, &asked)).await;
    bar.finish_and_clear();
    let status = handled.map_err(|_| {
        Failure::Refused(format!(
            "{name} was not read within {} seconds: is `rollcall sync` running? Try `kubectl rollcall doctor`",
            options.timeout
        ))
    })??;
    let (trusted, text) = told(name, &status);
    if trusted {
        say(&text);
        return Ok(());
    }
    Err(Failure::Ended { code: NOT_TRUSTED, message: text })
}

async fn handled(api: &Api<HRConnection>, name: &str, asked: &str) -> Result<HRConnectionStatus, Failure> {
    loop {
        let status = ask("read the HRConnection", api.get(name)).await?.status.unwrap_or_default();
        if status.last_handled_reconcile_at.as_deref() == Some(asked) {
            return Ok(status);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether the newest response is trusted, and what is to be said of it.
fn told(name: &str, status: &HRConnectionStatus) -> (bool, String) {
    let Some(attempt) = &status.last_attempt else {
        let ready = status.conditions.iter().find(|one| one.type_ == ConditionType::Ready.as_str());
        return (false, format!("{name}: {}", ready.map_or("not read", |ready| ready.message.as_str())));
    };
    let trusted = attempt.outcome == "Trusted";
    let mut lines = vec![match (&status.last_trusted, trusted) {
        (Some(newest), true) => format!("{name}: read and trusted, {} people", newest.employees),
        _ => format!("{name}: {}", attempt.outcome),
    }];
    lines.extend(attempt.findings.iter().map(|finding| format!("  {}", plain(finding))));
    if let Some(digest) = attempt.response.as_ref().filter(|_| !trusted) {
        lines.push(format!("If this is right: kubectl rollcall accept {name} --response {digest}"));
    }
    (trusted, lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(attempt: serde_json::Value) -> HRConnectionStatus {
        serde_json::from_value(json!({
            "lastAttempt": attempt,
            "lastTrusted": {"time": "2026-03-02T08:00:00Z", "response": "7f3a", "employees": 412,
                "statuses": {}, "highWater": 412, "source": "s"},
        }))
        .unwrap()
    }

    #[test]
    fn what_came_of_the_read_is_said_with_the_next_command() {
        let time = "2026-03-02T08:00:00Z";
        let (trusted, text) = told("hq", &status(json!({"time": time, "outcome": "Trusted", "response": "7f3a"})));
        assert!(trusted && text == "hq: read and trusted, 412 people", "{text}");
        let shrunk = json!({"time": time, "outcome": "Shrunk", "response": "9b00", "findings": ["40 of 412 people are missing"]});
        let (trusted, text) = told("hq", &status(shrunk));
        assert!(!trusted);
        assert_eq!(
            text,
            "hq: Shrunk\n  40 of 412 people are missing\nIf this is right: kubectl rollcall accept hq --response 9b00"
        );
        let (trusted, text) = told("hq", &status(json!({"time": time, "outcome": "Unauthorised"})));
        assert!(!trusted && text == "hq: Unauthorised", "{text}");
        assert!(!told("hq", &HRConnectionStatus::default()).0, "not read at all");
    }
}
