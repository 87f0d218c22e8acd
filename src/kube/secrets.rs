//! Secrets, by their metadata: whose they are, and how they get a new value. Their contents are never asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::ObjectMeta;
use sha2::{Digest, Sha256};

use super::inventory;
use crate::api::names;
use domain::plan::rotate::Secret;
use domain::rotation::kept::Writer;
use domain::rotation::{self, ESO_HASH, Owner};

/// Hex digits that tell one value from another: enough for that, and too few to try passwords on.
const DIGITS: usize = 8;
/// What is written so soon after a Secret was made belongs to its making.
const MADE: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
/// Where the managedFields of a Secret have its contents.
const DATA_FIELD: [&str; 1] = ["f:data"];
/// Where they have external-secrets' own digest, which it writes together with the contents.
const HASH_FIELD: [&str; 3] = ["f:metadata", "f:annotations", "f:reconcile.external-secrets.io/data-hash"];

/// The annotated Secret that this metadata describes; `None` without an owner annotation.
#[must_use]
pub fn owned(meta: &ObjectMeta) -> Option<Secret> {
    let annotations = meta.annotations.as_ref()?;
    Some(Secret {
        namespace: meta.namespace.clone()?,
        name: meta.name.clone()?,
        uid: meta.uid.clone()?,
        owner: annotations.get(names::OWNER)?.clone(),
        next: inventory::nominated(annotations),
        marked: marked(meta),
        way: way(meta),
        token: annotations.contains_key(names::TOKEN_OF),
        break_glass: meta.labels.as_ref().is_some_and(|labels| labels.contains_key(names::BREAK_GLASS)),
    })
}

/// When its owner annotation was set, if it stood without one before. Its own record moves with every write of the same manager, so
/// this may be later than it was, and is never earlier.
fn marked(meta: &ObjectMeta) -> Option<Timestamp> {
    let made = meta.creation_timestamp.as_ref()?.0;
    inventory::written_at(meta, &inventory::OWNER_FIELD).filter(|at| at.duration_since(made) > MADE)
}

/// Who or what gives it a new value.
#[must_use]
pub fn way(meta: &ObjectMeta) -> Option<rotation::Way> {
    let none = BTreeMap::new();
    let owners = meta.owner_references.iter().flatten().map(|owner| Owner {
        api_version: owner.api_version.clone(),
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
    });
    let owners: Vec<Owner> = owners.collect();
    rotation::way(meta.labels.as_ref().unwrap_or(&none), meta.annotations.as_ref().unwrap_or(&none), &owners)
}

/// What tells the value that external-secrets wrote from another: a few digits of a digest of its own.
#[must_use]
pub fn told_by(meta: &ObjectMeta) -> Option<String> {
    let hash = meta.annotations.as_ref()?.get(ESO_HASH)?;
    let digest = Sha256::digest(format!("{}\0{hash}", meta.uid.as_deref().unwrap_or_default()).as_bytes());
    Some(data_encoding::HEXLOWER.encode(&digest).chars().take(DIGITS).collect())
}

/// When its contents were last written, by its own record; when it was made, if that does not say.
#[must_use]
pub fn written(meta: &ObjectMeta) -> Option<Timestamp> {
    inventory::since(meta, &DATA_FIELD)
}

/// The field manager that gave it the value that it has, by its own record: external-secrets by the digest that it writes, since another one
/// may have written contents over it by now; else who last wrote contents.
#[must_use]
pub fn rotated_by(meta: &ObjectMeta) -> Option<String> {
    inventory::written_by(meta, &HASH_FIELD).or_else(|| inventory::written_by(meta, &DATA_FIELD))
}

/// Who wrote which of its contents, by its own record. What was applied as `stringData` is there under that name, and never under `data`.
#[must_use]
pub fn writers(meta: &ObjectMeta) -> Vec<Writer> {
    let entries = meta.managed_fields.iter().flatten();
    let each = entries.map(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let of = |part: &str| fields.and_then(|fields| fields.get(part)?.as_object());
        let keys = [of("f:data"), of("f:stringData")].into_iter().flatten().flat_map(|keys| keys.keys());
        Writer {
            manager: entry.manager.clone().unwrap_or_default(),
            at: entry.time.as_ref().map(|time| time.0),
            keys: keys.filter_map(|key| key.strip_prefix("f:").map(str::to_owned)).collect(),
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn meta(change: &Value) -> ObjectMeta {
        let mut meta = json!({
            "name": "db", "namespace": "apps", "uid": "u-1", "creationTimestamp": "2026-03-01T00:00:00Z",
            "annotations": {names::OWNER: "id:hq/7"},
        });
        crate::api::merge(&mut meta, change);
        serde_json::from_value(meta).unwrap()
    }

    #[test]
    fn a_value_is_told_from_another_without_anything_to_guess_it_by() {
        let hash = |hash: &str| told_by(&meta(&json!({"annotations": {ESO_HASH: hash}}))).unwrap();
        assert_ne!(hash("a"), hash("b"));
        assert_eq!((hash("a"), hash("a").len()), (hash("a"), DIGITS));
        assert_eq!(told_by(&meta(&json!({}))), None);
    }

    #[test]
    fn the_value_is_as_old_as_its_last_write_and_not_as_the_last_annotation() {
        let entry = |time: &str, fields: Value| json!({"manager": "m", "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields});
        let data = entry("2026-03-02T00:00:00Z", json!({"f:data": {"f:password": {}}}));
        let note = entry("2026-03-03T00:00:00Z", json!({"f:metadata": {"f:annotations": {}}}));
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(written(&meta(&json!({"managedFields": [data, note]}))), at("2026-03-02T00:00:00Z"));
        assert_eq!(written(&meta(&json!({}))), at("2026-03-01T00:00:00Z"));
    }

    #[test]
    fn who_rotated_a_value_is_not_who_has_written_over_it_within_a_moment() {
        let entry = |manager: &str, second: u32, fields: Value| json!({"manager": manager, "operation": "Update", "time": format!("2026-03-02T00:00:{second:02}Z"), "fieldsType": "FieldsV1", "fieldsV1": fields});
        let hash = json!({"f:metadata": {"f:annotations": {format!("f:{ESO_HASH}"): {}}}});
        let data = || json!({"f:data": {".": {}, "f:password": {}}});
        let by = |entries: Value| rotated_by(&meta(&json!({"managedFields": entries})));
        let overwritten = json!([entry("external-secrets", 1, hash), entry("kubectl-edit", 2, data())]);
        assert_eq!(by(overwritten).as_deref(), Some("external-secrets"));
        assert_eq!(by(json!([entry("cert-manager", 1, data())])).as_deref(), Some("cert-manager"), "no digest");
        assert_eq!(by(json!([])), None);
    }

    #[test]
    fn who_wrote_which_key_is_said_by_the_record_and_what_was_applied_as_text_counts() {
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Apply", "time": "2026-03-02T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields});
        let meta = meta(&json!({"managedFields": [
            entry("cert-manager", json!({"f:data": {".": {}, "f:tls.crt": {}, "f:tls.key": {}}, "f:type": {}})),
            entry("flux", json!({"f:stringData": {"f:password": {}}})),
            entry("kubectl", json!({"f:metadata": {"f:annotations": {"f:data": {}}}})),
        ]}));
        let said: Vec<(String, Vec<String>)> =
            writers(&meta).into_iter().map(|one| (one.manager, one.keys.into_iter().collect())).collect();
        let of =
            |manager: &str, keys: &[&str]| (manager.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(said, [of("cert-manager", &["tls.crt", "tls.key"]), of("flux", &["password"]), of("kubectl", &[])]);
    }

    #[test]
    fn a_secret_says_when_its_owner_was_set_only_where_it_stood_without_one() {
        let entry = |time: &str| {
            json!({"manager": "m", "operation": "Update", "time": time, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:annotations": {"f:rollcall.dev/owner": {}}}}})
        };
        let marked = |time: &str| owned(&meta(&json!({"managedFields": [entry(time)]}))).unwrap().marked;
        assert_eq!(marked("2026-03-01T00:00:05Z"), None, "as it was made");
        assert_eq!(marked("2026-03-05T00:00:00Z"), Some("2026-03-05T00:00:00Z".parse().unwrap()));
        assert_eq!(owned(&meta(&json!({}))).unwrap().marked, None, "nothing is said");
    }

    #[test]
    fn a_token_of_an_account_is_known_by_its_annotation() {
        assert_eq!(owned(&meta(&json!({}))).map(|secret| (secret.token, secret.way)), Some((false, None)));
        assert!(owned(&meta(&json!({"annotations": {names::TOKEN_OF: "ci"}}))).unwrap().token);
        assert_eq!(owned(&meta(&json!({"annotations": null}))), None);
    }
}
