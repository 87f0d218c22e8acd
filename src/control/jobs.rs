//! The revoker's Job: one when released work waits and none is running. Its one shape is pinned by an admission policy.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile,
    SecurityContext,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta, PostParams};

use super::{Context, Options};
use crate::api::names;
use crate::kube::calls::{self, call};
use crate::kube::outcome::Fault;

/// Value of the label `rollcall.dev/part` on the Job and its pod.
const PART: &str = "revoke";
/// Wait after the first failed Job; doubles with each in a row.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(3);
/// How often it doubles at most: about six minutes.
const LONGEST_DOUBLING: u32 = 7;
/// User of the image.
const USER: i64 = 65532;

/// Makes sure that a Job is running, and says which.
///
/// # Flow          list; if none is active, create one
/// # Guarantees    one at a time from this process; two leaders may start two, which is safe: each Revocation is claimed
/// # Errors        transient, or the API server refuses the Job
pub async fn ensure(ctx: &Context) -> Result<String, Fault> {
    let _turn = ctx.turn.lock().await;
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.options.revoker_namespace);
    let params = ListParams::default().labels(&format!("{}={PART}", names::PART));
    let running = call("list the revoker's Jobs", api.list(&params)).await?;
    if let Some(job) = running.items.iter().find(|job| active(job)) {
        return Ok(job.name_any());
    }
    patience(&running.items, (ctx.clock)())?;
    let name = format!("revoke-{:x}", (ctx.clock)().as_millisecond());
    call("start the revoker's Job", api.create(&PostParams::default(), &shape(&ctx.options, &name))).await?;
    Ok(name)
}

/// Waits longer after each Job that failed in a row: a revoker that cannot work must not be started every second.
fn patience(jobs: &[Job], now: Timestamp) -> Result<(), Fault> {
    let mut by_age: Vec<&Job> = jobs.iter().collect();
    by_age.sort_by_key(|job| std::cmp::Reverse(job.metadata.creation_timestamp.clone()));
    let failed = by_age.iter().take_while(|job| job.status.as_ref().is_some_and(|status| status.failed > Some(0)));
    let (failures, newest) = (failed.count(), by_age.first().and_then(|job| job.metadata.creation_timestamp.as_ref()));
    let (1.., Some(newest)) = (failures, newest) else { return Ok(()) };
    let wait = FIRST_WAIT * 2_i32.pow(u32::try_from(failures - 1).unwrap_or(u32::MAX).min(LONGEST_DOUBLING));
    let again = calls::wait((newest.0 + wait).duration_since(now));
    if again.is_zero() {
        return Ok(());
    }
    let message =
        format!("The last {failures} Jobs of the revoker failed; see their logs. The next one is started later.");
    Err(Fault::Waiting { reason: "RevokerFailed", message, again })
}

/// Whether a Job has neither completed nor failed, and is not being deleted.
fn active(job: &Job) -> bool {
    let ended = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    job.metadata.deletion_timestamp.is_none()
        && !ended.into_iter().any(|c| {
            c.status == "True"
                && ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"].contains(&c.type_.as_str())
        })
}

/// The one shape; `charts/rollcall/templates/vap-job-template.yaml` refuses any other.
fn shape(options: &Options, name: &str) -> Job {
    let labels = BTreeMap::from([
        (names::PART.to_owned(), PART.to_owned()),
        ("app.kubernetes.io/name".to_owned(), "rollcall".to_owned()),
        ("app.kubernetes.io/instance".to_owned(), options.instance.clone()),
    ]);
    Job {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels.clone()), ..ObjectMeta::default() },
        spec: Some(JobSpec {
            completions: Some(1),
            parallelism: Some(1),
            backoff_limit: Some(0),
            active_deadline_seconds: Some(600),
            ttl_seconds_after_finished: Some(600),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod(options)),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

fn pod(options: &Options) -> PodSpec {
    PodSpec {
        service_account_name: Some(options.revoker_account.clone()),
        restart_policy: Some("Never".to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        containers: vec![Container {
            name: PART.to_owned(),
            image: Some(options.revoker_image.clone()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            args: Some(
                ["revoke", "--namespace", &options.namespace, "--instance", &options.instance]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            security_context: Some(SecurityContext {
                allow_privilege_escalation: Some(false),
                read_only_root_filesystem: Some(true),
                capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
                ..SecurityContext::default()
            }),
            resources: Some(ResourceRequirements {
                requests: Some(quantities(&[("cpu", "50m"), ("memory", "32Mi")])),
                limits: Some(quantities(&[("memory", "128Mi")])),
                ..ResourceRequirements::default()
            }),
            ..Container::default()
        }],
        ..PodSpec::default()
    }
}

fn quantities(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect()
}
