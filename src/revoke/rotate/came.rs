//! Whether a new value has come: told without reading one.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ObjectMeta};
use serde_json::Value;

use crate::api::revocation::Rotation;
use crate::kube::calls::{self, call};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::secrets;
use crate::revoke::Context;
use crate::revoke::observe::secret::{certificates, external_secrets, text, told_by_certificate, told_by_external};
use domain::plan::Target;
use domain::rotation::Way;

/// How long external-secrets may take.
const FETCHED: SignedDuration = SignedDuration::from_secs(60);
/// How long cert-manager may take: an issuer may ask a domain to be proved.
const ISSUED: SignedDuration = SignedDuration::from_secs(180);

/// What has become of a value that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Nothing yet.
    NotYet,
    /// Another one is there, since then, and who wrote it.
    Written(Timestamp, Option<String>),
    /// It was fetched again, and is the one it was.
    Same(String),
    /// None will come.
    Never(String),
}

/// Looks once. What cannot be read now is looked at again, until the time is over.
pub async fn look(ctx: &Context, target: &Target, way: Option<&Way>, rotation: &Rotation) -> Came {
    let over = rotation.asked.is_none_or(|asked| calls::now().duration_since(asked) > longest(way));
    let read = || read(ctx, target, way, &rotation.before);
    // Nobody looks any more after that.
    match calls::surely(read, |came| matches!(came, Came::Same(_) | Came::Never(_))).await {
        Ok(Came::NotYet) if over => {
            Came::Never(format!("no new value was seen within {} seconds", longest(way).as_secs()))
        }
        Err(fault) if over => Came::Never(fault.to_string()),
        Err(_) => Came::NotYet,
        Ok(came) => came,
    }
}

const fn longest(way: Option<&Way>) -> SignedDuration {
    match way {
        Some(Way::Certificate { .. }) => ISSUED,
        _ => FETCHED,
    }
}

async fn read(ctx: &Context, target: &Target, way: Option<&Way>, before: &str) -> Result<Came, Fault> {
    let never = |how: &str| Ok(Came::Never(how.to_owned()));
    match way {
        Some(Way::ExternalSecret { api_version, name, .. }) => {
            let api = external_secrets(&ctx.client, &target.namespace, api_version);
            // This first: once it says that it was refreshed, the Secret is what it is to be.
            let Some(external) = call("look at an ExternalSecret", api.get_opt(name)).await? else {
                return never("its ExternalSecret is gone");
            };
            let Some(secret) = metadata(ctx, target).await? else { return never("it is gone") };
            Ok(fetched(&secret, &external, before))
        }
        Some(Way::Certificate { name }) => {
            let api = certificates(&ctx.client, &target.namespace);
            let Some(certificate) = call("look at a Certificate", api.get_opt(name)).await? else {
                return never("its Certificate is gone");
            };
            let Some(secret) = metadata(ctx, target).await? else { return never("it is gone") };
            Ok(issued(&secret, &certificate, before))
        }
        Some(Way::Generate(_)) | None => never("it was not written"),
    }
}

/// The metadata of the very Secret, if it is there.
async fn metadata(ctx: &Context, target: &Target) -> Result<Option<ObjectMeta>, Fault> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &target.namespace);
    let live = call("look at the metadata of a Secret", api.get_metadata_opt(&target.name)).await?;
    Ok(live.map(|live| live.metadata).filter(|meta| meta.uid.as_ref() == Some(&target.uid)))
}

fn written(secret: &ObjectMeta) -> Came {
    secrets::written(secret).map_or(Came::NotYet, |at| Came::Written(at, secrets::rotated_by(secret)))
}

/// What of external-secrets' own digest, and of when it last fetched, follows.
fn fetched(secret: &ObjectMeta, external: &DynamicObject, before: &str) -> Came {
    let Some(now) = told_by_external(secret, external) else { return Came::NotYet };
    let (value, at) = now.split_once(' ').unwrap_or((&now, ""));
    let (value_before, at_before) = before.split_once(' ').unwrap_or((before, ""));
    match (value == value_before, at == at_before) {
        (false, _) => written(secret),
        (true, false) => Came::Same("external-secrets fetched it again, and the value is the one it was".to_owned()),
        (true, true) => Came::NotYet,
    }
}

/// What of the revision, and of when issuing last failed, follows.
fn issued(secret: &ObjectMeta, certificate: &DynamicObject, before: &str) -> Came {
    let now = told_by_certificate(certificate);
    let (revision, failed) = now.split_once(' ').unwrap_or((&now, ""));
    let (revision_before, failed_before) = before.split_once(' ').unwrap_or((before, ""));
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    let issuing = certificate.data.pointer("/status/conditions").and_then(Value::as_array).is_some_and(|all| {
        all.iter().any(|one| {
            one.get("type").and_then(Value::as_str) == Some("Issuing")
                && one.get("status").and_then(Value::as_str) == Some("True")
        })
    });
    if number(revision) > number(revision_before) {
        // Were it set back meanwhile, the new certificate would have the old key.
        return match text(certificate, "/spec/privateKey/rotationPolicy").as_str() {
            "Always" => written(secret),
            _ => Came::Same("the certificate is new, and may have the key it had".to_owned()),
        };
    }
    if failed != failed_before && !issuing {
        return Came::Never("cert-manager could not issue it: see the conditions of its Certificate".to_owned());
    }
    Came::NotYet
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::revocation::Rotator;
    use crate::kube::scenario::{Scenario, on};
    use crate::revoke::order;
    use domain::plan::{Action, Kind};
    use domain::rotation::ESO_HASH;

    const AT: &str = "2026-03-01T00:00:05Z";

    fn secret(hash: &str) -> ObjectMeta {
        let fields = json!({"f:data": {"f:password": {}}});
        let entry =
            json!({"manager": "m", "operation": "Update", "time": AT, "fieldsType": "FieldsV1", "fieldsV1": fields});
        serde_json::from_value(json!({
            "name": "db", "uid": "u-1", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [entry],
            "annotations": {ESO_HASH: hash},
        }))
        .unwrap()
    }

    fn object(content: Value) -> DynamicObject {
        serde_json::from_value(content).unwrap()
    }

    #[test]
    fn a_value_that_came_back_as_it_was_is_no_rotation() {
        let external = |at: &str| object(json!({"metadata": {"name": "db"}, "status": {"refreshTime": at}}));
        let before = told_by_external(&secret("a"), &external("2026-01-01T00:00:00Z")).unwrap();
        let written = Came::Written(AT.parse().unwrap(), Some("m".to_owned()));
        for (what, hash, at, expected) in [
            ("nothing happened", "a", "2026-01-01T00:00:00Z", "not yet"),
            ("another value", "b", AT, "written"),
            ("another value, and its controller has not said so yet", "b", "2026-01-01T00:00:00Z", "written"),
            ("fetched again, and the same", "a", AT, "same"),
        ] {
            let came = fetched(&secret(hash), &external(at), &before);
            let word = match &came {
                Came::NotYet => "not yet",
                Came::Written(..) if came == written => "written",
                Came::Same(_) => "same",
                Came::Written(..) | Came::Never(_) => "wrong",
            };
            assert_eq!(word, expected, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_seems_to_be_the_one_it_was_is_looked_at_again() {
        let external = |at: &str| json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "db"}, "status": {"refreshTime": at}});
        let live = |hash: &str| json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": secret(hash)});
        let read = || on("GET /api/v1/namespaces/apps/secrets/db");
        let scenario = Scenario::default()
            .meanwhile(on("GET /apis/external-secrets.io/v1/namespaces/apps/externalsecrets/db").answers(external(AT)))
            .then(read().answers(live("a")))
            .then(read().answers(live("b")));
        let target = Target {
            action: Action::Rotate,
            kind: Kind::Secret,
            namespace: "apps".into(),
            name: "db".into(),
            uid: "u-1".into(),
            heir: None,
            why: String::new(),
        };
        let (name, uid) = ("db".to_owned(), "e-1".to_owned());
        let way = Way::ExternalSecret { api_version: "external-secrets.io/v1".to_owned(), name, uid };
        let before = told_by_external(&secret("a"), &object(external("2026-01-01T00:00:00Z"))).unwrap();
        let asked = Some(calls::now());
        let rotation = Rotation { by: Rotator::ExternalSecrets, before, asked, written: None, written_by: None };
        let came = look(&order::context(&scenario), &target, Some(&way), &rotation).await;
        assert!(matches!(came, Came::Written(..)), "{came:?}");
        scenario.is_over();
    }

    #[test]
    fn a_certificate_is_new_by_its_revision_and_only_with_a_key_of_its_own() {
        let certificate = |revision: u32, failed: &str, issuing: &str, policy: &str| {
            object(json!({
                "metadata": {"name": "site"},
                "spec": {"privateKey": {"rotationPolicy": policy}},
                "status": {"revision": revision, "lastFailureTime": failed,
                           "conditions": [{"type": "Issuing", "status": issuing}]},
            }))
        };
        let before = told_by_certificate(&certificate(1, "", "False", "Always"));
        for (what, now, expected) in [
            ("being issued", certificate(1, "", "True", "Always"), "not yet"),
            ("issued", certificate(2, "", "False", "Always"), "written"),
            ("with a key that may stay", certificate(2, "", "False", "Never"), "same"),
            ("failed", certificate(1, AT, "False", "Always"), "never"),
            ("failed, and tried again", certificate(1, AT, "True", "Always"), "not yet"),
            ("set back to an earlier one", certificate(0, "", "False", "Always"), "not yet"),
        ] {
            let word = match issued(&secret("a"), &now, &before) {
                Came::NotYet => "not yet",
                Came::Written(..) => "written",
                Came::Same(_) => "same",
                Came::Never(_) => "never",
            };
            assert_eq!(word, expected, "{what}");
        }
    }
}
