//! Nothing comes to its end without its seal: whatever keeps control from sealing, the end waits for it.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Finished, Operation, Phase};
use rollcall::api::{Revocation, names};
use serde_json::json;

use crate::support::chart::refused_by_policy;
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::object;
use crate::support::waiting::eventually;

/// A policy of the story's own that keeps everybody from making records, as a broken webhook or a full quota would.
struct NoRecords<'a>(&'a Installation, String);

impl<'a> NoRecords<'a> {
    async fn begin(rollcall: &'a Installation) -> Self {
        let name = format!("{}-no-records", rollcall.release);
        let labels = json!({"app.kubernetes.io/instance": rollcall.release}); // it ends with the story in any case
        let policy: ValidatingAdmissionPolicy = object(json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": rollcall.namespace}},
                    "resourceRules": [{"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["configmaps"]}],
                },
                "validations": [{"expression": "!object.metadata.name.startsWith('rollcall-evidence-0')"}],
            },
        }));
        let binding: ValidatingAdmissionPolicyBinding = object(json!({
            "metadata": {"name": name, "labels": labels}, "spec": {"policyName": name, "validationActions": ["Deny"]},
        }));
        let params = PostParams::default();
        Api::all(rollcall.admin.clone()).create(&params, &policy).await.unwrap();
        Api::all(rollcall.admin.clone()).create(&params, &binding).await.unwrap();
        let begun = Self(rollcall, name);
        eventually("no record can be made", || async { begun.refused().await.then_some(()) }).await;
        begun
    }

    async fn end(self) {
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.0.admin.clone());
        bindings.delete(&self.1, &DeleteParams::default()).await.unwrap();
        eventually("records can be made again", || async { (!self.refused().await).then_some(()) }).await;
    }

    /// Whether control is kept from making a record.
    async fn refused(&self) -> bool {
        let control = self.0.cluster.acting_as(&self.0.identity("control"), &["system:authenticated"]).await;
        let maps: Api<ConfigMap> = Api::namespaced(control, &self.0.namespace);
        let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
        let record: ConfigMap = object(json!({"metadata": {"name": "rollcall-evidence-00000099"}}));
        maps.create(&rehearsal, &record).await.is_err_and(|error| refused_by_policy(&error))
    }
}

/// Waits until control says of this person's Revocation that it is kept from sealing it, and gives it.
async fn unsealed(rollcall: &Installation, id: &str, reason: &str) -> Revocation {
    eventually(&format!("the Revocation of {id} waits for its seal"), || async {
        let newest = rollcall.revocations(id).await.pop()?;
        let conditions = &newest.status.as_ref()?.conditions;
        let waits = conditions.iter().any(|c| c.is(ConditionType::Ready, Status::False) && c.reason == reason);
        waits.then_some(newest)
    })
    .await
}

#[tokio::test]
async fn what_cannot_be_sealed_has_not_ended_and_is_sealed_once_it_can_be() {
    let rollcall = Installation::new("hiccup", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"protected": {"people": ["9"]}, "limits": {"people": a_day(10)}})).await;
    for id in ["7", "8", "9"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let no_records = NoRecords::begin(&rollcall).await;

    rollcall.learn(&staff.person("6").terminated().person("7").terminated().person("9").terminated()).await;

    for (id, finished) in [("7", Some(Finished::Revoked)), ("6", None), ("9", None)] {
        let status = unsealed(&rollcall, id, "Retrying").await.status.unwrap();
        assert_eq!(status.finished, finished, "{id}");
        assert!(matches!(status.phase, None | Some(Phase::Held | Phase::Released)), "{id}: {:?}", status.phase);
        assert!(status.evidence.is_none(), "{id}");
    }
    no_records.end().await;

    for id in ["7", "6"] {
        let status = rollcall.reaches(id, Operation::Cut, Phase::Revoked).await.status.unwrap();
        assert!(status.evidence.is_some(), "{id}");
    }
    assert!(rollcall.waits_for("9", "Protected").await.status.unwrap().evidence.is_some());
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn over_a_broken_chain_nothing_is_closed() {
    let policy = json!({"limits": {"people": a_day(10)}});
    let (rollcall, _running, staff) = Installation::with_seven("broken", Consent::Accounts, policy).await;
    let first = staff.person("6").terminated();
    rollcall.learn(&first).await;
    rollcall.reaches("6", Operation::Cut, Phase::Revoked).await;
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(control, &rollcall.namespace);
    let whole = maps.get(names::EVIDENCE_HEAD).await.unwrap().data.unwrap();
    let head = async |data: serde_json::Value| {
        let patch = Patch::Merge(json!({"data": data}));
        maps.patch(names::EVIDENCE_HEAD, &PatchParams::default(), &patch).await.unwrap();
    };
    head(json!({"index": "none"})).await;

    rollcall.learn(&first.person("7").terminated()).await;

    let waits = unsealed(&rollcall, "7", "Stalled").await;
    let status = waits.status.as_ref().unwrap();
    assert_eq!((status.phase, status.finished), (Some(Phase::Released), Some(Finished::Revoked)), "{status:?}");
    rollcall.fails(&["evidence", "verify"]);

    head(json!(whole)).await;
    let look = json!({"metadata": {"annotations": {"example.com/look": "again"}}}); // it is looked at by itself, later
    rollcall.api::<Revocation>().patch(&waits.name_any(), &PatchParams::default(), &Patch::Merge(look)).await.unwrap();
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn what_was_closed_without_a_seal_fails_the_check_and_is_sealed_at_the_next_look() {
    let (rollcall, running, staff) = Installation::with_seven("unsealed", Consent::Accounts, json!({})).await;
    let cut = rollcall.seven_leaves(&staff).await;
    let seal = cut.status.as_ref().unwrap().evidence.clone();
    drop(running);
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let revocations: Api<Revocation> = Api::namespaced(control, &rollcall.namespace);
    let lost = Patch::Merge(json!({"status": {"evidence": null}}));
    revocations.patch_status(&cut.name_any(), &PatchParams::default(), &lost).await.unwrap();
    rollcall.fails(&["evidence", "verify"]);

    let _control = rollcall.control().await;

    eventually("it is sealed, by the record that stands", || async {
        let status = revocations.get(&cut.name_any()).await.unwrap().status?;
        (status.evidence == seal).then_some(())
    })
    .await;
    rollcall.evidence_verifies();
}
