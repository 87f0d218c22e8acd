//! `rollcall consents`: what the revoker may do in each namespace, as control's self-test found it.

use crate::kube::named::Api;
use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde::Serialize;

use super::cluster::Cluster;
use super::output::Output;
use super::terminal::{plain, table};
use super::{Failure, ask};
use crate::api::names;
use crate::kube::consents::{KEY, OMITTED, Row};
use crate::kube::revoker::{self, RevokerCheck};

/// Options of `rollcall consents`.
#[derive(Debug, Args)]
pub struct Options {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// What control's self-test found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    consents: Vec<Row>,
    /// Whether the revoker was proved able to run; nothing before its check has finished.
    revoker: Option<RevokerCheck>,
    /// How many namespaces did not fit.
    omitted: Option<String>,
}

/// Prints the table.
///
/// # Errors
/// When the self-test has not run yet, or its result cannot be read.
pub async fn run(options: &Options) -> Result<(), Failure> {
    let api: Api<ConfigMap> = Api::namespaced(options.cluster.client().await?, options.cluster.namespace());
    let found = ask("read the consents", api.get_opt(names::CONSENTS)).await?;
    let mut data = found.and_then(|map| map.data).unwrap_or_default();
    let text = data
        .remove(KEY)
        .ok_or_else(|| Failure::Refused("there are no results yet: control writes them when it starts".to_owned()))?;
    let revoker = data.get(revoker::KEY).and_then(|text| serde_json::from_str(text).ok());
    let found = Found { consents: parse(&text)?, revoker, omitted: data.remove(OMITTED) };
    options.output.print(&found, || Ok(page(&found)))
}

fn page(found: &Found) -> String {
    let mut lines = vec![show(&found.consents), revoker_shown(found.revoker.as_ref())];
    lines.extend(
        found
            .omitted
            .as_ref()
            .map(|omitted| format!("… and {} more namespaces that do not fit into the table.", plain(omitted))),
    );
    lines.join("\n")
}

/// Whether the revoker was proved able to run.
fn revoker_shown(check: Option<&RevokerCheck>) -> String {
    match check {
        Some(RevokerCheck { ready: true, at, .. }) => format!("The revoker ran successfully at {at:.0}."),
        Some(RevokerCheck { message, at, .. }) => format!("The revoker could not run at {at:.0}: {message}"),
        None => "The check whether the revoker can run has not finished yet.".to_owned(),
    }
}

/// The table as control last wrote it; none before it has.
///
/// # Errors
/// When it cannot be read.
pub async fn read(client: Client, namespace: &str) -> Result<Option<Vec<Row>>, Failure> {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let found = ask("read the consents", api.get_opt(names::CONSENTS)).await?;
    let text = found.and_then(|map| map.data?.remove(KEY));
    text.map(|text| parse(&text)).transpose()
}

fn parse(text: &str) -> Result<Vec<Row>, Failure> {
    serde_json::from_str(text).map_err(|_| Failure::Refused(format!("{}: {KEY} cannot be read", names::CONSENTS)))
}

fn show(consents: &[Row]) -> String {
    if consents.is_empty() {
        return "No namespace has consented, so nothing can be revoked.".to_owned();
    }
    let yes = |given: bool| if given { "yes" } else { "-" }.to_owned();
    let rows = consents.iter().map(|consent| {
        let Row { accounts, canaries, trim, rotate, workloads, secrets, .. } = *consent;
        let [accounts, canaries, trim, rotate, workloads, secrets] =
            [accounts, canaries, trim, rotate, workloads, secrets].map(yes);
        let place = if consent.namespace.is_empty() { "(whole cluster)".to_owned() } else { consent.namespace.clone() };
        [place, accounts, canaries, trim, rotate, workloads, secrets, consent.missing.join(", ")]
    });
    table(["NAMESPACE", "ACCOUNTS", "CANARIES", "TRIM", "ROTATE", "WORKLOADS", "SECRETS", "MISSING"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_namespace_shows_what_it_consented_to_and_what_is_missing() {
        let text = r#"[
            {"namespace": "team-a", "accounts": true, "canaries": true, "trim": true, "rotate": true, "workloads": true, "secrets": true, "missing": []},
            {"namespace": "team-b", "accounts": false, "canaries": false, "secrets": false,
             "missing": ["delete serviceaccounts", "create serviceaccounts"]},
            {"namespace": "", "accounts": true, "canaries": false, "secrets": false, "missing": []}
        ]"#;
        insta::assert_snapshot!(show(&parse(text).unwrap()));
    }

    #[test]
    fn a_revoker_that_cannot_run_is_said_with_its_reason() {
        let check = |text: &str| -> RevokerCheck { serde_json::from_str(text).unwrap() };
        let refused =
            r#"{"shape": "s", "ready": false, "at": "2026-03-02T08:00:00Z", "message": "no node takes its pod"}"#;
        assert_eq!(
            revoker_shown(Some(&check(refused))),
            "The revoker could not run at 2026-03-02T08:00:00Z: no node takes its pod"
        );
        let proved = r#"{"shape": "s", "ready": true, "at": "2026-03-02T08:00:00Z", "message": ""}"#;
        assert_eq!(revoker_shown(Some(&check(proved))), "The revoker ran successfully at 2026-03-02T08:00:00Z.");
        assert_eq!(revoker_shown(None), "The check whether the revoker can run has not finished yet.");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(parse("{}").is_err());
        assert_eq!(show(&parse("[]").unwrap()), "No namespace has consented, so nothing can be revoked.");
    }
}
