//! The revoker's Jobs: one when released work waits and none is running, and an empty one that proves that they can run.
//!
//! The chart says what a Job is (`charts/rollcall/templates/_job.tpl`) and passes it to control; an admission policy made
//! of the same template refuses any other.

pub mod check;
pub(in crate::control) mod refusal;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta, PostParams};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

pub use self::state::JobState;
use super::{Context, Options};
use crate::api::condition::Reason;
use crate::api::revocation::Phase;
use crate::api::{Revocation, names};
use crate::kube::calls::{self, call};
use crate::kube::outcome::Fault;

/// Value of the label `rollcall.dev/part` on a Job that works, and on the pods of all.
const WORK: &str = "revoke";
/// Value of that label on an empty Job.
const CHECK: &str = "check";
/// What an empty Job is told in addition.
const CHECK_ARGUMENT: &str = "--check";
/// Wait after the first failed Job; doubles with each in a row.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(3);
/// How often it doubles at most: about six minutes.
const MAX_DOUBLINGS: u32 = 7;
/// A Job that the API server refused is not tried again before this long.
const REFUSED_AGAIN: Duration = Duration::from_secs(10);
/// What was seen of a Job holds for this long: many Revocations may ask at once.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// What control remembers of the Jobs it has seen.
#[derive(Default)]
pub struct Jobs(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// The Job that was active at the last look.
    active: Option<(Timestamp, AtWork)>,
    /// Uid of the Job whose container was last seen running.
    running: Option<String>,
    /// The last refusal of a Job that works.
    refused: Option<(Timestamp, Fault)>,
    /// Why none was started at the last look.
    failed: Option<(Timestamp, Fault)>,
}

/// The Job that works on what is released.
#[derive(Clone, Debug, PartialEq)]
pub struct AtWork {
    /// Its name.
    pub job: String,
    /// What it is doing.
    pub state: JobState,
}

/// A Job as it was seen.
#[derive(Clone, Debug)]
struct ListedJob {
    name: String,
    uid: String,
    made: Option<Timestamp>,
    check: bool,
    shape: Option<String>,
    state: JobState,
}

/// Makes sure that a Job is there to do the work, and says which and what it is doing.
///
/// # Flow          list; if none is active, create one
/// # Guarantees    one at a time from this process; two leaders may start two, which is safe: each Revocation is claimed
/// # Errors        `RevokerCannotStart` names what refuses the Job, `RevokerFailed` how the last ones failed; or transient
///
/// `since` is when what asks was released: it does not wait out the failures of Jobs that were made before.
pub async fn ensure(ctx: &Context, since: Option<Timestamp>) -> Result<AtWork, Fault> {
    let mut memory = ctx.jobs.0.lock().await;
    let now = (ctx.clock)();
    if let Some((at, work)) = &memory.active
        && now.duration_since(*at) < FRESH
    {
        return Ok(work.clone());
    }
    if let Some((at, fault)) = &memory.failed
        && now.duration_since(*at) < FRESH
    {
        return Err(fault.clone());
    }
    let work = look_or_start(ctx, &mut memory, since, now).await;
    memory.failed = work.as_ref().err().map(|fault| (now, fault.clone()));
    work
}

async fn look_or_start(
    ctx: &Context,
    memory: &mut Memory,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<AtWork, Fault> {
    let seen: Vec<ListedJob> = look(ctx, memory, now).await?.into_iter().filter(|seen| !seen.check).collect();
    memory.active = None;
    if let Some(job) = seen.iter().find(|job| at_work(job, &shape(&ctx.options.revoker_job))) {
        let work = AtWork { job: job.name.clone(), state: job.state.clone() };
        memory.active = Some((now, work.clone()));
        return Ok(work);
    }
    ctx.metrics.failing_jobs(failures(&seen).len());
    wait_after_failures(&seen, since, now)?;
    if let Some((at, fault)) = &memory.refused
        && calls::wait(now.duration_since(*at)) < REFUSED_AGAIN
    {
        return Err(fault.clone());
    }
    match start(ctx, WORK, now).await {
        Ok(job) => Ok(AtWork { job, state: JobState::Starting }),
        Err(fault) => {
            memory.refused = Some((now, fault.clone()));
            Err(fault)
        }
    }
}

/// Time between two looks while the revoker has work.
const LOOK: Duration = Duration::from_secs(2);

/// Sees to a Job for as long as anything is released, by this process or another; ends only with the process. When another Job is
/// at work, or it does something else, those it is for are looked at again, and say so.
pub async fn keep(ctx: Arc<Context>) {
    let mut before: Option<AtWork> = None;
    loop {
        let waiting = ctx.stores.revocations.find(waits).is_some();
        if !waiting {
            before = None;
            ctx.released.notified().await;
        }
        tokio::time::sleep(LOOK).await;
        if ctx.stores.revocations.find(waits).is_none() {
            continue;
        }
        let newest = ctx
            .stores
            .revocations
            .state()
            .iter()
            .filter(|revocation| waits(revocation))
            .filter_map(|revocation| revocation.status.as_ref()?.instants.as_ref()?.released)
            .max();
        let now = ensure(&ctx, newest).await.ok(); // a fault is said by those who wait
        if now != before || now.is_none() {
            ctx.wake_open(waits);
        }
        before = now;
    }
}

/// Whether the revoker has something to do here.
fn waits(revocation: &Revocation) -> bool {
    let status = revocation.status.as_ref();
    status.is_some_and(|status| status.phase == Some(Phase::Released) && status.outcome().is_none())
}

/// Whether a Job does, or will do, what is released. One that cannot start is given up once Jobs are made differently.
fn at_work(job: &ListedJob, shape: &str) -> bool {
    match job.state {
        JobState::Running | JobState::Starting => true,
        JobState::Stuck(_) => job.shape.as_deref() == Some(shape),
        JobState::Succeeded | JobState::Failed(..) => false,
    }
}

/// The Jobs that failed in a row, the newest first: when each ended, and how.
fn failures(jobs: &[ListedJob]) -> Vec<(&ListedJob, Option<Timestamp>, &String)> {
    let mut by_age: Vec<&ListedJob> = jobs.iter().collect();
    by_age.sort_by_key(|job| std::cmp::Reverse(job.made));
    let failed = by_age.into_iter().map_while(|job| match &job.state {
        JobState::Failed(at, how) => Some((job, at.or(job.made), how)),
        _ => None,
    });
    failed.collect()
}

/// Waits longer after each Job that failed in a row: a revoker that cannot work must not be started every second. What was
/// released after the newest of them was made had no part in it, and waits as if it were the first.
fn wait_after_failures(jobs: &[ListedJob], since: Option<Timestamp>, now: Timestamp) -> Result<(), Fault> {
    let failed = failures(jobs);
    let Some((newest, Some(at), how)) = failed.first() else { return Ok(()) };
    let failures = failed.len();
    let untried = since.is_some_and(|since| newest.made.is_some_and(|made| made < since));
    let failures = if untried { 1 } else { failures };
    let wait = FIRST_WAIT * 2_i32.pow(u32::try_from(failures - 1).unwrap_or(u32::MAX).min(MAX_DOUBLINGS));
    let again = calls::wait((*at + wait).duration_since(now));
    if again.is_zero() {
        return Ok(());
    }
    let message =
        format!("The last {failures} Jobs of the revoker failed; of the newest, {how}. The next one is started later.");
    Err(Fault::Waiting { reason: Reason::RevokerFailed, message, again })
}

/// The Jobs there are, and what each is doing.
async fn look(ctx: &Context, memory: &mut Memory, now: Timestamp) -> Result<Vec<ListedJob>, Fault> {
    let namespace = &ctx.options.revoker_namespace;
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), namespace);
    let ours = ListParams::default().labels(&format!("{} in ({WORK}, {CHECK})", names::PART));
    let jobs = call("list the revoker's Jobs", api.list(&ours)).await?.items;
    let own = own_policy(&ctx.options);
    let known = |job: &Job| job.uid().is_some_and(|uid| memory.running.as_ref() == Some(&uid));
    let unclear = jobs.iter().any(|job| {
        let state = state::state(job, &[], &[], &own, now);
        !(state == JobState::Succeeded || (state.active() && known(job)))
    });
    let (pods, events) = if unclear { surroundings(ctx).await? } else { (Vec::new(), Vec::new()) };
    let seen: Vec<ListedJob> = jobs
        .iter()
        .map(|job| {
            let state = match state::state(job, &pods, &events, &own, now) {
                state if state.active() && known(job) => JobState::Running,
                state => state,
            };
            ListedJob {
                name: job.name_any(),
                uid: job.uid().unwrap_or_default(),
                made: job.metadata.creation_timestamp.as_ref().map(|made| made.0),
                check: job.labels().get(names::PART).map(String::as_str) == Some(CHECK),
                shape: job.labels().get(names::SHAPE).cloned(),
                state,
            }
        })
        .collect();
    if let Some(job) = seen.iter().find(|job| !job.check && job.state == JobState::Running) {
        memory.running = Some(job.uid.clone());
    }
    Ok(seen)
}

/// Pods of the revoker's namespace, and the refusals of pods there.
async fn surroundings(ctx: &Context) -> Result<(Vec<Pod>, Vec<Event>), Fault> {
    let namespace = &ctx.options.revoker_namespace;
    let pods: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(ctx.client.clone(), namespace);
    let (everything, refusals) =
        (ListParams::default(), ListParams::default().fields("involvedObject.kind=Job,reason=FailedCreate"));
    let (pods, events) = futures::try_join!(
        call("list the revoker's pods", pods.list(&everything)),
        call("list why the revoker's pods are refused", events.list(&refusals)),
    )?;
    Ok((pods.items, events.items))
}

/// Creates a Job, or says who refused it.
async fn start(ctx: &Context, part: &str, now: Timestamp) -> Result<String, Fault> {
    let name = format!("{part}-{:x}", now.as_millisecond());
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.options.revoker_namespace);
    let job = made(&ctx.options, part, &name);
    match call("start the revoker's Job", api.create(&PostParams::default(), &job)).await {
        Ok(_) => {
            tracing::info!(job = name, "started a Job of the revoker");
            Ok(name)
        }
        Err(fault) => {
            let fault = refused(fault, &own_policy(&ctx.options));
            tracing::warn!(job = name, %fault, "a Job of the revoker was not started");
            Err(fault)
        }
    }
}

/// What a refused Job means: who refused it if that can be told, else a fault like any other.
fn refused(fault: Fault, own: &str) -> Fault {
    let Some(who) = fault.server_message().and_then(|said| refusal::refused_by(said, own)) else { return fault };
    let message = format!("The revoker's Job is refused: {who}. Nothing was changed; it is tried again.");
    Fault::Waiting { reason: Reason::RevokerCannotStart, message, again: REFUSED_AGAIN }
}

/// Name of the policy that pins the Job.
fn own_policy(options: &Options) -> String {
    format!("{}-job-template", options.instance)
}

/// A digest of what Jobs are made of: another image, another node selector, another digest.
fn shape(spec: &JobSpec) -> String {
    let text = serde_json::to_string(spec).unwrap_or_default();
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())).chars().take(16).collect()
}

/// A Job as the chart says, with its name and labels.
fn made(options: &Options, part: &str, name: &str) -> Job {
    let mut spec = options.revoker_job.clone();
    let digest = shape(&spec);
    if part == CHECK {
        for container in spec.template.spec.iter_mut().flat_map(|pod| &mut pod.containers) {
            container.args.get_or_insert_default().push(CHECK_ARGUMENT.to_owned());
        }
    }
    let labels = BTreeMap::from([
        (names::PART.to_owned(), part.to_owned()),
        (names::SHAPE.to_owned(), digest),
        ("app.kubernetes.io/name".to_owned(), "rollcall".to_owned()),
        ("app.kubernetes.io/instance".to_owned(), options.instance.clone()),
    ]);
    Job {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        spec: Some(spec),
        ..Job::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(made: i64, state: JobState) -> ListedJob {
        let (name, uid) = (format!("revoke-{made}"), made.to_string());
        ListedJob { name, uid, made: Some(at(made)), check: false, shape: Some("now".into()), state }
    }

    fn failed(made: i64, ended: i64) -> ListedJob {
        seen(made, JobState::Failed(Some(at(ended)), "its pod was refused: the ResourceQuota q".into()))
    }

    #[test]
    fn a_failed_job_is_waited_for_from_its_end_and_longer_each_time() {
        let waits_since = |jobs: &[ListedJob], since: Option<i64>, now: i64| match wait_after_failures(
            jobs,
            since.map(at),
            at(now),
        ) {
            Ok(()) => None,
            Err(Fault::Waiting { reason: Reason::RevokerFailed, again, .. }) => Some(again.as_secs()),
            Err(other) => panic!("{other:?}"),
        };
        let waits = |jobs: &[ListedJob], now: i64| waits_since(jobs, None, now);
        assert_eq!(waits(&[], 1000), None);
        assert_eq!(
            waits(&[failed(0, 600)], 601),
            Some(2),
            "it was at its deadline when it failed, long after it was made"
        );
        assert_eq!(waits(&[failed(0, 600)], 604), None);
        assert_eq!(waits(&[failed(0, 600), failed(610, 1210)], 1211), Some(5));
        assert_eq!(waits(&[failed(0, 600), seen(610, JobState::Succeeded)], 1211), None);
        let thrice = [failed(0, 600), failed(610, 1210), failed(1220, 1820)];
        assert_eq!(waits_since(&thrice, Some(600), 1825), Some(7), "they failed with it");
        assert_eq!(waits_since(&thrice, Some(1500), 1825), None, "released since the last was made");
    }

    #[test]
    fn what_the_last_jobs_failed_by_is_said() {
        let Err(fault) = wait_after_failures(&[failed(0, 600)], None, at(601)) else { panic!("no patience") };
        assert!(fault.to_string().contains("its pod was refused: the ResourceQuota q"), "{fault}");
    }

    #[test]
    fn a_job_that_cannot_start_is_given_up_once_jobs_are_made_differently() {
        let stuck = seen(0, JobState::Stuck("no node takes its pod".into()));
        assert!(at_work(&stuck, "now"));
        assert!(!at_work(&stuck, "new"));
        assert!(at_work(&seen(0, JobState::Running), "new"));
        assert!(!at_work(&failed(0, 1), "now"));
    }

    #[test]
    fn an_empty_job_differs_by_one_argument() {
        let spec: JobSpec = serde_json::from_value(serde_json::json!({
            "template": {"spec": {"containers": [{"name": "revoke", "args": ["revoke", "--namespace", "n"]}]}}}))
        .unwrap();
        let options = Options { revoker_job: spec, instance: "rc".into(), ..Options::default() };
        let arguments =
            |part| made(&options, part, "x").spec.unwrap().template.spec.unwrap().containers[0].args.clone().unwrap();
        assert_eq!(arguments(WORK), ["revoke", "--namespace", "n"]);
        assert_eq!(arguments(CHECK), ["revoke", "--namespace", "n", "--check"]);
        assert_eq!(made(&options, WORK, "x").labels()[names::SHAPE], made(&options, CHECK, "y").labels()[names::SHAPE]);
    }

    #[test]
    fn a_refused_job_names_who_refused_it() {
        let refusal = |message: &str| {
            let status = kube::core::Status::failure(message, "Invalid").with_code(422).boxed();
            refused(Fault::call("start the revoker's Job", kube::Error::Api(status)), "rc-job-template").to_string()
        };
        assert_eq!(
            refusal(
                "jobs.batch \"x\" is forbidden: ValidatingAdmissionPolicy 'rc-job-template' with binding 'b' denied request: not the revoker's pod: its arguments differ"
            ),
            "The revoker's Job is refused: the ValidatingAdmissionPolicy rc-job-template: not the revoker's pod: its arguments differ. Nothing was changed; it is tried again.",
        );
        assert_eq!(
            refusal("something with a secret in it"),
            "start the revoker's Job: not valid for the API server (422)"
        );
    }
}
