//! Who may push for which connection: bearer tokens, compared without telling by time how much of one was right.
//!
//! Digests of the tokens are kept, and read again in the background, so that a request never waits for a Secret, and the answer to a
//! token for a connection that is not there takes as long as that to a wrong one.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::api::{HRConnection, names};
use crate::kube::calls::call;
use crate::kube::named::Api;

/// How long tokens are accepted of a Secret that cannot be read.
pub(super) const UNREAD: Duration = Duration::from_secs(300);

/// What is known of a token.
pub type Print = [u8; 32];

/// A connection that a token was accepted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub connection: String,
    /// Its uid.
    pub uid: String,
}

#[derive(Clone, Debug)]
struct Entry {
    uid: String,
    prints: Vec<Print>,
    read: Instant,
}

/// The tokens of all connections, by name.
#[derive(Debug, Default)]
pub struct Tokens(RwLock<BTreeMap<String, Entry>>);

/// The digest of a token.
#[must_use]
pub fn print(token: &[u8]) -> Print {
    Sha256::digest(token).into()
}

/// Whether two digests are the same, in the same time whether they are or not.
fn same(one: &Print, other: &Print) -> bool {
    one.iter().zip(other).fold(0_u8, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// The digests of a Secret's tokens. Short ones are none: `rollcall sync` says so on the connection.
#[must_use]
pub fn prints(secret: &Secret) -> Vec<Print> {
    let tokens = secret.data.iter().flatten().map(|(_, value)| trimmed(&value.0));
    tokens.filter(|token| token.len() >= names::SHORTEST_TOKEN).take(names::MOST_TOKENS).map(print).collect()
}

/// A value of a Secret without the line end that a file has.
pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    value.get(..end).unwrap_or_default()
}

impl Tokens {
    /// The connection that this token may push for, if it is the one that is named. All tokens of it are compared, whatever the first
    /// says; where there is none, one that nobody has.
    #[must_use]
    pub fn accepts(&self, connection: &str, token: &str, now: Instant) -> Option<Accepted> {
        let shown = print(token.as_bytes());
        let all = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let entry = all.get(connection).filter(|entry| now.saturating_duration_since(entry.read) < UNREAD);
        let nobody = [[0; 32]];
        let prints = entry.map_or(nobody.as_slice(), |entry| entry.prints.as_slice());
        let found = prints.iter().fold(false, |found, print| same(print, &shown) | found);
        entry.filter(|_| found).map(|entry| Accepted { connection: connection.to_owned(), uid: entry.uid.clone() })
    }

    /// Puts what was read of a connection's Secret in the place of what was known.
    pub fn put(&self, connection: &str, uid: &str, prints: Vec<Print>, now: Instant) {
        let entry = Entry { uid: uid.to_owned(), prints, read: now };
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(connection.to_owned(), entry);
    }

    /// Forgets connections that are not among these.
    fn keep(&self, named: &[Arc<HRConnection>]) {
        let is_named = |name: &str, entry: &Entry| {
            named.iter().any(|one| one.name_any() == name && one.uid().as_deref() == Some(entry.uid.as_str()))
        };
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).retain(|name, entry| is_named(name, entry));
    }

    /// Reads the Secrets of all connections that are pushed to, and forgets those that are not.
    pub async fn refresh(&self, secrets: &Api<Secret>, connections: &[Arc<HRConnection>]) {
        let pushed: Vec<_> = connections.iter().filter(|one| one.spec.source.scim.is_some()).cloned().collect();
        self.keep(&pushed);
        for connection in &pushed {
            let (Some(scim), name) = (&connection.spec.source.scim, connection.name_any()) else { continue };
            let uid = connection.uid().unwrap_or_default();
            match call("read the tokens", secrets.get_opt(&scim.credentials_ref.name)).await {
                Ok(secret) => self.put(&name, &uid, secret.as_ref().map(prints).unwrap_or_default(), Instant::now()),
                Err(fault) => {
                    tracing::warn!(connection = name, %fault, "tokens not read; is the Secret in scim.tokenSecrets?")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_accepted_for_its_own_connection_and_for_no_other() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        tokens.put("okta", "u1", vec![print(b"new"), print(b"old")], now);
        tokens.put("entra", "u2", vec![print(b"entra")], now);
        tokens.put("bare", "u3", vec![], now);
        for (connection, token, expected) in [
            ("okta", "new", Some("u1")),
            ("okta", "old", Some("u1")),
            ("okta", "entra", None),
            ("entra", "new", None),
            ("bare", "", None),
            ("okta", "", None),
            ("nowhere", "new", None),
            ("", "", None),
        ] {
            let accepted = tokens.accepts(connection, token, now).map(|client| client.uid);
            assert_eq!(accepted.as_deref(), expected, "{connection} {token}");
        }
        assert_eq!(
            tokens.accepts("okta", "new", now + UNREAD),
            None,
            "of a Secret that was not read for long, none is"
        );
    }

    #[test]
    fn a_line_end_is_no_part_of_a_token_and_a_short_one_is_none() {
        let long = "t".repeat(names::SHORTEST_TOKEN);
        let secret = |value: &str| Secret {
            data: Some([("a".to_owned(), k8s_openapi::ByteString(value.as_bytes().to_vec()))].into()),
            ..Secret::default()
        };
        assert_eq!(prints(&secret(&format!("{long}\n"))), vec![print(long.as_bytes())]);
        assert_eq!(prints(&secret("short")), Vec::<Print>::new());
        assert_eq!(prints(&secret(&"\n".repeat(40))), Vec::<Print>::new());
    }
}
