//! What a Job of the revoker is doing, told from the Job, its pods and its events. A Job is at work when its container
//! runs, and not before; what keeps it from running is named. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;

use super::refusal::{plain, refused_by};

/// A Job that is younger is still starting, whatever its pod waits for: pulling and scheduling take a moment.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// A Job whose pod has not been made by then will not get one soon.
const WITHOUT_POD: SignedDuration = SignedDuration::from_secs(60);
/// What a container waits for while nothing is wrong.
const ORDINARY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What one Job is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Its container runs, or has run and the Job is not closed yet.
    Running,
    /// Nothing refuses it so far.
    Starting,
    /// It cannot start: what refuses it, in words.
    Stuck(String),
    /// It has ended well.
    Succeeded,
    /// It has failed: when, and how in words.
    Failed(Option<Timestamp>, String),
}

impl JobState {
    /// Whether it has neither succeeded nor failed.
    pub const fn active(&self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stuck(_))
    }
}

/// What a Job is doing. `pods` and `events` may be those of other Jobs too; `own` is the policy that pins the Job.
pub fn state(job: &Job, pods: &[Pod], events: &[Event], own: &str, now: Timestamp) -> JobState {
    let uid = job.uid().unwrap_or_default();
    let pod = pods
        .iter()
        .filter(|pod| pod.owner_references().iter().any(|owner| owner.uid == uid))
        .max_by_key(|pod| pod.metadata.creation_timestamp.clone());
    let refusal = newest_refusal(events, &uid, own);
    if let Some(ended) = ended(job, pod, refusal.as_deref()) {
        return ended;
    }
    let age = job.metadata.creation_timestamp.as_ref().map_or(SignedDuration::ZERO, |made| now.duration_since(made.0));
    let obstacle = match pod {
        Some(pod) if begun(pod) => return JobState::Running,
        Some(pod) => waits_for(pod),
        None => refusal
            .map(|who| format!("its pod is refused: {who}"))
            .or_else(|| (age > WITHOUT_POD).then(|| "no pod has been made for it, and no event says why".to_owned())),
    };
    match obstacle {
        Some(what) if age >= GRACE || pod.is_none() => JobState::Stuck(what),
        _ => JobState::Starting,
    }
}

/// How a Job ended, if it has.
fn ended(job: &Job, pod: Option<&Pod>, refusal: Option<&str>) -> Option<JobState> {
    let conditions = || job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let is = |types: [&str; 2]| conditions().find(|c| c.status == "True" && types.contains(&c.type_.as_str()));
    if is(["Complete", "SuccessCriteriaMet"]).is_some() {
        return Some(JobState::Succeeded);
    }
    if let Some(failed) = is(["Failed", "FailureTarget"]) {
        let ran = pod.is_some_and(begun);
        let how = match (failed.reason.as_deref(), pod, refusal) {
            (Some("DeadlineExceeded"), _, Some(who)) if !ran => format!("its pod was refused: {who}"),
            (Some("DeadlineExceeded"), Some(pod), _) if !ran => {
                waits_for(pod).unwrap_or_else(|| "its pod did not start in time".to_owned())
            }
            (Some("DeadlineExceeded"), None, _) => "its pod was never made, or is gone".to_owned(),
            (Some("DeadlineExceeded"), ..) => "it ran out of time; see its log".to_owned(),
            _ => "its pod failed; see its log".to_owned(),
        };
        return Some(JobState::Failed(failed.last_transition_time.as_ref().map(|at| at.0), how));
    }
    job.metadata.deletion_timestamp.is_some().then(|| JobState::Failed(None, "it was deleted".to_owned()))
}

/// Whether the container of a pod runs, or has run.
fn begun(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Running" | "Succeeded" | "Failed"))
}

/// What a pod that does not run waits for, if that is nothing ordinary.
fn waits_for(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let reason = container.state.as_ref()?.waiting.as_ref()?.reason.clone()?;
        (!ORDINARY.contains(&reason.as_str())).then_some(reason)
    });
    if let Some(reason) = waiting {
        let image = pod.spec.iter().flat_map(|spec| &spec.containers).find_map(|container| container.image.as_deref());
        let reason = plain(&reason);
        return Some(if reason.contains("Image") || reason.contains("Registry") {
            format!("its image {} cannot be pulled ({reason})", plain(image.unwrap_or_default()))
        } else {
            format!("its container cannot be started ({reason})")
        });
    }
    let scheduled = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    match scheduled.reason.as_deref() {
        Some("Unschedulable") => Some(format!(
            "no node takes its pod: {}",
            plain(scheduled.message.as_deref().unwrap_or("no reason is given"))
        )),
        Some("SchedulingGated") => Some("a scheduling gate was set on its pod".to_owned()),
        _ => None,
    }
}

/// Who refused the Job's pod most recently.
fn newest_refusal(events: &[Event], uid: &str, own: &str) -> Option<String> {
    let event = events
        .iter()
        .filter(|event| {
            event.reason.as_deref() == Some("FailedCreate") && event.involved_object.uid.as_deref() == Some(uid)
        })
        .max_by_key(|event| {
            let last = event.last_timestamp.as_ref().map(|at| at.0);
            last.or(event.event_time.as_ref().map(|at| at.0))
        })?;
    let text = event.message.as_deref().unwrap_or_default();
    Some(refused_by(text, own).unwrap_or_else(|| "see the events of the Job".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(age: i64, status: Value) -> Job {
        let made = at(100) - SignedDuration::from_secs(age);
        serde_json::from_value(
            json!({"metadata": {"name": "revoke-1", "uid": "u", "creationTimestamp": made}, "status": status}),
        )
        .unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(status: Value) -> Vec<Pod> {
        let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "name": "revoke-1", "uid": "u"});
        vec![serde_json::from_value(json!({
            "metadata": {"name": "revoke-1-x", "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "revoke", "image": "registry.example.com/rollcall:1"}]}, "status": status,
        })).unwrap()]
    }

    fn refused(message: &str) -> Vec<Event> {
        vec![
            serde_json::from_value(json!({
                "metadata": {"name": "e"}, "involvedObject": {"uid": "u"}, "reason": "FailedCreate", "message": message,
            }))
            .unwrap(),
        ]
    }

    fn waiting(reason: &str) -> Vec<Pod> {
        let state = json!({"waiting": {"reason": reason}});
        pod(json!({"phase": "Pending", "containerStatuses": [
            {"name": "revoke", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]}))
    }

    fn unschedulable() -> Vec<Pod> {
        pod(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}))
    }

    #[test]
    fn a_job_is_at_work_only_when_its_container_runs() {
        let quota = "pods \"x\" is forbidden: exceeded quota: compute, requested: pods=1";
        let stuck = |what: &str| JobState::Stuck(what.to_owned());
        let image = "its image registry.example.com/rollcall:1 cannot be pulled (ImagePullBackOff)";
        let cases = [
            ("just made", job(1, json!({})), vec![], vec![], JobState::Starting),
            ("its pod runs", job(1, json!({})), pod(json!({"phase": "Running"})), vec![], JobState::Running),
            (
                "its pod ended and the Job is not closed",
                job(30, json!({})),
                pod(json!({"phase": "Failed"})),
                vec![],
                JobState::Running,
            ),
            (
                "its container is being made",
                job(30, json!({})),
                waiting("ContainerCreating"),
                vec![],
                JobState::Starting,
            ),
            (
                "its pod is refused",
                job(1, json!({})),
                vec![],
                refused(quota),
                stuck("its pod is refused: it would exceed the ResourceQuota compute"),
            ),
            (
                "refused in words nobody knows",
                job(1, json!({})),
                vec![],
                refused("no"),
                stuck("its pod is refused: see the events of the Job"),
            ),
            (
                "refused at first, then made",
                job(30, json!({})),
                pod(json!({"phase": "Running"})),
                refused(quota),
                JobState::Running,
            ),
            (
                "its image is being pulled again at once",
                job(2, json!({})),
                waiting("ErrImagePull"),
                vec![],
                JobState::Starting,
            ),
            ("its image cannot be pulled", job(30, json!({})), waiting("ImagePullBackOff"), vec![], stuck(image)),
            (
                "its container cannot be made",
                job(30, json!({})),
                waiting("CreateContainerConfigError"),
                vec![],
                stuck("its container cannot be started (CreateContainerConfigError)"),
            ),
            ("no node yet", job(2, json!({})), unschedulable(), vec![], JobState::Starting),
            (
                "no node",
                job(30, json!({})),
                unschedulable(),
                vec![],
                stuck("no node takes its pod: 0/3 nodes are available"),
            ),
            (
                "no pod and no word",
                job(90, json!({})),
                vec![],
                vec![],
                stuck("no pod has been made for it, and no event says why"),
            ),
        ];
        for (situation, job, pods, events, expected) in cases {
            assert_eq!(state(&job, &pods, &events, "rc-job-template", at(100)), expected, "{situation}");
        }
    }

    #[test]
    fn a_job_that_never_had_a_pod_fails_and_says_why() {
        let failed = |reason: &str| {
            let when = at(90).to_string();
            job(
                600,
                json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "lastTransitionTime": when}]}),
            )
        };
        let quota = refused("exceeded quota: compute, requested");
        let how = |job: &Job, pods: &[Pod], events: &[Event]| match state(job, pods, events, "", at(100)) {
            JobState::Failed(Some(when), how) if when == at(90) => how,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            how(&failed("DeadlineExceeded"), &[], &quota),
            "its pod was refused: it would exceed the ResourceQuota compute"
        );
        assert_eq!(
            how(&failed("DeadlineExceeded"), &waiting("ImagePullBackOff"), &[]),
            "its image registry.example.com/rollcall:1 cannot be pulled (ImagePullBackOff)"
        );
        assert_eq!(
            how(&failed("DeadlineExceeded"), &unschedulable(), &[]),
            "no node takes its pod: 0/3 nodes are available"
        );
        assert_eq!(
            how(&failed("DeadlineExceeded"), &pod(json!({"phase": "Failed"})), &[]),
            "it ran out of time; see its log"
        );
        assert_eq!(
            how(&failed("BackoffLimitExceeded"), &pod(json!({"phase": "Failed"})), &[]),
            "its pod failed; see its log"
        );
    }

    #[test]
    fn a_pod_of_another_job_says_nothing_of_this_one() {
        let other: Job =
            serde_json::from_value(json!({"metadata": {"uid": "v", "creationTimestamp": at(99)}})).unwrap();
        assert_eq!(state(&other, &pod(json!({"phase": "Running"})), &[], "", at(100)), JobState::Starting);
    }
}
