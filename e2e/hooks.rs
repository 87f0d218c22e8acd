//! Hooks: Jobs of the user's own that run for each leaver, in their order, tried again, timed, and in nobody's way. A real database user is
//! ended by one; and the identity that makes their Jobs, stolen, runs nothing but what a human allowed.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::policy::When;
use rollcall::api::revocation::{HookOutcome, HookRun, Operation, Phase, VerdictKind};
use rollcall::api::{Revocation, names};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, Patch as Change};
use crate::support::attempts::*;
use crate::support::chart::apply;
use crate::support::hook_node::HookNode;
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::{object, overlay};
use crate::support::people::People;
use crate::support::postgres::Postgres;
use crate::support::proxy::{Fault, Proxy};
use crate::support::waiting::eventually;

/// An installation with hooks.
async fn with_hooks(story: &str) -> Installation {
    Installation::with(story, &[("apps", Consent::Accounts)], json!({"hooks": {"enabled": true}})).await
}

/// A suspended CronJob that runs a script, with the Revocation in `$FILE`.
fn cron_job(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"suspend": true, "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {
            "metadata": {"labels": {"app": name}, "annotations": {"note": "n"}},
            "spec": {
                "restartPolicy": "Never", "automountServiceAccountToken": false,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
                "volumes": [{"name": "revocation", "downwardAPI": {"items": [
                    {"path": "revocation.json", "fieldRef": {"fieldPath": format!("metadata.annotations['{}']", names::HOOK_FILE)}}]}}],
                "containers": [{
                    "name": "hook", "image": "localhost/hook:1", "command": ["/bin/sh", "-ec"], "args": [script],
                    "env": [{"name": "FILE", "value": "/etc/rollcall/revocation.json"}],
                    "volumeMounts": [{"name": "revocation", "mountPath": "/etc/rollcall", "readOnly": true}],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                }],
            },
        }}}},
    })
}

/// Makes a CronJob of hooks.
pub async fn make(rollcall: &Installation, name: &str, script: &str) {
    let api: Api<CronJob> = Api::namespaced(rollcall.admin.clone(), &rollcall.hooks_namespace());
    api.create(&PostParams::default(), &object(cron_job(name, script))).await.unwrap();
}

/// Lets a hook run as it is now.
pub fn allow(rollcall: &Installation, name: &str) {
    rollcall.succeeds(&["hooks", "allow", name, "--yes"]);
}

/// A hook of a Revocation.
fn run<'a>(revocation: &'a Revocation, name: &str) -> &'a HookRun {
    let hooks = &revocation.status.as_ref().unwrap().hooks;
    hooks.iter().find(|run| run.name == name).unwrap_or_else(|| panic!("no hook {name}: {hooks:?}"))
}

/// The newest cut of a person.
async fn cut(rollcall: &Installation, id: &str) -> Option<Revocation> {
    rollcall.revocations(id).await.into_iter().rfind(|one| one.spec.operation == Operation::Cut)
}

/// Waits until a hook of the newest cut of a person is as is asked.
async fn until(rollcall: &Installation, id: &str, name: &str, what: &str, is: impl Fn(&HookRun) -> bool) -> Revocation {
    eventually(&format!("the hook {name} of {id} is {what}"), || async {
        let newest = cut(rollcall, id).await?;
        let runs = &newest.status.as_ref()?.hooks;
        runs.iter().any(|run| run.name == name && is(run)).then_some(newest)
    })
    .await
}

/// The records of the evidence that tell of hooks, in their order.
async fn sealed(rollcall: &Installation) -> Vec<Value> {
    let records = ListParams::default().labels(&format!("{}=evidence", names::PART));
    let maps: Vec<ConfigMap> = rollcall.api().list(&records).await.unwrap().items;
    let read = |map: &ConfigMap| serde_json::from_str::<Value>(&map.data.as_ref()?["record.json"]).ok();
    let mut records: Vec<Value> = maps.iter().filter_map(read).collect();
    records.sort_by_key(|record| record["index"].as_u64());
    records
}

#[tokio::test]
async fn a_hook_ends_a_leavers_database_user_their_login_is_refused_and_a_colleagues_is_not() {
    let database = Postgres::start("hook");
    let rollcall = with_hooks("hook-database").await;
    let (_running, _node) = (rollcall.run().await, HookNode::start(&rollcall));
    rollcall.connect(json!({})).await;
    let hook = json!({"cronJob": "end-database-user", "timeout": "2m"});
    rollcall.policy(json!({"revocation": {"hooks": [hook]}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let (leaver, colleague) = (rollcall.address("7"), rollcall.address("8"));
    for user in [&leaver, &colleague] {
        database.admin(&format!("CREATE ROLE \"{user}\" LOGIN PASSWORD 'theirs'"));
    }
    database
        .admin("CREATE ROLE rollcall_hook LOGIN CREATEROLE PASSWORD 'hook'; GRANT pg_signal_backend TO rollcall_hook");
    let port = database.port.to_string();
    let secret: Secret = object(json!({"metadata": {"name": "database-admin"}, "stringData":
        {"host": "127.0.0.1", "port": port, "user": "rollcall_hook", "password": "hook"}}));
    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &rollcall.hooks_namespace());
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let example = fs::read_to_string("examples/hook-postgresql.yaml").unwrap();
    apply(rollcall.cluster, &example.replace("namespace: rollcall", &format!("namespace: {}", rollcall.namespace)));
    allow(&rollcall, "end-database-user");
    assert!(rollcall.succeeds(&["hooks", "list"]).contains("may run"));
    let login = |user: &str| database.login(user, "theirs", "SELECT 'in'");
    assert!(login(&leaver).status.success() && login(&colleague).status.success());

    rollcall.seven_leaves(&staff).await;
    let told = until(&rollcall, "7", "end-database-user", "over", |run| !run.pending()).await;

    let hook = run(&told, "end-database-user");
    assert_eq!(
        (hook.outcome, hook.verdict, hook.attempts),
        (HookOutcome::Done, Some(VerdictKind::Implied), 1),
        "{hook:?}"
    );
    let refused = login(&leaver);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("is not permitted to log in"), "{said}");
    assert!(login(&colleague).status.success(), "a colleague logs in as ever");
    let why = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(why.contains("hook end-database-user (After): done at "), "{why}");
    let told: Vec<Value> = sealed(&rollcall)
        .await
        .iter()
        .flat_map(|record| record["hooks"].as_array().cloned().unwrap_or_default())
        .collect();
    let outcomes: Vec<_> = told.iter().map(|hook| hook["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["Waiting", "Done"], "the end of the cut, and that of the hook");
    rollcall.evidence_verifies();
    // The leaver's user name is in the file, which goes with the Job, and nowhere else.
    let jobs: Api<Job> = Api::namespaced(rollcall.admin.clone(), &rollcall.hooks_namespace());
    let jobs = jobs.list(&ListParams::default()).await.unwrap().items;
    let [job] = jobs.as_slice() else { panic!("one hook, one Job: {}", jobs.len()) };
    let (meta, spec) = (serde_json::to_string(&job.metadata).unwrap(), job.spec.as_ref().unwrap());
    assert!(!meta.contains(&leaver), "{meta}");
    assert_eq!(spec.ttl_seconds_after_finished, Some(3600), "the file goes with its Job");
    let spoken = rollcall.logs().iter().any(|log| fs::read_to_string(log).unwrap_or_default().contains(&leaver));
    assert!(!spoken, "a log names the leaver");
}

#[tokio::test]
async fn before_hooks_run_before_the_cut_which_waits_for_none_longer_than_its_timeout_and_after_hooks_are_tried_again()
{
    let rollcall = with_hooks("hook-order").await;
    let (_running, _node) = (rollcall.run().await, HookNode::start(&rollcall));
    rollcall.connect(json!({})).await;
    let hooks = json!([
        {"cronJob": "announce", "when": "Before", "timeout": "60s"},
        {"cronJob": "hangs", "when": "Before", "timeout": "8s"},
        {"cronJob": "fails-once", "timeout": "1m"},
        {"cronJob": "hangs-after", "timeout": "5s"},
    ]);
    rollcall.policy(json!({"revocation": {"hooks": hooks}})).await;
    let directory = rollcall.directory().display().to_string();
    make(&rollcall, "announce", &format!("cp $FILE {directory}/announced.json")).await;
    make(&rollcall, "hangs", "exec sleep 600").await;
    make(
        &rollcall,
        "fails-once",
        &format!("test -e {directory}/once || {{ touch {directory}/once; exit 1; }}; cp $FILE {directory}/after.json"),
    )
    .await;
    make(&rollcall, "hangs-after", "exec sleep 600").await;
    for name in ["announce", "hangs", "fails-once", "hangs-after"] {
        allow(&rollcall, name);
    }
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let held = rollcall.waits_for("7", "BeforeHooks").await;
    assert!(held.status.unwrap().gate.unwrap().until.is_some(), "it opens by itself");
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;

    let status = cut.status.clone().unwrap();
    let (announce, hangs) = (run(&cut, "announce"), run(&cut, "hangs"));
    assert_eq!((announce.when, announce.outcome), (When::Before, HookOutcome::Done), "{announce:?}");
    assert!(announce.ended.unwrap() <= status.steps[0].at, "before anything was done");
    assert_eq!((hangs.outcome, hangs.attempts, hangs.verdict), (HookOutcome::TimedOut, 1, Some(VerdictKind::Unknown)));
    let waited = status.instants.unwrap().released.unwrap().duration_since(hangs.started);
    assert!(waited >= SignedDuration::from_secs(7) && waited < SignedDuration::from_secs(120), "{waited:#}");
    let failed = |revocation: &Revocation| {
        let conditions = &revocation.status.as_ref().unwrap().conditions;
        conditions.iter().find(|one| one.is(ConditionType::HooksFailed, Status::True)).map(|one| one.message.clone())
    };
    assert!(failed(&cut).is_some_and(|said| said.contains("hangs (Before) TimedOut")), "{:?}", status.conditions);
    let file: Value =
        serde_json::from_str(&fs::read_to_string(rollcall.directory().join("announced.json")).unwrap()).unwrap();
    assert_eq!(file["usernames"], json!([rollcall.user("7")]));
    assert_eq!(
        (&file["records"], &file["trigger"], &file["phase"]),
        (&json!([format!("{}/7", rollcall.connection)]), &json!("Termination"), &json!("Held"))
    );
    assert_eq!(file["targets"][0]["name"], "seven");

    let again = until(&rollcall, "7", "fails-once", "done", |run| run.outcome == HookOutcome::Done).await;
    assert_eq!(run(&again, "fails-once").attempts, 2, "failed once, and tried again");
    let after: Value =
        serde_json::from_str(&fs::read_to_string(rollcall.directory().join("after.json")).unwrap()).unwrap();
    assert_eq!((&after["attempt"], &after["phase"]), (&json!(2), &json!("Revoked")));
    let late = until(&rollcall, "7", "hangs-after", "tried again", |run| run.attempts > 1).await;
    assert!(late.status.as_ref().unwrap().phase == Some(Phase::Revoked), "whatever its hooks do");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_hook_that_nobody_allowed_or_that_was_changed_since_does_not_run_and_none_is_begun_while_everything_is_stopped()
 {
    let rollcall = with_hooks("hook-allowed").await;
    let (_running, _node) = (rollcall.run().await, HookNode::start(&rollcall));
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"revocation": {"hooks": [{"cronJob": "notify"}]}})).await;
    make(&rollcall, "notify", "true").await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    rollcall.seven_leaves(&staff).await;
    let told = until(&rollcall, "7", "notify", "not started", |run| run.outcome == HookOutcome::NotStarted).await;
    let said = run(&told, "notify").message.clone().unwrap();
    assert!(said.contains("kubectl rollcall hooks allow notify"), "{said}");
    assert!(rollcall.succeeds(&["hooks", "list"]).contains("not allowed"));

    rollcall.stop("a fire drill");
    allow(&rollcall, "notify");
    let waits = until(&rollcall, "7", "notify", "to be tried again", |run| run.again.is_some()).await;
    rollcall.until(run(&waits, "notify").again.unwrap() + SignedDuration::from_secs(3)).await;
    let stopped = run(&cut(&rollcall, "7").await.unwrap(), "notify").clone();
    rollcall.until(Timestamp::now() + SignedDuration::from_secs(3)).await;
    let still = run(&cut(&rollcall, "7").await.unwrap(), "notify").clone();
    assert_eq!(stopped, still, "nothing is begun");
    rollcall.go_on();
    let done = until(&rollcall, "7", "notify", "done", |run| run.outcome == HookOutcome::Done).await;
    assert_eq!(run(&done, "notify").attempts, stopped.attempts + 1);

    // It is changed, and does not run for the next leaver until it is allowed again.
    let change = json!([{"op": "replace", "path": "/spec/jobTemplate/spec/template/spec/containers/0/image", "value": "localhost/other:1"}]);
    let cron_jobs: Api<CronJob> = Api::namespaced(rollcall.admin.clone(), &rollcall.hooks_namespace());
    let change: Patch<CronJob> = Patch::Json(serde_json::from_value(change).unwrap());
    cron_jobs.patch("notify", &PatchParams::default(), &change).await.unwrap();
    assert!(rollcall.succeeds(&["hooks", "list"]).contains("changed since it was allowed"));
    rollcall.learn(&staff.clone().person("7").terminated().person("8").terminated()).await;
    let told = until(&rollcall, "8", "notify", "not started", |run| run.outcome == HookOutcome::NotStarted).await;
    let said = run(&told, "notify").message.clone().unwrap();
    assert!(said.contains("was changed since it was allowed"), "{said}");
    rollcall.succeeds(&["hooks", "forbid", "notify", "--yes"]);
    assert!(rollcall.succeeds(&["hooks", "list"]).contains("not allowed"));
}

/// One installation whose control reaches the API server through a proxy, and leavers who own nothing, one after the other.
struct Deaths {
    rollcall: Installation,
    proxy: Arc<Proxy>,
    staff: People,
    gone: u32,
}

impl Deaths {
    async fn open() -> (Self, impl Sized) {
        let rollcall = with_hooks("hook-deaths").await;
        let proxy = Arc::new(Proxy::open().await);
        let running = (rollcall.sync().await, rollcall.control_through(&proxy).await, HookNode::start(&rollcall));
        rollcall.connect(json!({})).await;
        let limits = json!({"people": a_day(1000), "objects": a_day(10_000)});
        let hooks = json!([{"cronJob": "first", "when": "Before", "timeout": "30s"}, {"cronJob": "last"}]);
        rollcall.policy(json!({"limits": limits, "revocation": {"hooks": hooks}})).await;
        for name in ["first", "last"] {
            let ran = rollcall.directory().join(name).display().to_string();
            make(&rollcall, name, &format!("cat $FILE >> {ran}; echo >> {ran}")).await;
            allow(&rollcall, name);
        }
        let staff = rollcall.staff(1..21);
        rollcall.learn(&staff).await;
        (Self { rollcall, proxy, staff, gone: 0 }, running)
    }

    /// Lets the next person leave, with this going wrong: each hook runs once, and its end is sealed.
    async fn one_leaves(&mut self, fault: Fault) {
        self.gone += 1;
        let id = self.gone.to_string();
        self.proxy.fails_by(fault);
        self.staff = self.staff.clone().person(&id).terminated();
        self.rollcall.learn(&self.staff).await;
        self.rollcall.reaches(&id, Operation::Cut, Phase::Revoked).await;
        let over = until(&self.rollcall, &id, "last", "over", |run| !run.pending()).await;
        let over = eventually("both are over", || async {
            let now: Revocation = self.rollcall.api().get(&over.name_any()).await.unwrap();
            now.status.as_ref()?.hooks.iter().all(|run| !run.pending()).then_some(now)
        })
        .await;
        let last = run(&over, "last");
        assert_eq!((last.outcome, last.attempts), (HookOutcome::Done, 1), "{fault:?}: {last:?}");
        for name in ["first", "last"] {
            assert_eq!(run(&over, name).attempts, 1, "{fault:?}");
            let ran = fs::read_to_string(self.rollcall.directory().join(name)).unwrap_or_default();
            let times = ran.lines().filter(|line| line.contains(&over.uid().unwrap())).count();
            // A before-hook whose time passed while nobody led is left out; neither is ever run twice.
            assert!(times == 1 || (name == "first" && times == 0), "{fault:?}: {name} ran {times} times");
        }
        let sealed = sealed(&self.rollcall).await;
        let newest = sealed.iter().rfind(|record| record["revocation"] == over.name_any()).unwrap();
        let told = newest["hooks"].as_array().unwrap().iter().find(|hook| hook["name"] == "last").unwrap();
        assert_eq!(told["outcome"], "Done", "{fault:?}: {newest}");
    }
}

#[tokio::test]
async fn control_may_die_after_any_of_its_writes_and_a_hook_runs_once() {
    let (mut first, alive) = Deaths::open().await;
    first.one_leaves(Fault::None).await;
    let writes = first.proxy.writes();
    assert!((6..40).contains(&writes.len()), "{writes:?}");
    first.rollcall.evidence_verifies();
    drop((first, alive));
    let lanes = (1..=4_usize).map(async |lane| {
        let (mut here, _alive) = Deaths::open().await;
        for number in (lane..=writes.len()).step_by(4) {
            here.one_leaves(Fault::KillAfterWrite(number)).await;
        }
        here.rollcall.evidence_verifies();
    });
    futures::future::join_all(lanes).await;
}

const ELSE: &str = "in the namespace of hooks, Rollcall makes the Jobs of hooks and nothing else";
const UNKNOWN: &str = "not the Job of a hook: nobody has allowed a pod template of this name";
const POD: &str = "not the Job of a hook: its pod is not the one that was allowed";
const META: &str = "not the Job of a hook: labels or annotations of its pod are not those that were allowed";
const SHAPE: &str = "not the Job of a hook: one pod, tried once, for an hour at most and cleaned up after an hour";
const OWN: &str = "not the Job of a hook: it has labels, annotations, owners or finalizers of its own";
const LIST: &str = "Rollcall's own identities, and any account of its namespaces and of that of hooks, never say which hooks are allowed";

/// The Job that control makes of a CronJob, and what an attack changes in it: JSON patches.
async fn job(rollcall: &Installation, name: &str, attack: Value) -> Value {
    let api: Api<DynamicObject> =
        Api::namespaced_with(rollcall.admin.clone(), &rollcall.hooks_namespace(), &ApiResource::erase::<CronJob>(&()));
    let cron_job = api.get(name).await.unwrap().data;
    let mut template = cron_job["spec"]["jobTemplate"]["spec"]["template"].clone();
    overlay(&mut template, json!({"metadata": {"annotations": {names::HOOK_FILE: "{}"}}}));
    let mut job = json!({
        "metadata": {"name": "hook-0-1", "labels": {names::HOOK: name, names::REVOCATION: "r-1"}},
        "spec": {"parallelism": 1, "completions": 1, "backoffLimit": 0, "activeDeadlineSeconds": 300,
            "ttlSecondsAfterFinished": 3600, "template": template},
    });
    for change in attack.as_array().unwrap() {
        let path = change["path"].as_str().unwrap();
        let (parent, key) = path.rsplit_once('/').unwrap();
        let parent = job.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
        let key = key.replace("~1", "/");
        match parent {
            Value::Array(items) if key == "-" => items.push(change["value"].clone()),
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = change["value"].clone(),
            parent => parent[key] = change["value"].clone(),
        }
    }
    job
}

#[tokio::test]
async fn control_stolen_runs_nothing_in_the_namespace_of_hooks_but_what_a_human_allowed() {
    let rollcall = with_hooks("hook-cage").await;
    let hooks = rollcall.hooks_namespace();
    make(&rollcall, "siem", "true").await;
    make(&rollcall, "unseen", "true").await;
    allow(&rollcall, "siem");
    let set = |path: &str, value: Value| json!([{"path": path, "value": value}]);
    let sent = job(&rollcall, "siem", json!([])).await;
    eventually("control makes the Job of an allowed hook, by its own rights", || async {
        let (layer, _) = attempt(&rollcall, "control", &hooks, JOBS, &Create(sent.clone())).await;
        (layer == "none").then_some(())
    })
    .await;
    let own = json!({"spec": {"suspend": false}});
    for (who, what, resource, tried) in [
        (
            "control",
            "a pod",
            PODS,
            Create(json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "x", "image": "x"}]}})),
        ),
        ("control", "another CronJob", CRON_JOBS, Create(cron_job("evil", "true"))),
        ("control", "a change of one", CRON_JOBS, Change("siem", own)),
        ("control", "a Secret", SECRETS, Create(json!({"metadata": {"name": "s"}}))),
        ("control", "a Job's end", JOBS, Delete("hook-0-1")),
        ("sync", "a Job", JOBS, Create(sent.clone())),
        ("revoke", "a Job", JOBS, Create(sent.clone())),
    ] {
        let (layer, said) = attempt(&rollcall, who, &hooks, resource, &tried).await;
        assert_eq!(layer, "rbac", "{who}: {what}: {said}");
    }

    // With every right there is, the policies alone decide.
    every_right(&rollcall, &["control", "sync", "revoke"].map(|who| rollcall.identity(who))).await;
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    eventually("its rights are there", || async {
        let (layer, said) = attempt(&rollcall, "control", &hooks, SERVICES, &Create(service.clone())).await;
        (layer == "policy" && said.contains(ELSE)).then_some(())
    })
    .await;
    let mut attacked = BTreeSet::from([ELSE.to_owned()]);
    let container = "/spec/template/spec/containers/0";
    let template = "/spec/template";
    let secret = json!({"name": "s", "secret": {"secretName": "database-admin"}});
    for (what, attack, rule) in [
        ("a hook that nobody allowed", set("/metadata/labels/rollcall.dev~1hook", json!("unseen")), UNKNOWN),
        ("no hook at all", set("/metadata/labels", json!({})), UNKNOWN),
        ("another image", set(&format!("{container}/image"), json!("localhost/evil:1")), POD),
        ("another command", set(&format!("{container}/args"), json!(["rm -rf /"])), POD),
        ("another account", set("/spec/template/spec/serviceAccountName", json!("admin")), POD),
        ("an account's token", set("/spec/template/spec/automountServiceAccountToken", json!(true)), POD),
        ("a Secret as a volume", set("/spec/template/spec/volumes/-", secret), POD),
        (
            "a Secret as a variable",
            set(
                &format!("{container}/env/-"),
                json!({"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
            ),
            POD,
        ),
        ("a second container", set("/spec/template/spec/containers/-", json!({"name": "x", "image": "x"})), POD),
        ("a container before it", set("/spec/template/spec/initContainers", json!([{"name": "x", "image": "x"}])), POD),
        ("the node's network", set("/spec/template/spec/hostNetwork", json!(true)), POD),
        ("another user", set("/spec/template/spec/securityContext/runAsUser", json!(0)), POD),
        ("a node of its choice", set("/spec/template/spec/nodeName", json!("node")), POD),
        ("a label of the pod", set(&format!("{template}/metadata/labels/team"), json!("x")), META),
        ("another value of one", set(&format!("{template}/metadata/labels/app"), json!("x")), META),
        ("an annotation of the pod", set(&format!("{template}/metadata/annotations/inject"), json!("x")), META),
        ("a finalizer of the pod", set(&format!("{template}/metadata/finalizers"), json!(["example.com/x"])), META),
        (
            "many pods",
            json!([{"path": "/spec/parallelism", "value": 9}, {"path": "/spec/completions", "value": 9}]),
            SHAPE,
        ),
        ("again and again", set("/spec/backoffLimit", json!(6)), SHAPE),
        ("for a day", set("/spec/activeDeadlineSeconds", json!(86_400)), SHAPE),
        ("with no end", set("/spec/activeDeadlineSeconds", Value::Null), SHAPE),
        ("kept for ever", set("/spec/ttlSecondsAfterFinished", Value::Null), SHAPE),
        ("suspended", set("/spec/suspend", json!(true)), SHAPE),
        ("a label of the Job", set("/metadata/labels/team", json!("x")), OWN),
        ("an annotation of the Job", set("/metadata/annotations", json!({"x": "y"})), OWN),
        ("a finalizer of the Job", set("/metadata/finalizers", json!(["example.com/x"])), OWN),
    ] {
        let (layer, said) =
            attempt(&rollcall, "control", &hooks, JOBS, &Create(job(&rollcall, "siem", attack).await)).await;
        assert!(layer == "policy" && said.contains(rule), "{what}: {layer}: {said}");
        attacked.insert(rule.to_owned());
    }
    for (who, what, resource, tried) in [
        ("control", "changes the CronJob", CRON_JOBS, Change("siem", json!({"metadata": {"labels": {"x": "y"}}}))),
        ("control", "makes a Secret", SECRETS, Create(json!({"metadata": {"name": "s"}}))),
        ("sync", "makes the Job of a hook", JOBS, Create(sent.clone())),
        ("revoke", "makes the Job of a hook", JOBS, Create(sent.clone())),
    ] {
        let (layer, said) = attempt(&rollcall, who, &hooks, resource, &tried).await;
        assert!(layer == "policy" && (who == "revoke" || said.contains(ELSE)), "{who} {what}: {layer}: {said}");
    }
    for who in ["control", "sync", "revoke"] {
        let change = Change(names::HOOKS, json!({"spec": {"templates": {"evil": {"spec": {}}}}}));
        let (layer, said) = attempt(&rollcall, who, &rollcall.namespace, HOOK_TEMPLATES, &change).await;
        assert!(layer == "policy" && (who == "revoke" || said.contains(LIST)), "{who} allows a hook: {layer}: {said}");
        attacked.extend(said.contains(LIST).then(|| LIST.to_owned()));
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let mut written = BTreeSet::new();
    for name in ["hooks", "hook-jobs", "hook-list"] {
        let policy = policies.get(&format!("{}-{name}", rollcall.release)).await.unwrap();
        written.extend(policy.spec.unwrap().validations.unwrap().into_iter().filter_map(|rule| rule.message));
    }
    assert_eq!(attacked, written, "every rule has its attack");

    // One that is taken back is refused, and so is everything once the list is gone.
    rollcall.succeeds(&["hooks", "forbid", "siem", "--yes"]);
    crate::support::waiting::within(Duration::from_secs(60), "a hook that was taken back is refused", || async {
        let (layer, said) = attempt(&rollcall, "control", &hooks, JOBS, &Create(sent.clone())).await;
        (layer == "policy" && said.contains(UNKNOWN)).then_some(())
    })
    .await;
}
