//! A credential that its source refused: once a Secret of the connection is another one, the source is read at once.
//!
//! Only the metadata of the Secrets is looked at, and only while the source refuses: sync may neither list nor watch
//! Secrets. What was refused is kept in memory, so that after a start the schedule decides.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Api;

use crate::api::HRConnection;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::sync::{Context, source};

/// How often the Secrets are looked at.
pub const LOOK: Duration = Duration::from_secs(30);

/// Uid and version of each Secret by name; absent ones have none.
pub type Versions = Vec<(String, Option<String>)>;

/// The versions that a source refused, by uid of the connection.
#[derive(Default)]
pub struct Refused(Mutex<HashMap<String, Versions>>);

impl Refused {
    /// Notes what a poll found out: the versions it used, if the source refused them.
    pub fn note(&self, connection: &HRConnection, used: Versions, refused: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = connection.uid().unwrap_or_default();
        if refused {
            all.insert(uid, used)
        } else {
            all.remove(&uid)
        };
    }

    /// Whether the source refused what this connection used last.
    pub fn any(&self, connection: &HRConnection) -> bool {
        self.versions(connection).is_some()
    }

    /// Whether the Secrets are others now than those that were refused.
    pub fn corrected(&self, connection: &HRConnection, now: &Versions) -> bool {
        self.versions(connection).is_some_and(|refused| refused != *now)
    }

    fn versions(&self, connection: &HRConnection) -> Option<Versions> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&connection.uid().unwrap_or_default()).cloned()
    }
}

/// The versions of the Secrets that a connection names, as they are now.
///
/// # Errors
/// When the API server does not say.
pub async fn versions(ctx: &Context, connection: &HRConnection) -> Result<Versions, Fault> {
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &ctx.namespace);
    let mut versions = Vec::new();
    for name in source::named(&connection.spec).secrets {
        let found = call("look at the credentials", secrets.get_metadata_opt(name)).await?;
        let version = found.map(|secret| {
            format!("{}/{}", secret.uid().unwrap_or_default(), secret.resource_version().unwrap_or_default())
        });
        versions.push((name.to_owned(), version));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_credential_is_corrected_once_its_secret_is_another_one() {
        let connection: HRConnection = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "hq", "uid": "u-1"},
            "spec": {"source": {}, "schedule": {"every": "1h"}},
        }))
        .unwrap();
        let at = |version: Option<&str>| vec![("hr".to_owned(), version.map(str::to_owned))];
        let refused = Refused::default();
        assert!(!refused.any(&connection) && !refused.corrected(&connection, &at(Some("u/2"))), "nothing was refused");
        refused.note(&connection, at(Some("u/1")), true);
        assert!(refused.any(&connection));
        for (situation, now, corrected) in [
            ("the same", at(Some("u/1")), false),
            ("changed", at(Some("u/2")), true),
            ("made again", at(Some("v/1")), true),
            ("deleted", at(None), true),
        ] {
            assert_eq!(refused.corrected(&connection, &now), corrected, "{situation}");
        }
        refused.note(&connection, at(Some("u/2")), false);
        assert!(!refused.any(&connection), "the source took it");
    }
}
