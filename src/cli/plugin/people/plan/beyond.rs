//! What somebody reaches beyond the plan: client certificates, groups, Secrets, what is open. None of it ends by a cut, so
//! all of it is listed, with its end where Kubernetes shows one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::api::ObjectMeta;
use serde::Serialize;

use super::certificates::{Certificate, Signed};
use super::forecast::View;
use super::seen::Seen;
use crate::api::names;
use crate::kube::rbac;
use domain::exposure::{self, Exposed, Tier};
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{self, Account, Kind};
use domain::rbac::{RoleBound, Who};

/// Something that goes on working.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// What.
    pub what: String,
    /// Why, by its word.
    pub why: String,
    /// Until when, where Kubernetes shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What to do.
    pub advice: String,
    /// What uses it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<String>,
}

/// Secrets that somebody could read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readable {
    /// How: `Named`, `Namespace`, `Exec` or `Cluster`.
    pub tier: &'static str,
    /// The namespace; none for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name; of `Exec` none stands for whatever pods use there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many there are, where the caller may count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<usize>,
}

/// Why something goes on working that no plan is drawn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// A certificate of one of their user names.
    ClientCertificate,
    /// A certificate of another name, for which they made the request and so have the key.
    CertificateOfAnotherName,
    /// A certificate in the group that nothing refuses.
    SystemMasters,
    /// A request that somebody may still sign.
    CertificateRequested,
    /// Rights that a group gives.
    ThroughGroup,
    /// A Secret with their owner annotation.
    SecretContents,
    /// A bootstrap token with their owner annotation.
    BootstrapToken,
    /// What was opened before.
    OpenSessions,
}

impl Beyond {
    /// Every one.
    #[cfg(test)]
    const ALL: [Self; 8] = [
        Self::ClientCertificate,
        Self::CertificateOfAnotherName,
        Self::SystemMasters,
        Self::CertificateRequested,
        Self::ThroughGroup,
        Self::SecretContents,
        Self::BootstrapToken,
        Self::OpenSessions,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCertificate => "ClientCertificate",
            Self::CertificateOfAnotherName => "CertificateOfAnotherName",
            Self::SystemMasters => "SystemMasters",
            Self::CertificateRequested => "CertificateRequested",
            Self::ThroughGroup => "ThroughGroup",
            Self::SecretContents => "SecretContents",
            Self::BootstrapToken => "BootstrapToken",
            Self::OpenSessions => "OpenSessions",
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ClientCertificate => {
                "Kubernetes cannot revoke a certificate. The API server knows the user until it ends; what the user may do ends with their bindings."
            }
            Self::CertificateOfAnotherName => {
                "They requested it, so they have its key, and it is another user's name. Find out why; end that user's bindings if it is right."
            }
            Self::SystemMasters => {
                "The group system:masters is asked for no right, so nothing but another authority of the cluster ends it before its end."
            }
            Self::CertificateRequested => "Deny it before they leave: kubectl certificate deny NAME.",
            Self::ThroughGroup => {
                "Take them out of the group at the identity provider. A certificate that says the group keeps it until its end, unless the binding goes."
            }
            Self::SecretContents => {
                "Rollcall changes no Secret: whatever was copied from it works until it is rotated where it is valid."
            }
            Self::BootstrapToken => "Delete it by hand: kubectl -n kube-system delete secret NAME.",
            Self::OpenSessions => {
                "A watch, exec, attach or port-forward that is open goes on until it is closed: replace the pods they were in, or restart the API server's connections."
            }
        }
    }

    fn left(self, what: String, until: Option<Timestamp>) -> Left {
        Left { what, why: self.as_str().to_owned(), until, advice: self.advice().to_owned(), consumers: Vec::new() }
    }
}

/// Everything beyond the plan that goes on.
pub fn left(view: &View<'_>, person: &PersonFacts) -> Vec<Left> {
    let (seen, index) = (view.seen, view.seen.owned.of(person, &BTreeSet::new()).index);
    let certificates = certificates(seen, person, &index, view.now);
    let mut left: Vec<Left> = certificates.iter().map(|one| one.kind.left(one.what(), one.until)).collect();
    left.extend(through_groups(seen, &certificates));
    left.extend(secrets(seen, person, &index));
    left.push(Beyond::OpenSessions.left("open watches, exec, attach and port-forward".to_owned(), None));
    left
}

/// A certificate, or a request for one, that is this person's business.
struct Found<'a> {
    kind: Beyond,
    certificate: &'a Certificate,
    until: Option<Timestamp>,
}

impl Found<'_> {
    fn what(&self) -> String {
        format!("CertificateSigningRequest {}", self.certificate.request)
    }
}

fn certificates<'a>(seen: &'a Seen, person: &PersonFacts, index: &Index, now: Timestamp) -> Vec<Found<'a>> {
    let accounts = rbac::accounts_of(person, index, &accounts(seen, person));
    let theirs = |name: &str| match rbac::user(name) {
        Who::User(name) => index.user_claim(&name, person) != Claim::NotTheirs,
        who => accounts.contains(&who),
    };
    let found = seen.certificates.iter().flatten().filter_map(|certificate| {
        let named = certificate.user.as_deref().is_some_and(theirs);
        if !named && !theirs(&certificate.requestor) {
            return None;
        }
        let (kind, until) = match certificate.signed {
            Signed::NotYet => (Beyond::CertificateRequested, None),
            Signed::Until(Some(end)) if end <= now => return None,
            Signed::Until(end) if certificate.groups.contains("system:masters") => (Beyond::SystemMasters, end),
            Signed::Until(end) if named => (Beyond::ClientCertificate, end),
            Signed::Until(end) => (Beyond::CertificateOfAnotherName, end),
        };
        Some(Found { kind, certificate, until })
    });
    found.collect()
}

/// Bindings of the groups that their certificates say; until the last of these ends.
fn through_groups(seen: &Seen, certificates: &[Found<'_>]) -> Vec<Left> {
    let mut groups: BTreeMap<Who, Option<Timestamp>> = BTreeMap::new();
    for found in certificates.iter().filter(|found| found.kind != Beyond::CertificateRequested) {
        for group in &found.certificate.groups {
            let until = groups.entry(Who::Group(group.clone())).or_default();
            *until = (*until).max(found.until);
        }
    }
    let who: BTreeSet<Who> = groups.keys().cloned().collect();
    let bindings = seen.rbac.iter().flat_map(|rbac| rbac.bindings_of(&who));
    let left = bindings.map(|binding| {
        let until = binding.subjects.iter().filter_map(|subject| groups.get(subject).copied()).max().flatten();
        Beyond::ThroughGroup.left(described(binding), until)
    });
    left.collect()
}

fn described(binding: &RoleBound) -> String {
    let kind = if binding.namespace.is_empty() { Kind::ClusterRoleBinding } else { Kind::RoleBinding };
    plan::described(kind, &binding.namespace, &binding.name)
}

/// Secrets with their owner annotation. One that holds the token of an account goes with the account, and is no access of its own.
fn secrets(seen: &Seen, person: &PersonFacts, index: &Index) -> Vec<Left> {
    let theirs = |meta: &&ObjectMeta| {
        let notes = meta.annotations.as_ref();
        let owner = notes.and_then(|notes| notes.get(names::OWNER));
        owner.is_some_and(|owner| index.claim(owner, person) != Claim::NotTheirs)
            && notes.is_none_or(|notes| !notes.contains_key(names::TOKEN_OF))
    };
    // Where control lists Secrets, the plan says what becomes of them.
    let planned = |meta: &&ObjectMeta| {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        seen.consents.get(namespace).is_some_and(|(_, listed)| *listed)
    };
    let left = seen.secrets.iter().flatten().filter(theirs).filter(|meta| !planned(meta)).map(|meta| {
        let (namespace, name) =
            (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        // Kubernetes takes a Secret for a bootstrap token by this name alone.
        let bootstrap = namespace == "kube-system" && name.starts_with("bootstrap-token-");
        let kind = if bootstrap { Beyond::BootstrapToken } else { Beyond::SecretContents };
        kind.left(format!("Secret {namespace}/{name}"), None)
    });
    left.collect()
}

/// Secrets that they could read: by RBAC, as themselves, through the groups that are known of them and as their accounts; and in pods
/// that they could run something in.
pub fn readable(seen: &Seen, person: &PersonFacts) -> Vec<Readable> {
    let Some(rbac) = &seen.rbac else { return Vec::new() };
    let belongings = seen.owned.of(person, &BTreeSet::new());
    let (index, accounts) = (&belongings.index, accounts(seen, person));
    let mut who = rbac::everything_of(person, index, &accounts, rbac);
    let signed = seen.certificates.iter().flatten().filter(|one| one.signed != Signed::NotYet);
    let theirs =
        signed.filter(|one| one.user.as_deref().is_some_and(|name| index.user_claim(name, person) != Claim::NotTheirs));
    who.extend(theirs.flat_map(|one| one.groups.iter().cloned().map(Who::Group)));
    let rows = exposure::exposed(rbac, &who, &seen.used());
    rows.into_iter().take(exposure::MAX_ROWS).map(|row| told(row, seen)).collect()
}

fn told(row: Exposed, seen: &Seen) -> Readable {
    let counts = row.name.is_empty() && row.tier != Tier::Exec;
    let inside =
        |meta: &&ObjectMeta| row.namespace.is_empty() || meta.namespace.as_deref() == Some(row.namespace.as_str());
    let secrets = seen.secrets.as_ref().filter(|_| counts).map(|secrets| secrets.iter().filter(inside).count());
    let (namespace, name) = (Some(row.namespace), Some(row.name));
    let some = |word: Option<String>| word.filter(|word| !word.is_empty());
    Readable { tier: row.tier.as_str(), namespace: some(namespace), name: some(name), secrets }
}

/// Accounts that mention them.
fn accounts(seen: &Seen, person: &PersonFacts) -> Vec<Account> {
    seen.owned.of(person, &BTreeSet::new()).accounts.into_iter().map(|account| account.object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_beyond_the_plan_is_documented() {
        let page = include_str!("../../../../../docs/people.md");
        for reason in Beyond::ALL {
            assert!(page.contains(&format!("| `{}` |", reason.as_str())), "{}", reason.as_str());
        }
    }
}
