//! `rollcall accept`: lets one answer of an HR system be trusted that the trust gate held.

use crate::kube::named::Api;
use clap::Args;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::terminal::{plain, say};
use super::{Failure, ask};
use crate::api::connection::Attempt;
use crate::api::{HRConnection, names};
use crate::kube::calls;

/// Options of `rollcall accept`.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the HRConnection
    connection: String,
    /// Digest of the held response: `status.lastAttempt.response` of the connection. It covers ids, statuses, dates and addresses
    #[arg(long, value_name = "DIGEST")]
    response: String,
    #[command(flatten)]
    cluster: Cluster,
}

/// Shows what was found in the held response, and names it as accepted.
///
/// # Flow          read, compare the digest with the newest attempt's, annotate, ask for a read now
/// # Guarantees    only a response with this digest is trusted for it: when an id, a status, a date or an address is
///                 another by then, the trust gate judges that response by itself; a title or a department may change
/// # Assumptions   an admission policy asks for the verb `approve`
/// # Errors        the digest is not the newest attempt's; whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let api: Api<HRConnection> = Api::namespaced(options.cluster.client().await?, options.cluster.namespace());
    let connection = ask("read the HRConnection", api.get(&options.connection)).await?;
    let attempt = connection.status.as_ref().and_then(|status| status.last_attempt.as_ref());
    let held = held(attempt, &options.response).map_err(Failure::Refused)?;
    say(&format!("Response {} of {} is held: {}", options.response, options.connection, plain(&held.outcome)));
    for finding in &held.findings {
        say(&format!("  {}", plain(finding)));
    }
    let patch = Patch::Merge(annotations(&options.response, &calls::now().to_string()));
    ask("accept the response", api.patch(&options.connection, &PatchParams::default(), &patch)).await?;
    say(
        "Accepted. The source is read again now. The response is trusted if ids, statuses, dates and addresses are still the same.",
    );
    Ok(())
}

/// The newest attempt, if it is a held response of this digest; or why not.
fn held<'a>(attempt: Option<&'a Attempt>, digest: &str) -> Result<&'a Attempt, String> {
    let attempt = attempt.ok_or("this connection has not been read yet")?;
    match attempt.response.as_deref() {
        None => Err(format!(
            "the newest attempt ({}) got no complete response, so there is nothing to accept",
            attempt.outcome
        )),
        Some(newest) if newest != digest => Err(format!(
            "the newest response is {newest}, not {digest}: check the findings of that one, then accept it by its digest"
        )),
        Some(_) if attempt.outcome == "Trusted" => Err("this response is trusted already".to_owned()),
        Some(_) => Ok(attempt),
    }
}

fn annotations(digest: &str, now: &str) -> Value {
    json!({"metadata": {"annotations": {names::ACCEPT: digest, names::REQUESTED_AT: now}}})
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn only_the_newest_held_answer_is_accepted() {
        let attempt = |outcome: &str, digest: Option<&str>| Attempt {
            time: Timestamp::UNIX_EPOCH,
            outcome: outcome.into(),
            response: digest.map(Into::into),
            findings: vec![],
        };
        let cases = [
            ("held, and named", Some(attempt("Shrunk", Some("7f3a"))), true),
            ("another response has come since", Some(attempt("Shrunk", Some("9b00"))), false),
            ("trusted already", Some(attempt("Trusted", Some("7f3a"))), false),
            ("there was no whole response", Some(attempt("Timeout", None)), false),
            ("never read", None, false),
        ];
        for (situation, attempt, accepted) in cases {
            assert_eq!(held(attempt.as_ref(), "7f3a").is_ok(), accepted, "{situation}");
        }
    }

    #[test]
    fn acceptance_names_the_answer_and_asks_for_a_read() {
        let written = annotations("7f3a", "2026-03-01T00:00:00Z").to_string();
        let expected = json!({"metadata": {"annotations": {
            "rollcall.dev/accept": "7f3a", "rollcall.dev/requestedAt": "2026-03-01T00:00:00Z"
        }}});
        assert_eq!(written, expected.to_string());
    }
}
