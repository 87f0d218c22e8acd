//! Proves, before anybody leaves, that the revoker can run: by an empty Job at the start and after every change of what
//! Jobs are made of, once a day, and again while it cannot. What was found is kept where `kubectl rollcall consents` looks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Resource;
use kube::api::{ObjectMeta, Patch, PatchParams};

use super::{CHECK, JobState, ListedJob, look, shape, start};
use crate::api::condition::Reason;
use crate::api::names;
use crate::control::Context;
use crate::kube::calls::{self, call};
use crate::kube::outcome::Fault;
use crate::kube::revoker::{self, KEY, RevokerCheck};

/// Field manager of that key.
const MANAGER: &str = "rollcall-control-revoker";
/// A proof is made again when it is this old: quotas, policies and nodes change too.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A check that failed is made again after this long.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Time between two looks while nothing is to be done.
const REST: Duration = Duration::from_secs(60);
/// Time between two looks while a check is under way.
const REQUEUE_SOON: Duration = Duration::from_secs(2);

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing for a while.
    Rest,
    /// Look again soon.
    Wait,
    /// Start an empty Job.
    Start,
    /// Ready.
    Proved,
    /// Not ready, for this reason.
    Disproved(String),
}

/// Decides. `jobs` are all that were seen; those of another shape say nothing.
fn decide(shape: &str, record: Option<&RevokerCheck>, jobs: &[ListedJob], now: Timestamp) -> Next {
    if proved(shape, record, now) {
        return Next::Rest;
    }
    let record = record.filter(|record| record.shape == shape);
    let known = record.filter(|record| record.ready).map(|record| record.at); // what is older has been judged
    let newest = jobs
        .iter()
        .filter(|job| job.check && job.shape.as_deref() == Some(shape) && job.made > known)
        .max_by_key(|job| job.made);
    let said = |message: &str| record.is_some_and(|record| !record.ready && record.message == message);
    match newest.map(|job| &job.state) {
        None => Next::Start,
        Some(JobState::Succeeded) => Next::Proved,
        Some(JobState::Running | JobState::Starting) => Next::Wait,
        Some(JobState::Stuck(what)) if said(what) => Next::Wait,
        Some(JobState::Failed(Some(at), _)) if now.duration_since(*at) >= RETRY_AFTER => Next::Start,
        Some(JobState::Failed(_, how)) if said(how) => Next::Wait,
        Some(JobState::Stuck(what) | JobState::Failed(_, what)) => Next::Disproved(what.clone()),
    }
}

/// Whether it was proved lately that the revoker can run as it is now.
fn proved(shape: &str, record: Option<&RevokerCheck>, now: Timestamp) -> bool {
    record.is_some_and(|record| record.shape == shape && record.ready && now.duration_since(record.at) < DAY)
}

/// Keeps the proof; ends only with the process.
pub async fn keep(ctx: Arc<Context>) {
    if !ctx.options.revoker_check {
        return futures::future::pending().await;
    }
    let mut record = None;
    loop {
        if record.is_none() {
            record = revoker::read(&ctx.client, &ctx.options.namespace).await.ok().flatten();
        }
        let pause = match round(&ctx, &mut record).await {
            Ok(pause) => pause,
            Err(fault) => {
                tracing::warn!(%fault, "whether the revoker can run is not known; looked at again");
                REST
            }
        };
        ctx.metrics.revoker_ready(record.as_ref().is_some_and(|record| record.ready));
        tokio::time::sleep(pause).await;
    }
}

/// One look, and what follows from it.
async fn round(ctx: &Context, record: &mut Option<RevokerCheck>) -> Result<Duration, Fault> {
    let now = (ctx.clock)();
    let shape = shape(&ctx.options.revoker_job);
    if proved(&shape, record.as_ref(), now) {
        return Ok(REST); // and nobody is asked
    }
    let seen = look(ctx, &mut *ctx.jobs.0.lock().await, now).await?;
    let found = match decide(&shape, record.as_ref(), &seen, now) {
        Next::Rest => return Ok(REST),
        Next::Wait => return Ok(REQUEUE_SOON),
        Next::Start => match start(ctx, CHECK, now).await {
            Ok(_) => return Ok(REQUEUE_SOON),
            Err(Fault::Waiting { message, .. }) => RevokerCheck { shape, ready: false, at: now, message },
            Err(fault) => return Err(fault),
        },
        Next::Proved => RevokerCheck { shape, ready: true, at: now, message: String::new() },
        Next::Disproved(message) => RevokerCheck { shape, ready: false, at: now, message },
    };
    let same = record
        .as_ref()
        .is_some_and(|old| (&old.shape, old.ready, &old.message) == (&found.shape, found.ready, &found.message));
    let ready = found.ready;
    if !same || ready {
        write(ctx, &found).await?;
        publish(ctx, &found, now).await;
        *record = Some(found);
    }
    Ok(if ready { REST } else { REQUEUE_SOON.saturating_mul(5) })
}

async fn write(ctx: &Context, record: &RevokerCheck) -> Result<(), Fault> {
    let map = ConfigMap {
        metadata: ObjectMeta { name: Some(names::CONSENTS.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(KEY.to_owned(), serde_json::to_string(record).unwrap_or_default())])),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let params = PatchParams::apply(MANAGER).force();
    call("write what is known of the revoker", api.patch(names::CONSENTS, &params, &Patch::Apply(&map))).await.map(drop)
}

async fn publish(ctx: &Context, record: &RevokerCheck, now: Timestamp) {
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::CONSENTS.to_owned()),
            namespace: Some(ctx.options.namespace.clone()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    let on = map.object_ref(&());
    if record.ready {
        calls::publish_event(
            &ctx.client,
            "control",
            on,
            Reason::RevokerReady,
            "An empty Job of the revoker ended well.".to_owned(),
            now,
        )
        .await;
    } else {
        let note = format!("An empty Job of the revoker cannot run: {}", record.message);
        calls::publish_warning(&ctx.client, "control", on, Reason::RevokerCannotStart, note, now).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(ready: bool, at_second: i64, message: &str) -> RevokerCheck {
        RevokerCheck { shape: "now".into(), ready, at: at(at_second), message: message.into() }
    }

    fn check(made: i64, state: JobState) -> ListedJob {
        ListedJob {
            name: "check".into(),
            uid: "u".into(),
            made: Some(at(made)),
            check: true,
            shape: Some("now".into()),
            state,
        }
    }

    #[test]
    fn the_revoker_is_proved_able_to_run_at_the_start_after_each_change_and_once_a_day() {
        let (day, failed) = (86_400, |ended| JobState::Failed(Some(at(ended)), "its pod failed; see its log".into()));
        let stuck = || JobState::Stuck("no node takes its pod".into());
        let disproved = |what: &str| Next::Disproved(what.into());
        let cases = [
            ("nothing is known", None, vec![], 100, Next::Start),
            ("proved", Some(record(true, 50, "")), vec![], 100, Next::Rest),
            ("proved a day ago", Some(record(true, 50, "")), vec![], 51 + day, Next::Start),
            (
                "proved a day ago by a Job that is still there",
                Some(record(true, 50, "")),
                vec![check(49, JobState::Succeeded)],
                51 + day,
                Next::Start,
            ),
            (
                "proved for other Jobs",
                Some(RevokerCheck { shape: "old".into(), ..record(true, 50, "") }),
                vec![],
                100,
                Next::Start,
            ),
            ("a check is on its way", None, vec![check(99, JobState::Starting)], 100, Next::Wait),
            ("a check ended well", None, vec![check(90, JobState::Succeeded)], 100, Next::Proved),
            ("a check cannot start", None, vec![check(80, stuck())], 100, disproved("no node takes its pod")),
            (
                "as was said already",
                Some(record(false, 90, "no node takes its pod")),
                vec![check(80, stuck())],
                100,
                Next::Wait,
            ),
            ("a check failed", None, vec![check(80, failed(90))], 100, disproved("its pod failed; see its log")),
            ("a check failed a while ago", Some(record(false, 20, "x")), vec![check(10, failed(20))], 100, Next::Start),
            (
                "the newest check counts",
                None,
                vec![check(10, failed(20)), check(90, JobState::Running)],
                100,
                Next::Wait,
            ),
        ];
        for (situation, record, jobs, now, expected) in cases {
            assert_eq!(decide("now", record.as_ref(), &jobs, at(now)), expected, "{situation}");
        }
    }
}
