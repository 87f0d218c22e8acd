//! What is refused, by which layer, and with what reason: by any user, with any right to ask.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, Revocation, SyncPolicy, names};
use serde_json::{Value, json};

use crate::support::attempts::every_right;
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::objects::{object, overlay};

/// The layer that refused a call, and what it said; panics if none did.
#[track_caller]
pub fn refusal<T>(what: &str, answer: Result<T, kube::Error>) -> (&'static str, String) {
    match answer {
        Ok(_) => panic!("not refused: {what}"),
        Err(kube::Error::Api(status)) if status.message.contains("ValidatingAdmissionPolicy") => {
            ("policy", status.message.clone())
        }
        Err(kube::Error::Api(status)) if status.code == 403 => ("rbac", status.message.clone()),
        Err(kube::Error::Api(status)) if status.code == 422 => ("schema", status.message.clone()),
        Err(other) => panic!("{what} failed otherwise: {other}"),
    }
}

/// One of the three identities, as the API server sees it.
async fn identity(rollcall: &Installation, command: &str) -> Client {
    rollcall.cluster.acting_as(&rollcall.identity(command), &["system:authenticated"]).await
}

/// Somebody with every right there is.
pub async fn human(rollcall: &Installation, user: &str) -> Api<Revocation> {
    let client = rollcall.cluster.acting_as(user, &["system:masters", "system:authenticated"]).await;
    Api::namespaced(client, &rollcall.namespace)
}

/// A Revocation as control makes it, with a plan, for nobody in particular.
pub async fn planned(rollcall: &Installation, name: &str) -> Api<Revocation> {
    let control = Api::namespaced(identity(rollcall, "control").await, &rollcall.namespace);
    let revocation: Revocation = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": name},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-01-01T00:00:00Z", "reason": "left"},
    }));
    control.create(&PostParams::default(), &revocation).await.unwrap();
    let status = json!({"status": {"phase": "Held", "plan": {
        "hash": "a".repeat(64), "usernames": ["oidc:leaver@example.com"],
        "targets": [{"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "seven", "uid": "u", "why": "marked"}],
    }}});
    control.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    control
}

#[tokio::test]
async fn nobody_starts_anything_but_the_revoker_in_its_namespace() {
    let rollcall = Installation::new("forged", &[]).await;
    let namespace = rollcall.revoker_namespace();
    let image = "localhost/rollcall:test";
    let shape = rollcall.job();
    let template = shape["template"].clone();
    let job = |over: Value| -> Job {
        let mut spec = shape.clone();
        overlay(&mut spec, over);
        object(json!({"metadata": {"generateName": "forged-"}, "spec": spec}))
    };
    let pod = |over: Value| json!({"template": {"spec": over}});
    let container = |over: Value| {
        let mut one = template["spec"]["containers"][0].clone();
        overlay(&mut one, over);
        json!({"template": {"spec": {"containers": [one]}}})
    };
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    let jobs: Api<Job> = Api::namespaced(rollcall.admin.clone(), &namespace);
    jobs.create(&rehearsal, &job(json!({}))).await.expect("the one shape passes, or nothing below means anything");
    for (what, forged) in [
        ("another command", container(json!({"command": ["/bin/sh"]}))),
        ("other arguments", container(json!({"args": ["revoke", "--namespace", "elsewhere"]}))),
        ("another image", container(json!({"image": "localhost/evil"}))),
        ("an environment", container(json!({"env": [{"name": "A", "value": "b"}]}))),
        ("an environment from a Secret", container(json!({"envFrom": [{"secretRef": {"name": "s"}}]}))),
        ("a volume", pod(json!({"volumes": [{"name": "v", "emptyDir": {}}]}))),
        ("another account", pod(json!({"serviceAccountName": "default"}))),
        ("a node of its own", pod(json!({"nodeName": "n"}))),
        ("other nodes", pod(json!({"nodeSelector": {"a": "b"}}))),
        ("nodes that keep others away", pod(json!({"tolerations": [{"operator": "Exists"}]}))),
        ("another scheduler", pod(json!({"schedulerName": "mine"}))),
        ("another Secret to pull with", pod(json!({"imagePullSecrets": [{"name": "mine"}]}))),
        ("root", pod(json!({"securityContext": {"runAsUser": 0, "runAsNonRoot": false}}))),
        ("another group", pod(json!({"securityContext": {"fsGroup": 0}}))),
        ("an annotation that injects", json!({"template": {"metadata": {"annotations": {"inject": "true"}}}})),
        ("more memory", container(json!({"resources": {"limits": {"memory": "64Gi"}}}))),
        ("a device", container(json!({"resources": {"limits": {"example.com/gpu": "1"}}}))),
        ("an image that is on the node already", container(json!({"imagePullPolicy": "Never"}))),
        ("a hook", container(json!({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}))),
        (
            "a privileged container",
            container(json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": true}})),
        ),
        ("a second container first", pod(json!({"initContainers": [{"name": "i", "image": image}]}))),
        ("the host's network", pod(json!({"hostNetwork": true}))),
        ("many at once", json!({"parallelism": 50})),
    ] {
        let (layer, _) = refusal(what, jobs.create(&rehearsal, &job(forged)).await);
        assert_eq!(layer, "policy", "{what}");
    }
    let secret: Secret = object(json!({
        "metadata": {"name": "stolen", "annotations": {"kubernetes.io/service-account.name": format!("{}-revoke", rollcall.release)}},
        "type": "kubernetes.io/service-account-token",
    }));
    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &namespace);
    assert_eq!(refusal("a token Secret", secrets.create(&rehearsal, &secret).await).0, "policy");
}

#[tokio::test]
async fn a_duration_or_a_percentage_in_other_words_is_answered_by_what_to_write() {
    let rollcall = Installation::new("quantity", &[]).await;
    let rehearse = PostParams { dry_run: true, ..PostParams::default() };
    let connection = |over: Value| -> HRConnection {
        let mut spec = json!({"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}});
        overlay(&mut spec, over);
        object(json!({"metadata": {"name": "hq"}, "spec": spec}))
    };
    let policy = |over: Value| -> SyncPolicy {
        let mut spec = json!({"connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}});
        overlay(&mut spec, over);
        object(json!({"metadata": {"name": "everyone"}, "spec": spec}))
    };
    let (connections, policies) = (rollcall.api::<HRConnection>(), rollcall.api::<SyncPolicy>());
    let every = |text: &str| json!({"schedule": {"every": text}});
    let shrink = |text: &str| json!({"trust": {"maxShrink": text}});
    let after = |text: &str| json!({"lifecycle": {"termination": {"removeAfter": text}}});
    let window = |text: &str| json!({"limits": {"people": [{"window": text, "percent": 2, "atLeast": 2}]}});
    let cron = json!({"schedule": {"cron": "0 6 * * 1-5", "timeZone": "Europe/Madrid"}});
    for fits in
        [cron, every("15m"), every("1h30m"), every("1d"), json!({"timeout": "90s"}), shrink("0%"), shrink("100%")]
    {
        connections
            .create(&rehearse, &connection(fits.clone()))
            .await
            .unwrap_or_else(|error| panic!("{fits}: {error}"));
    }
    for fits in [after("0s"), after("72h"), window("7d"), window("24h"), window("744h")] {
        policies.create(&rehearse, &policy(fits.clone())).await.unwrap_or_else(|error| panic!("{fits}: {error}"));
    }
    let (a_unit, a_sign) =
        ("write a number and a unit (d, h, m or s), such as 15m", "write a whole number from 0 to 100 and %");
    for (over, field, says) in [
        (every("1 hour"), "spec.schedule.every", a_unit),
        (every("60"), "spec.schedule.every", a_unit),
        (json!({"schedule": {"cron": "0 6 * * *"}}), "spec.schedule", "cron and timeZone go together"),
        (
            json!({"schedule": {"every": "1h", "cron": "0 6 * * *", "timeZone": "UTC"}}),
            "spec.schedule",
            "write either every or cron",
        ),
        (every("0s"), "spec.schedule.every", a_unit),
        (every("30m1h"), "spec.schedule.every", a_unit),
        (json!({"timeout": ""}), "spec.timeout", a_unit),
        (json!({"trust": {"staleAfter": "two days"}}), "spec.trust.staleAfter", a_unit),
        (shrink("10"), "spec.trust.maxShrink", a_sign),
        (json!({"trust": {"minOverlap": "ten percent"}}), "spec.trust.minOverlap", a_sign),
        (json!({"trust": {"maxBadRecords": "101%"}}), "spec.trust.maxBadRecords", a_sign),
        (json!({"trust": {"maxUnmappedStatuses": "1.5%"}}), "spec.trust.maxUnmappedStatuses", a_sign),
    ] {
        let (layer, said) = refusal(field, connections.create(&rehearse, &connection(over.clone())).await);
        assert!(layer == "schema" && said.contains(field) && said.contains(says), "{over}: {said}");
    }
    let kept = |text: &str| json!({"retention": {"evidence": text}});
    for fits in [kept("30d"), kept("99d"), kept("400d")] {
        policies.create(&rehearse, &policy(fits.clone())).await.unwrap_or_else(|error| panic!("{fits}: {error}"));
    }
    for text in ["29d", "3d", "0d", "720h", "for ever", "030d"] {
        let (layer, said) = refusal(text, policies.create(&rehearse, &policy(kept(text))).await);
        assert!(layer == "schema" && said.contains("write days, 30d at least, such as 400d"), "{text}: {said}");
    }
    let fields = |fields: Value| json!({ "fields": fields });
    for fits in
        [json!({}), json!({"title": "Once", "phone": "Never", "custom.badge": "Continuous", "startDate": "Continuous"})]
    {
        policies
            .create(&rehearse, &policy(fields(fits.clone())))
            .await
            .unwrap_or_else(|error| panic!("{fits}: {error}"));
    }
    let decides = "decide whose access ends and when: they can be neither Once nor Never";
    for (wrong, says) in [
        (json!({"state": "Never"}), decides),
        (json!({"startDate": "Once"}), decides),
        (json!({"endDate": "Never"}), decides),
        (json!({"employeeId": "Once"}), decides),
        (json!({"workEmail": "Never"}), decides),
        (json!({"title": "Once", "endDate": "Once"}), decides),
        (json!({"birthDate": "Once"}), "a name is no field"),
    ] {
        let (layer, said) = refusal("spec.fields", policies.create(&rehearse, &policy(fields(wrong.clone()))).await);
        assert!(layer == "schema" && said.contains("spec.fields") && said.contains(says), "{wrong}: {said}");
    }
    for (over, field) in [
        (after("3 days"), "spec.lifecycle.termination.removeAfter"),
        (after(""), "spec.lifecycle.termination.removeAfter"),
    ] {
        let (layer, said) = refusal(field, policies.create(&rehearse, &policy(over.clone())).await);
        assert!(layer == "schema" && said.contains(field) && said.contains(a_unit), "{over}: {said}");
    }
}

#[tokio::test]
async fn limits_say_what_to_write() {
    let rollcall = Installation::new("windows", &[]).await;
    let rehearse = PostParams { dry_run: true, ..PostParams::default() };
    let with = |limits: Value| -> Value {
        let spec = json!({"connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}, "limits": limits});
        json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone"}, "spec": spec})
    };
    let policies: Api<kube::api::DynamicObject> = Api::namespaced_with(
        rollcall.admin.clone(),
        &rollcall.namespace,
        &kube::api::ApiResource::erase::<SyncPolicy>(&()),
    );
    let limit = |more: Value| {
        let mut limit = json!({"window": "24h", "percent": 2, "atLeast": 2});
        overlay(&mut limit, more);
        json!({"people": [limit]})
    };
    for (limits, field, says) in [
        (limit(json!({"window": "a day"})), "spec.limits.people[0].window", "write hours or days, 31d at most"),
        (limit(json!({"window": "32d"})), "spec.limits.people[0].window", "write hours or days, 31d at most"),
        (limit(json!({"window": "745h"})), "spec.limits.people[0].window", "write hours or days, 31d at most"),
        (limit(json!({"atMost": 1})), "spec.limits.people[0]", "atLeast must not be more than atMost"),
        (limit(json!({"percent": null})), "spec.limits.people[0].percent", "Required value"),
        (json!({"people": []}), "spec.limits.people", "should have at least 1 items"),
        (json!({"people": {"percent": 2, "atMost": 20}}), "spec.limits.people", "must be of type array"),
        (json!({"approvalsLast": "tomorrow"}), "spec.limits.approvalsLast", "write a number and a unit"),
    ] {
        let object = serde_json::from_value(with(limits.clone())).unwrap();
        let (layer, said) = refusal(field, policies.create(&rehearse, &object).await);
        assert!(layer == "schema" && said.contains(field) && said.contains(says), "{limits}: {said}");
    }
}

#[tokio::test]
async fn each_identity_writes_its_own_part_of_a_status_and_no_other() {
    let rollcall = Installation::new("status", &[]).await;
    let name = "r-1";
    planned(&rollcall, name).await;
    let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "seven", "uid": "u", "why": "marked"});
    let at = "2026-01-01T00:00:00Z";
    let verdict = json!({"verdicts": [{"target": target, "verdict": "Observed", "how": "seen", "at": at}]});
    let step = json!({"steps": [{"target": target, "outcome": "Done", "at": at}]});
    for (who, what, status, layer) in [
        ("control", "a verdict", verdict.clone(), "policy"),
        ("control", "a step", step.clone(), "policy"),
        ("control", "an end", json!({"finished": "Revoked"}), "policy"),
        ("control", "the instant of proof", json!({"verified": at}), "policy"),
        ("revoke", "a phase", json!({"phase": "Revoked"}), "policy"),
        ("revoke", "a plan", json!({"plan": {"hash": "b".repeat(64), "targets": []}}), "policy"),
        ("revoke", "evidence", json!({"evidence": {"name": "e", "hash": "h", "previous": "p"}}), "policy"),
        ("sync", "a verdict", verdict.clone(), "rbac"),
    ] {
        let api: Api<Revocation> = Api::namespaced(identity(&rollcall, who).await, &rollcall.namespace);
        let patch = Patch::Merge(json!({"status": status}));
        let (refused_by, _) = refusal(what, api.patch_status(name, &PatchParams::default(), &patch).await);
        assert_eq!(refused_by, layer, "{who} writes {what}");
    }
    let admin: Api<Revocation> = rollcall.api();
    let patch = Patch::Merge(json!({"status": verdict}));
    assert_eq!(refusal("an admin", admin.patch_status(name, &PatchParams::default(), &patch).await).0, "policy");
    let revoker: Api<Revocation> = Api::namespaced(identity(&rollcall, "revoke").await, &rollcall.namespace);
    revoker.patch_status(name, &PatchParams::default(), &patch).await.expect("the revoker's own part");
}

#[tokio::test]
async fn no_identity_approves_and_nobody_approves_for_another_or_another_plan() {
    let rollcall = Installation::new("approval", &[]).await;
    let name = "r-1";
    let control = planned(&rollcall, name).await;
    let hash = "a".repeat(64);
    let approval_at = |hash: &str, by: &str, at: &str| {
        Patch::Merge(json!({"spec": {"approval": {"planHash": hash, "by": by, "at": at}}}))
    };
    let approval = |hash: &str, by: &str| approval_at(hash, by, "2026-01-01T00:00:00Z");
    for (who, layer) in [("control", "policy"), ("sync", "rbac"), ("revoke", "rbac")] {
        let api: Api<Revocation> = Api::namespaced(identity(&rollcall, who).await, &rollcall.namespace);
        let patch = approval(&hash, &rollcall.identity(who));
        let (refused_by, said) = refusal(who, api.patch(name, &PatchParams::default(), &patch).await);
        assert_eq!(refused_by, layer, "{who}: {said}");
    }
    let born_approved: Revocation = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "r-2"},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-01-01T00:00:00Z", "reason": "left",
            "approval": {"planHash": hash, "by": rollcall.identity("control"), "at": "2026-01-01T00:00:00Z"}},
    }));
    refusal("created approved", control.create(&PostParams::default(), &born_approved).await);
    for (what, user, patch) in [
        ("under another's name", "eve", approval(&hash, "ada")),
        ("another plan", "ada", approval(&"b".repeat(64), "ada")),
        ("the leaver", "oidc:leaver@example.com", approval(&hash, "oidc:leaver@example.com")),
    ] {
        let answer = human(&rollcall, user).await.patch(name, &PatchParams::default(), &patch).await;
        assert_eq!(refusal(what, answer).0, "policy", "{what}");
    }
    human(&rollcall, "ada")
        .await
        .patch(name, &PatchParams::default(), &approval(&hash, "ada"))
        .await
        .expect("a human approves");
    let again = human(&rollcall, "eve").await.patch(name, &PatchParams::default(), &approval(&hash, "eve")).await;
    assert_eq!(refusal("an approval is final", again).0, "schema");
    let later = "2026-01-02T00:00:00Z";
    let eve = human(&rollcall, "eve").await;
    let again = eve.patch(name, &PatchParams::default(), &approval_at(&hash, "eve", later)).await;
    assert_eq!(refusal("it has not expired", again).0, "policy");
    let expired = json!({"status": {"gate": {"reason": "ApprovalExpired", "message": ""}}});
    let by_hand = eve.patch_status(name, &PatchParams::default(), &Patch::Merge(&expired)).await;
    assert_eq!(refusal("a human says that it expired", by_hand).0, "policy");
    control.patch_status(name, &PatchParams::default(), &Patch::Merge(&expired)).await.unwrap();
    let as_control = approval_at(&hash, &rollcall.identity("control"), later);
    let by_control = control.patch(name, &PatchParams::default(), &as_control).await;
    assert_eq!(refusal("control gives it again", by_control).0, "policy");
    let gone = Patch::Merge(json!({"spec": {"approval": null}}));
    assert_eq!(refusal("it is taken away", eve.patch(name, &PatchParams::default(), &gone).await).0, "schema");
    eve.patch(name, &PatchParams::default(), &approval_at(&hash, "eve", later))
        .await
        .expect("one that expired is given again");
}

#[tokio::test]
async fn an_approver_decides_and_changes_nothing_else_of_a_revocation() {
    let rollcall = Installation::new("decider", &[]).await;
    let name = "r-1";
    let control = planned(&rollcall, name).await;
    let labels = json!({"metadata": {"labels": {"rollcall.dev/person": "p-7", "rollcall.dev/run": "r-1", "rollcall.dev/batch": "b-1"}}});
    control
        .patch(name, &PatchParams::default(), &Patch::Merge(json!({"metadata": {"labels": {names::BATCH: "b-1"}}})))
        .await
        .unwrap();
    let refused = control.patch(name, &PatchParams::default(), &Patch::Merge(&labels)).await;
    assert_eq!(refusal("control itself moves it to another person", refused).0, "policy");
    let ada = human(&rollcall, "ada").await;
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"});
    let rehearse = PatchParams { dry_run: true, ..PatchParams::default() };
    for (what, patch) in [
        ("another person", json!({"metadata": {"labels": {names::PERSON: "p-8"}}})),
        ("out of its run", json!({"metadata": {"labels": {names::RUN: "r-2"}}})),
        ("out of its batch", json!({"metadata": {"labels": {names::BATCH: null}}})),
        ("a finalizer", json!({"metadata": {"finalizers": ["example.com/held"]}})),
        ("an owner", json!({"metadata": {"ownerReferences": [owner]}})),
        ("a rejection under another's name", json!({"spec": {"rejection": {"reason": "no", "by": "eve"}}})),
    ] {
        let (layer, said) = refusal(what, ada.patch(name, &rehearse, &Patch::Merge(&patch)).await);
        assert_eq!(layer, "policy", "{what}: {said}");
    }
    let reject = |by: &str| Patch::Merge(json!({"spec": {"rejection": {"reason": "no", "by": by}}}));
    let retry = Patch::Merge(json!({"metadata": {"annotations": {names::RETRY: "1"}}}));
    let leaver = human(&rollcall, "oidc:leaver@example.com").await;
    let own = leaver.patch(name, &rehearse, &reject("oidc:leaver@example.com")).await;
    assert_eq!(refusal("the leaver keeps their own access", own).0, "policy");
    let by_control = control.patch(name, &rehearse, &reject(&rollcall.identity("control"))).await;
    assert_eq!(refusal("control rejects", by_control).0, "policy");
    assert_eq!(refusal("control asks for another attempt", control.patch(name, &rehearse, &retry).await).0, "policy");
    ada.patch(name, &rehearse, &retry).await.expect("a human asks for another attempt");
    ada.patch(name, &PatchParams::default(), &reject("ada")).await.expect("a human rejects");
    let both = json!({"spec": {"approval": {"planHash": "a".repeat(64), "by": "ada", "at": "2026-01-01T00:00:00Z"}}});
    assert_eq!(refusal("both", ada.patch(name, &rehearse, &Patch::Merge(both)).await).0, "schema");
    let undo = json!({"spec": {"rejection": null}});
    let by_leaver = leaver.patch(name, &rehearse, &Patch::Merge(&undo)).await;
    assert_eq!(refusal("the leaver takes a rejection back", by_leaver).0, "policy");
    ada.patch(name, &rehearse, &Patch::Merge(&undo)).await.expect("a human takes it back");
    let begun = json!({"status": {"claim": {"by": "revoke-1", "at": "2026-01-01T00:00:00Z"}}});
    ada.patch(name, &PatchParams::default(), &Patch::Merge(&undo)).await.unwrap();
    let revoker: Api<Revocation> = Api::namespaced(identity(&rollcall, "revoke").await, &rollcall.namespace);
    revoker.patch_status(name, &PatchParams::default(), &Patch::Merge(begun)).await.unwrap();
    assert_eq!(refusal("what has begun", ada.patch(name, &rehearse, &reject("ada")).await).0, "policy");
}

#[tokio::test]
async fn the_revoker_stays_in_its_cage_whatever_rights_it_is_given() {
    let rollcall = Installation::new("cage", &[("apps", Consent::Canaries)]).await;
    rollcall.account_of("7", "apps", "marked").await;
    rollcall.account("apps", "nobodys", None).await;
    every_right(&rollcall, &[rollcall.identity("revoke")]).await;
    let revoker = identity(&rollcall, "revoke").await;
    let apps = rollcall.target("apps");
    let accounts = |namespace: &str| Api::<ServiceAccount>::namespaced(revoker.clone(), namespace);
    let rehearse = |uid: Option<String>| DeleteParams {
        dry_run: true,
        preconditions: uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None }),
        ..DeleteParams::default()
    };
    let uid_of = async |namespace: &str, name: &str| accounts(namespace).get(name).await.unwrap().metadata.uid;
    let own = format!("{}-sync", rollcall.release);
    let marked = uid_of(&apps, "marked").await;
    accounts(&apps).delete("marked", &rehearse(marked)).await.expect("a marked account, by uid");
    for (what, namespace, name, by_uid) in [
        ("an account without a mark", apps.as_str(), "nobodys", true),
        ("a marked account, not by uid", &apps, "marked", false),
        ("the account `default`", &apps, "default", true),
        ("an account of kube-system", "kube-system", "default", true),
        ("an account of Rollcall's own", &rollcall.namespace, &own, true),
    ] {
        let uid = if by_uid { uid_of(namespace, name).await } else { None };
        let (layer, said) = refusal(what, accounts(namespace).delete(name, &rehearse(uid)).await);
        assert_eq!(layer, "policy", "{what}: {said}");
    }
    let secrets: Api<Secret> = Api::namespaced(revoker.clone(), &apps);
    let secret: Secret = object(json!({"metadata": {"name": "new"}}));
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    assert_eq!(refusal("a Secret", secrets.create(&rehearsal, &secret).await).0, "policy");
}

#[tokio::test]
async fn sync_writes_no_secret_but_the_one_key_that_says_so() {
    let rollcall = Installation::new("rotates", &[]).await;
    let made = |name: &str, rotates: Value| -> Secret {
        object(json!({"metadata": {"name": name, "annotations": rotates}, "stringData": {"token": "a", "client": "c"}}))
    };
    for (name, rotates) in [("said", json!({names::ROTATES: "token"})), ("unsaid", json!({"x": "token"}))] {
        rollcall.api::<Secret>().create(&PostParams::default(), &made(name, rotates)).await.unwrap();
    }
    let sync: Api<Secret> = Api::namespaced(identity(&rollcall, "sync").await, &rollcall.namespace);
    let rehearse = PatchParams { dry_run: true, ..PatchParams::default() };
    let next = json!({"stringData": {"token": "b"}});
    sync.patch("said", &rehearse, &Patch::Merge(&next)).await.expect("the key that says so");
    for (what, name, patch) in [
        ("a Secret that does not say so", "unsaid", next.clone()),
        ("another key", "said", json!({"stringData": {"client": "b"}})),
        ("both keys", "said", json!({"stringData": {"token": "b", "client": "b"}})),
        ("a new key", "said", json!({"stringData": {"more": "b"}})),
        ("a key that goes", "said", json!({"data": {"client": null}})),
        ("the key itself goes", "said", json!({"data": {"token": null}})),
        ("what it says", "said", json!({"metadata": {"annotations": {names::ROTATES: "client"}}})),
        (
            "saying so",
            "unsaid",
            json!({"metadata": {"annotations": {names::ROTATES: "token"}}, "stringData": {"token": "b"}}),
        ),
        ("a label", "said", json!({"metadata": {"labels": {"a": "b"}}, "stringData": {"token": "b"}})),
        ("for ever", "said", json!({"immutable": true, "stringData": {"token": "b"}})),
    ] {
        let (layer, said) = refusal(what, sync.patch(name, &rehearse, &Patch::Merge(&patch)).await);
        assert_eq!(layer, "policy", "{what}: {said}");
    }
    let create = PostParams { dry_run: true, ..PostParams::default() };
    let more = made("more", json!({names::ROTATES: "token"}));
    assert_eq!(refusal("a new Secret", sync.create(&create, &more).await).0, "policy");
    let delete = DeleteParams { dry_run: true, ..DeleteParams::default() };
    assert_eq!(refusal("a deletion", sync.delete("said", &delete).await).0, "rbac");
}

#[tokio::test]
async fn what_is_not_the_leavers_alone_or_did_not_consent_is_left_alone_and_named() {
    let rollcall = Installation::new("alone", &[("apps", Consent::Accounts), ("closed", Consent::None)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let everybodys = format!("team-{}", rollcall.release);
    let user_names = json!({"usernames": ["'oidc:' + person.workEmail", format!("'{everybodys}'")]});
    let protected = json!({"serviceAccounts": [format!("{}/kept", rollcall.target("apps"))]});
    rollcall.policy(json!({"identity": user_names, "protected": protected})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let system = format!("seven-{}", rollcall.release);
    let marked = json!({"metadata": {"name": system, "annotations": {names::OWNER: rollcall.mark("7")}}});
    let accounts = |namespace: &str| Api::<ServiceAccount>::namespaced(rollcall.admin.clone(), namespace);
    accounts("kube-system").create(&PostParams::default(), &object(marked)).await.unwrap();
    let glass = json!({"metadata": {"name": "glass", "labels": {names::BREAK_GLASS: "true"},
        "annotations": {names::OWNER: rollcall.mark("7")}}});
    accounts(&rollcall.target("apps")).create(&PostParams::default(), &object(glass)).await.unwrap();
    rollcall.account_of("7", "closed", "elsewhere").await;
    rollcall.account_of("7", "apps", "kept").await;
    rollcall.account("apps", "both", Some(&format!("user:{everybodys}"))).await;
    rollcall.account("apps", "nobodys", None).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    rollcall.learn(&staff.person("7").terminated()).await;

    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let plan = cut.status.unwrap().plan.unwrap();
    let targets: Vec<_> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(targets, ["seven"], "nothing else is touched");
    for (name, why) in [
        ("elsewhere", "NoConsent"),
        (system.as_str(), "SystemNamespace"),
        ("glass", "Protected"),
        ("kept", "Protected"),
        ("both", "AmbiguousMark"),
    ] {
        let said = plan.remaining.iter().find(|remaining| remaining.what.ends_with(name));
        assert_eq!(said.map(|remaining| remaining.why.as_str()), Some(why), "{name} in {:?}", plan.remaining);
        assert!(said.is_some_and(|remaining| !remaining.advice.is_empty()), "{name}: what to do about it");
    }
    assert!(!plan.remaining.iter().any(|remaining| remaining.what.contains("nobodys")));
}

#[tokio::test]
async fn leavers_from_before_rollcall_came_are_cut_only_once_approved_and_never_while_it_observes() {
    let rollcall = Installation::new("baseline", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"mode": "Observe"})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.account_of("8", "apps", "eight").await;
    let staff = rollcall.staff(1..11).person("7").terminated();
    rollcall.learn(&staff).await;
    rollcall.waits_for("7", "Observe").await;

    let enforce = json!({"spec": {"mode": "Enforce"}});
    let policies: Api<SyncPolicy> = rollcall.api();
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&enforce)).await.unwrap();
    rollcall.learn(&staff).await;
    let cut = rollcall.waits_for("7", "Baseline").await;
    rollcall.learn(&staff.person("8").terminated()).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    rollcall.waits_for("7", "Baseline").await;

    rollcall.approve(&cut);
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
}
