//! `rollcall hooks`: which hooks policies have, and which pod templates a human has allowed them to run.
//!
//! A hook runs with the rights of its ServiceAccount, and is started by a machine. So a human allows exactly the pod template that they
//! saw, under their own rights; one that is changed later runs nothing until it is allowed again.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use k8s_openapi::api::batch::v1::CronJob;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde::Serialize;
use serde_json::Value;

use super::asked::Asked;
use super::cluster::Cluster;
use super::output::Output;
use super::terminal::{plain, say, table};
use super::{Failure, ask};
use crate::api::hooks::pod_template;
use crate::api::{HookTemplates, HookTemplatesSpec, SyncPolicy, names};
use crate::kube::named::Api;
use crate::kube::swap;

/// What is being done, for a fault.
const WRITES: &str = "write which hooks are allowed";
/// How often a write is tried again after somebody else wrote.
const TRIES: u32 = 5;

/// What is to be done about hooks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the hooks of all policies, and whether each may run
    List(List),
    /// Allow a CronJob's pod template, as it is now, to run as a hook
    Allow(One),
    /// Take that back
    Forbid(One),
}

/// Where hooks are.
#[derive(Debug, Args)]
pub struct Options {
    /// The namespace of hooks. Default: Rollcall's with `-hooks` behind it
    #[arg(long, value_name = "NAMESPACE")]
    hooks_namespace: Option<String>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall hooks list`.
#[derive(Debug, Args)]
pub struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    options: Options,
}

/// One hook.
#[derive(Debug, Args)]
pub struct One {
    /// Name of its CronJob
    name: String,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    options: Options,
}

/// A hook, as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    cron_job: String,
    /// None where no policy has it, and its pod template is allowed still.
    policy: Option<String>,
    when: Option<&'static str>,
    state: &'static str,
}

impl Options {
    fn namespace(&self) -> String {
        self.hooks_namespace.clone().unwrap_or_else(|| format!("{}-hooks", self.cluster.namespace()))
    }
}

/// Does what was asked.
///
/// # Errors
/// Why it was not done, in the API server's words where it said no.
pub async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(List { output, options }) => list(options, *output).await,
        Command::Allow(one) => change(one, true).await,
        Command::Forbid(one) => change(one, false).await,
    }
}

async fn list(options: &Options, output: Output) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let policies: Api<SyncPolicy> = Api::namespaced(client.clone(), options.cluster.namespace());
    let lists: Api<HookTemplates> = Api::namespaced(client.clone(), options.cluster.namespace());
    let policies = ask("list the policies", policies.list(&ListParams::default())).await?.items;
    let allowed = ask("read which hooks are allowed", lists.get_opt(names::HOOKS)).await?;
    let cron_jobs: Api<DynamicObject> =
        Api::namespaced_with(client, &options.namespace(), &ApiResource::erase::<CronJob>(&()));
    let cron_jobs = ask("list the CronJobs of hooks", cron_jobs.list(&ListParams::default())).await?.items;
    let rows = rows(&policies, &allowed.map(|list| list.spec.templates).unwrap_or_default(), &cron_jobs);
    output.print(&rows, || Ok(show(&rows)))
}

fn rows(policies: &[SyncPolicy], allowed: &BTreeMap<String, Value>, cron_jobs: &[DynamicObject]) -> Vec<Row> {
    let state = |name: &str| state(cron_jobs.iter().find(|one| one.name_any() == name), allowed.get(name));
    let named = policies.iter().flat_map(|policy| {
        policy.spec.revocation.hooks.iter().map(|hook| Row {
            cron_job: hook.cron_job.clone(),
            policy: Some(policy.name_any()),
            when: Some(hook.when.as_str()),
            state: state(&hook.cron_job),
        })
    });
    let mut rows: Vec<_> = named.collect();
    let used: BTreeSet<String> = rows.iter().map(|row| row.cron_job.clone()).collect();
    let unused = allowed.keys().filter(|name| !used.contains(*name));
    rows.extend(unused.map(|name| Row { cron_job: name.clone(), policy: None, when: None, state: state(name) }));
    rows
}

fn show(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No policy has a hook: spec.revocation.hooks.".to_owned();
    }
    let cells = |row: &Row| {
        let (policy, when) = (row.policy.as_deref().unwrap_or("-"), row.when.unwrap_or("-"));
        [row.cron_job.as_str(), policy, when, row.state].map(str::to_owned)
    };
    table(["CRONJOB", "POLICY", "WHEN", "STATE"], rows.iter().map(cells))
}

/// Whether a hook may run, and if not, what is missing.
fn state(cron_job: Option<&DynamicObject>, allowed: Option<&Value>) -> &'static str {
    let Some(cron_job) = cron_job else { return "there is no such CronJob" };
    let suspended = cron_job.data.pointer("/spec/suspend") == Some(&Value::Bool(true));
    match (allowed, pod_template(&cron_job.data)) {
        _ if !suspended => "its CronJob is not suspended",
        (None, _) => "not allowed",
        (Some(allowed), Some(template)) if *allowed == template => "may run",
        _ => "changed since it was allowed",
    }
}

/// Allows a hook, or takes that back.
///
/// # Flow          read the CronJob, show its pod template, ask, write it over exactly what was read
/// # Guarantees    what was shown is what is allowed
/// # Errors        no such CronJob, or one that is not suspended; whatever the API server says
async fn change(one: &One, allow: bool) -> Result<(), Failure> {
    let client = one.options.cluster.client().await?;
    let namespace = one.options.namespace();
    let template = if allow { Some(template(&client, &namespace, &one.name).await?) } else { None };
    if let Some(template) = &template {
        let text = serde_saphyr::to_string(template).map_err(|error| Failure::Refused(error.to_string()))?;
        say(&text.lines().map(plain).collect::<Vec<_>>().join("\n"));
    }
    let what = if allow { "Allow this pod template to run as the hook" } else { "No longer allow the hook" };
    one.asked.confirm(format!("{what} {}?", plain(&one.name)))?;
    let lists: Api<HookTemplates> = Api::namespaced(client, one.options.cluster.namespace());
    for _ in 0..TRIES {
        let current = ask("read which hooks are allowed", lists.get_opt(names::HOOKS)).await?;
        let fresh = current.is_none();
        let mut list = current.unwrap_or_else(|| HookTemplates::new(names::HOOKS, HookTemplatesSpec::default()));
        match &template {
            Some(template) => drop(list.spec.templates.insert(one.name.clone(), template.clone())),
            None => drop(list.spec.templates.remove(&one.name)),
        }
        match swap::put(&lists, WRITES, &list, fresh).await {
            Ok(_) => {
                let done = if allow { "may run as a hook, as it is now" } else { "may no longer run as a hook" };
                say(&format!("{} {done}.", plain(&one.name)));
                return Ok(());
            }
            Err(fault) if fault.is_conflict() => {}
            Err(fault) => return Err(super::told(WRITES, fault)),
        }
    }
    Err(Failure::Refused("somebody else keeps writing: try again".to_owned()))
}

/// The pod template of a suspended CronJob.
async fn template(client: &kube::Client, namespace: &str, name: &str) -> Result<Value, Failure> {
    let cron_jobs: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<CronJob>(&()));
    let found = ask("read the CronJob", cron_jobs.get_opt(name)).await?;
    let found = found.ok_or_else(|| Failure::Refused(format!("there is no CronJob {name} in {namespace}")))?;
    if found.data.pointer("/spec/suspend") != Some(&Value::Bool(true)) {
        return Err(Failure::Refused(format!("the CronJob {name} is not suspended: set spec.suspend to true")));
    }
    pod_template(&found.data).ok_or_else(|| Failure::Refused(format!("the CronJob {name} has no pod template")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_hook_is_listed_with_what_it_lacks() {
        let policy: SyncPolicy = serde_json::from_value(json!({"metadata": {"name": "everyone"}, "spec": {
            "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"},
            "revocation": {"hooks": [{"cronJob": "database"}, {"cronJob": "siem", "when": "Before"}, {"cronJob": "gone"}]}}}))
        .unwrap();
        let template = |image: &str| json!({"spec": {"containers": [{"name": "hook", "image": image}]}});
        let cron_job = |name: &str, suspend: bool| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": name},
                "spec": {"suspend": suspend, "jobTemplate": {"spec": {"template": template("a")}}}}))
            .unwrap()
        };
        let there = [cron_job("database", true), cron_job("siem", true)];
        let allowed = BTreeMap::from([("database".to_owned(), template("a")), ("siem".to_owned(), template("b"))]);
        let shown = show(&rows(&[policy], &allowed, &there));
        for (name, state) in
            [("database", "may run"), ("siem", "changed since it was allowed"), ("gone", "there is no such CronJob")]
        {
            let line = shown.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            assert!(line.contains(state), "{line}");
        }
        assert_eq!(state(Some(&cron_job("x", false)), Some(&template("a"))), "its CronJob is not suspended");
        assert_eq!(state(Some(&cron_job("x", true)), None), "not allowed");
    }
}
