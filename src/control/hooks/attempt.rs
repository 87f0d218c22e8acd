//! One attempt of a hook, taken a step on: its Job made, seen and told.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, PostParams};
use serde_json::Value;

use super::{CALL, FULL, LOOK, MAX_MESSAGE, SOON, job};
use crate::api::hooks::pod_template;
use crate::api::policy::When;
use crate::api::revocation::{HookOutcome, HookRun, Plan, VerdictKind};
use crate::api::{HookTemplates, names};
use crate::control::Context;
use crate::control::jobs::refusal::refused_by;
use crate::kube::calls::{self, call_within};
use crate::kube::gate_inputs::GateInputs;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use domain::hooks::{self, Entry, Outcome, Seen, Turn, turn};

/// What a step needs.
pub(super) struct Driver<'a> {
    /// What control shares.
    pub(super) ctx: &'a Context,
    /// The Revocation, and what its gates ask.
    pub(super) inputs: &'a GateInputs,
    /// Whether anything may be begun.
    pub(super) entry: Entry,
    /// Whether as many are at work as may be.
    pub(super) full: bool,
    /// The instant of this look.
    pub(super) now: Timestamp,
    /// The plan that is shown.
    pub(super) plan: Option<&'a Plan>,
}

impl Driver<'_> {
    /// One hook, one step; and when to look at it again.
    pub(super) async fn step(&self, run: &HookRun) -> (HookRun, Option<Duration>) {
        if !run.pending() {
            return (run.clone(), None);
        }
        let (run, seen) = match self.seen(run).await {
            // One that stands and was not written down was made by a process that died.
            Ok(Some(job)) => (HookRun { job: Some(job.name_any()), job_uid: job.uid(), ..run.clone() }, state(&job)),
            Ok(None) => (run.clone(), Seen::Absent),
            Err(fault) => {
                tracing::info!(%fault, hook = run.name, "the Job of a hook cannot be seen; looked at again");
                // A before-hook ends by the clock, whether anything can be seen or not.
                if run.when == When::After {
                    return (run.clone(), Some(SOON));
                }
                (run.clone(), Seen::Working)
            }
        };
        let run = &run;
        match turn(&plain(run), seen, self.entry, self.now) {
            Turn::Wait(until) => {
                let until = until.map(|until| calls::wait(until.duration_since(self.now)));
                let look = run.begun.is_some().then_some(LOOK);
                (run.clone(), until.into_iter().chain(look).min())
            }
            Turn::Begin if self.full => (run.clone(), Some(calls::wait(FULL))),
            Turn::Begin => (self.begun(run), Some(SOON)), // the write wakes it
            Turn::Make => self.make(run).await,
            Turn::End(outcome, again) => (self.ended(run, outcome, again, None), self.until(again)),
        }
    }

    fn until(&self, again: Option<Timestamp>) -> Option<Duration> {
        again.map(|again| calls::wait(again.duration_since(self.now)))
    }

    fn begun(&self, run: &HookRun) -> HookRun {
        HookRun {
            outcome: HookOutcome::Begun,
            verdict: None,
            message: None,
            attempts: run.attempts.saturating_add(1),
            begun: Some(self.now),
            job: None,
            job_uid: None,
            again: None,
            ..run.clone()
        }
    }

    fn ended(&self, run: &HookRun, outcome: Outcome, again: Option<Timestamp>, why: Option<String>) -> HookRun {
        let (outcome, verdict, message) = words(outcome);
        let message = why.or_else(|| message.map(str::to_owned));
        HookRun {
            outcome,
            verdict,
            message: message.map(|message| message.chars().take(MAX_MESSAGE).collect()),
            begun: None,
            again,
            ended: again.is_none().then_some(self.now),
            ..run.clone()
        }
    }

    /// What is to be seen of the Job of an attempt.
    async fn seen(&self, run: &HookRun) -> Result<Option<Job>, Fault> {
        let (Some(namespace), Some(_)) = (&self.ctx.options.hooks_namespace, run.begun) else { return Ok(None) };
        let api: Api<Job> = Api::namespaced(self.ctx.client.clone(), namespace);
        let name = job::name(&self.uid(), run);
        let job = call_within(CALL, "read the Job of a hook", api.get_opt(&name)).await?;
        let ours = |job: &Job| match &run.job_uid {
            Some(uid) => job.uid().as_ref() == Some(uid),
            None => job.labels().get(names::REVOCATION) == Some(&self.uid()),
        };
        Ok(job.filter(ours))
    }

    fn uid(&self) -> String {
        self.inputs.revocation.uid().unwrap_or_default()
    }

    /// Makes the Job of an attempt, or says why it cannot be made.
    async fn make(&self, run: &HookRun) -> (HookRun, Option<Duration>) {
        match self.made(run).await {
            Ok(job) => {
                let (name, uid) = (job.name_any(), job.uid());
                tracing::info!(
                    job = name,
                    hook = run.name,
                    revocation = self.inputs.revocation.name_any(),
                    "started a hook"
                );
                (HookRun { job: Some(name), job_uid: uid, ..run.clone() }, Some(LOOK))
            }
            Err(NotMade::Later(fault)) => {
                tracing::info!(%fault, hook = run.name, "the Job of a hook was not made; tried again");
                (run.clone(), Some(SOON))
            }
            Err(NotMade::Refused(why)) => {
                let Turn::End(outcome, again) = hooks::failed(&plain(run), Outcome::NotStarted, self.now) else {
                    return (run.clone(), Some(SOON));
                };
                (self.ended(run, outcome, again, Some(why)), self.until(again))
            }
        }
    }

    async fn made(&self, run: &HookRun) -> Result<DynamicObject, NotMade> {
        let refused = |why: String| NotMade::Refused(why);
        let (client, options) = (&self.ctx.client, &self.ctx.options);
        let namespace = options.hooks_namespace.as_deref();
        let namespace =
            namespace.ok_or_else(|| refused("hooks are not installed: the chart's value hooks.enabled".to_owned()))?;
        let template = self.template(namespace, &run.name).await?;
        let file = job::file(&self.inputs.revocation, self.inputs.person.as_ref(), self.plan, run);
        let name = job::name(&self.uid(), run);
        let Some(job) = job::made(&name, &self.uid(), run, &template, &file) else {
            return Err(refused("its pod template cannot be used".to_owned()));
        };
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<Job>(&()));
        match call_within(CALL, "make the Job of a hook", api.create(&PostParams::default(), &job)).await {
            Ok(job) => Ok(job),
            // A process that died made it, or another that leads for a moment.
            Err(fault) if fault.is_conflict() => {
                let there =
                    call_within(CALL, "read the Job of a hook", api.get(&name)).await.map_err(NotMade::Later)?;
                let ours = there.labels().get(names::REVOCATION) == Some(&self.uid());
                if ours { Ok(there) } else { Err(refused(format!("another Job is called {name}"))) }
            }
            Err(fault) if fault.is_refusal() || fault.is_not_found() => {
                let own = format!("{}-hook-jobs", options.instance);
                let who = fault.server_message().and_then(|said| refused_by(said, &own));
                Err(refused(format!("its Job is refused: {}", who.unwrap_or_else(|| fault.to_string()))))
            }
            Err(fault) => Err(NotMade::Later(fault)),
        }
    }

    /// The pod template of a CronJob, if it is the one that a human allowed.
    async fn template(&self, namespace: &str, name: &str) -> Result<Value, NotMade> {
        let refused = |why: String| Err(NotMade::Refused(why));
        let cron_jobs: Api<DynamicObject> =
            Api::namespaced_with(self.ctx.client.clone(), namespace, &ApiResource::erase::<CronJob>(&()));
        let lists: Api<HookTemplates> = Api::namespaced(self.ctx.client.clone(), &self.ctx.options.namespace);
        let (cron_job, list) = futures::join!(
            call_within(CALL, "read the CronJob of a hook", cron_jobs.get_opt(name)),
            call_within(CALL, "read which hooks are allowed", lists.get_opt(names::HOOKS)),
        );
        let (cron_job, list) = (cron_job.map_err(not_read)?, list.map_err(not_read)?);
        let Some(cron_job) = cron_job else { return refused(format!("there is no CronJob {name} in {namespace}")) };
        if cron_job.data.pointer("/spec/suspend") != Some(&Value::Bool(true)) {
            return refused("its CronJob is not suspended: set spec.suspend".to_owned());
        }
        let allowed = list.and_then(|mut list| list.spec.templates.remove(name));
        match (pod_template(&cron_job.data), allowed) {
            (Some(template), Some(allowed)) if template == allowed => Ok(template),
            (_, None) => refused(format!("nobody has allowed it: `kubectl rollcall hooks allow {name}`")),
            _ => refused(format!(
                "its pod template was changed since it was allowed: look at it, then `kubectl rollcall hooks allow {name}`"
            )),
        }
    }
}

/// A Job that was not made.
enum NotMade {
    /// Something failed that is likely to work later.
    Later(Fault),
    /// Somebody has to do something first.
    Refused(String),
}

fn not_read(fault: Fault) -> NotMade {
    if fault.is_refusal() { NotMade::Refused(fault.to_string()) } else { NotMade::Later(fault) }
}

/// A hook as it is decided by.
fn plain(run: &HookRun) -> hooks::Run {
    hooks::Run {
        when: match run.when {
            When::Before => hooks::When::Before,
            When::After => hooks::When::After,
        },
        timeout: SignedDuration::from_secs(run.timeout_seconds.into()),
        attempts: run.attempts,
        begun: run.begun,
        made: run.job_uid.is_some(),
        again: run.again,
    }
}

/// What a Job is doing.
pub(super) fn state(job: &Job) -> Seen {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ended = conditions
        .into_iter()
        .flatten()
        .find(|one| one.status == "True" && ["Complete", "Failed"].contains(&one.type_.as_str()));
    match ended {
        None => Seen::Working,
        Some(one) if one.type_ == "Complete" => Seen::Succeeded,
        Some(one) if one.reason.as_deref() == Some("DeadlineExceeded") => Seen::TimedOut,
        Some(_) => Seen::Failed,
    }
}

/// How an end is told. That a Job ended well is the hook's own word, and proves nothing more.
const fn words(outcome: Outcome) -> (HookOutcome, Option<VerdictKind>, Option<&'static str>) {
    match outcome {
        Outcome::Done => (HookOutcome::Done, Some(VerdictKind::Implied), None),
        Outcome::Failed => {
            (HookOutcome::Failed, Some(VerdictKind::Refuted), Some("its Job failed: see the log of its pod"))
        }
        Outcome::TimedOut => {
            (HookOutcome::TimedOut, Some(VerdictKind::Unknown), Some("it took longer than its timeout"))
        }
        Outcome::NotStarted => {
            (HookOutcome::NotStarted, Some(VerdictKind::Refuted), Some("its Job could not be made in time"))
        }
        Outcome::Lost => (
            HookOutcome::Lost,
            Some(VerdictKind::Unknown),
            Some("its Job is gone, and nobody saw how it ended: see for yourself"),
        ),
        Outcome::Skipped => (HookOutcome::Skipped, None, Some("the person works here again, or is out of scope")),
    }
}
