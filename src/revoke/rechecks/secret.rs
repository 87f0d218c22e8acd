//! One look at a Secret that got a new value: does that value still stand, and was everything that uses it started with it?
//!
//! Of the Secret the metadata alone is asked for: its uid, and its own record of who wrote what and when.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;

use super::look::{MAY_NOT, Told};
use crate::api::revocation::{Rotation, Rotator};
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::secrets;
use crate::revoke::observe::namespace_is_gone;
use crate::revoke::{Context, rotate};
use domain::plan::Target;
use domain::rotation::kept::{self, Kept, Rotated};
use domain::rotation::{Way, adoption};

/// What is said of a Secret whose value is the one that was replaced.
const BEFORE: &str =
    "the Secret has the value that it had before: external-secrets' own digest of it is the one of then";

/// Looks once.
///
/// # Flow          the Secret's metadata; the pods that use it
/// # Guarantees    what may be the old value is unknown, and no alarm; only a digest that is the one of before is
/// # Errors        transient: nothing is said, and the check is still due
pub(super) async fn look(ctx: &Context, target: &Target, rotation: &Rotation) -> Result<Told, Fault> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &target.namespace);
    let live = match call("look at the metadata of a Secret again", api.get_metadata_opt(&target.name)).await {
        Ok(Some(live)) => live.metadata,
        Ok(None) => return Ok(Told::Refused), // and the old value with it
        Err(fault) if fault.is_forbidden() => {
            let gone = namespace_is_gone(ctx, &target.namespace).await?;
            return Ok(if gone { Told::Refused } else { MAY_NOT });
        }
        Err(fault) => return Err(fault),
    };
    let told = standing(&live, target, rotation);
    let (Told::Refused, Some(written)) = (&told, rotation.written) else { return Ok(told) };
    let Some(pods) = ctx.shared.pods(ctx, &target.namespace).await? else {
        return Ok(untold("the revoker may not list the pods that use it"));
    };
    // None can be: each was started after the new value was written, when that was last looked at.
    let adoption = adoption::judge(&target.name, written, true, &pods);
    Ok(if adoption.is_complete() { told } else { untold(adoption.to_string()) })
}

/// What a Secret's metadata says of the value that it got.
fn standing(live: &ObjectMeta, target: &Target, rotation: &Rotation) -> Told {
    if live.name.as_ref() != Some(&target.name) || live.uid.as_ref() != Some(&target.uid) {
        return untold("another Secret has its name by now, and may have the old value");
    }
    let Some(at) = rotation.written else { return untold("when it got its new value was not noted") };
    let keys = match (rotation.by, secrets::way(live)) {
        (Rotator::Generator, Some(Way::Generate(declared))) => {
            Some(declared.into_iter().flat_map(|one| one.keys).collect())
        }
        _ => None,
    };
    let (by, before) = match rotation.by {
        Rotator::Generator => (Some(rotate::MANAGER), None),
        Rotator::CertManager => (rotation.written_by.as_deref(), None),
        Rotator::ExternalSecrets => (rotation.written_by.as_deref(), rotation.before.split(' ').next()),
    };
    let now = before.and_then(|_| secrets::told_by(live));
    match kept::judge(&secrets::writers(live), &Rotated { by, at, before }, keys.as_ref(), now.as_deref()) {
        Kept::Stands => Told::Refused,
        Kept::Before => Told::Again(BEFORE),
        Kept::Untold(doubt) => untold(doubt.to_string()),
    }
}

fn untold(why: impl Into<Cow<'static, str>>) -> Told {
    Told::Untold(why.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use domain::plan::{Action, Kind};
    use domain::rotation::ESO_HASH;

    const ESO: &str = "externalsecrets.external-secrets.io/db";

    fn target() -> Target {
        Target {
            action: Action::Rotate,
            kind: Kind::Secret,
            namespace: "apps".into(),
            name: "db".into(),
            uid: "s1".into(),
            heir: None,
            why: String::new(),
        }
    }

    fn entry(manager: &str, second: u32, data: &Value) -> Value {
        json!({"manager": manager, "operation": "Update", "time": format!("2026-03-01T00:00:{second:02}Z"),
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": data}})
    }

    fn secret(uid: &str, hash: &str, entries: &[Value]) -> ObjectMeta {
        serde_json::from_value(json!({"name": "db", "namespace": "apps", "uid": uid, "managedFields": entries,
            "annotations": {ESO_HASH: hash, "rollcall.dev/rotate": "Generate password=Password"},
            "creationTimestamp": "2026-01-01T00:00:00Z"}))
        .unwrap()
    }

    fn rotation(by: &str, before: &str) -> Rotation {
        let written_by = (by != "Generator").then_some(ESO);
        serde_json::from_value(json!({"by": by, "before": before, "asked": "2026-03-01T00:00:05Z",
            "written": "2026-03-01T00:00:10Z", "writtenBy": written_by}))
        .unwrap()
    }

    #[test]
    fn what_a_secrets_metadata_says_of_its_new_value() {
        let (password, user) = (json!({"f:password": {}}), json!({"f:username": {}}));
        let old = secrets::told_by(&secret("s1", "old", &[])).unwrap();
        let before = format!("{old} 2026-01-01T00:00:00Z");
        let eso = || rotation("ExternalSecrets", &before);
        let ours = || rotation("Generator", "");
        for (what, live, rotation, expected) in [
            ("as it was", secret("s1", "new", &[entry(ESO, 10, &password)]), eso(), "refused"),
            ("fetched once more", secret("s1", "newer", &[entry(ESO, 50, &password)]), eso(), "refused"),
            ("the old value, by its digest", secret("s1", "old", &[entry(ESO, 50, &password)]), eso(), "again"),
            ("by hand", secret("s1", "new", &[entry("kubectl-edit", 50, &password)]), eso(), "untold"),
            ("another Secret", secret("s2", "new", &[entry(ESO, 10, &password)]), eso(), "untold"),
            ("by us", secret("s1", "", &[entry(rotate::MANAGER, 10, &password)]), ours(), "refused"),
            (
                "a key that was not rotated",
                secret("s1", "", &[entry(rotate::MANAGER, 10, &password), entry("helm", 50, &user)]),
                ours(),
                "refused",
            ),
            ("the key that was", secret("s1", "", &[entry("helm", 50, &password)]), ours(), "untold"),
        ] {
            let word = match standing(&live, &target(), &rotation) {
                Told::Refused => "refused",
                Told::Again(_) => "again",
                Told::Untold(_) => "untold",
            };
            assert_eq!(word, expected, "{what}");
        }
    }
}
