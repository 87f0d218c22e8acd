//! `rollcall stop`: one switch that ends every act of Rollcall, whatever any policy says.
//!
//! The ConfigMap `rollcall-stop` is made by the chart with an empty `reason`. Absent, unreadable, or with a reason, it
//! means stopped.

use crate::kube::named::Api;
use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::terminal::say;
use super::{Failure, Namespace, ask};
use crate::api::names;
use crate::kube::calls;

/// Field manager of what a human writes here.
const MANAGER: &str = "kubectl-rollcall";
/// Longest reason.
const LONGEST: usize = 256;

/// Options of `rollcall stop`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    namespace: Namespace,
    #[command(flatten)]
    wish: Wish,
}

/// Stop, or go on.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Wish {
    /// Stop, and tell everybody why
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Lift the stop: what waits is checked against every gate again
    #[arg(long)]
    lift: bool,
}

/// A reason that says something.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("say why, for whoever finds everything stopped".to_owned()),
        length if length > LONGEST => Err(format!("at most {LONGEST} characters")),
        _ => Ok(text.to_owned()),
    }
}

/// Writes the reason into the ConfigMap, or empties it.
///
/// # Flow          one apply of the one key
/// # Guarantees    nothing else of the ConfigMap changes; said twice is said once
/// # Assumptions   control and revoker read it before every step
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let reason = options.wish.reason.as_deref().unwrap_or_default();
    let namespace = &options.namespace.namespace;
    let api: Api<ConfigMap> = Api::namespaced(calls::client().await?, namespace);
    let apply = PatchParams::apply(MANAGER).force();
    ask("write the stop", api.patch(names::STOP, &apply, &Patch::Apply(&wish(namespace, reason)))).await?;
    if reason.is_empty() {
        say(&format!("The stop in {namespace} is lifted. What waits is checked against every gate again."));
    } else {
        say(&format!("Stopped in {namespace}: nothing is acted on from the next step on. Lift it with `stop --lift`."));
    }
    Ok(())
}

/// What is applied.
fn wish(namespace: &str, reason: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names::STOP, "namespace": namespace},
        "data": {names::STOP_REASON: reason},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_says_why() {
        assert_eq!(reason(" HR is being moved "), Ok("HR is being moved".to_owned()));
        for text in ["", "  ", &"x".repeat(257)] {
            assert!(reason(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lifting_empties_the_reason_and_keeps_the_key() {
        assert_eq!(wish("rollcall", "")["data"], json!({"reason": ""}));
        assert_eq!(wish("rollcall", "why")["data"], json!({"reason": "why"}));
    }
}
