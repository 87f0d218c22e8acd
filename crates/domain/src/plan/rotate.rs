//! Secrets with the leaver's owner annotation: which of them get a new value, and which remain and why.

use jiff::Timestamp;

use super::{Action, ClusterInventory, Draft, Kind, Protected, Remaining, RemainingReason, Target, described, reach};
use crate::handover::Nominated;
use crate::marks;
use crate::ownership::{Claim, Index, PersonFacts};
use crate::rotation::Way;

/// A Secret that carries an owner annotation, by its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Its owner annotation.
    pub owner: String,
    /// Who its annotations say comes next.
    pub next: Nominated,
    /// When the annotation was written, if that was after the Secret was made; as far as its own record says.
    pub marked: Option<Timestamp>,
    /// How it gets a new value, if anybody can give it one.
    pub way: Option<Way>,
    /// Whether it holds the token of an account, with which it goes.
    pub token: bool,
    /// Whether it carries the break-glass label.
    pub break_glass: bool,
}

/// Uids of Secrets that stood without an owner until shortly before an exit that was noticed at `notice`: the annotation may be a
/// leaver's way of having somebody else's Secret overwritten, and is not acted on without an approval.
pub fn fresh<'a>(secrets: impl IntoIterator<Item = &'a Secret>, notice: Timestamp) -> impl Iterator<Item = String> {
    let lately = move |secret: &&Secret| secret.marked.is_some_and(|marked| marked > marks::before(notice));
    secrets.into_iter().filter(lately).map(|secret| secret.uid.clone())
}

/// Takes what is theirs into the plan.
pub(super) fn draw(
    draft: &mut Draft,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) {
    let claimed = |secret: &&Secret| !secret.token && index.claim(&secret.owner, person) != Claim::NotTheirs;
    for secret in world.secrets.iter().filter(claimed) {
        match left_alone(secret, person, index, world, protected) {
            Some(why) => {
                // Of what is theirs and stays, it is said whose it could be; of all else that is not this plan's to say.
                let stays = [
                    RemainingReason::SecretContents,
                    RemainingReason::NoConsentToRotate,
                    RemainingReason::NothingRotates,
                ];
                let heir = world.heirs.get(&secret.uid).filter(|_| stays.contains(&why)).cloned().flatten();
                let what = described(Kind::Secret, &secret.namespace, &secret.name);
                draft.remaining.insert(Remaining { what, why, heir });
            }
            None => draft.act(Target {
                action: Action::Rotate,
                kind: Kind::Secret,
                namespace: secret.namespace.clone(),
                name: secret.name.clone(),
                uid: secret.uid.clone(),
                heir: None,
                why: "its owner annotation names this person alone".to_owned(),
            }),
        }
    }
}

/// Why a Secret is left as it is; `None` if it is this person's alone, in reach, to be rotated, and can be.
#[must_use]
pub fn left_alone(
    secret: &Secret,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    match index.claim(&secret.owner, person) {
        Claim::Theirs if reach::another_is_protected(person, index, protected) => {
            return Some(RemainingReason::Protected);
        }
        Claim::Theirs => {}
        Claim::Ambiguous => return Some(RemainingReason::AmbiguousMark),
        Claim::WorksHere => return Some(RemainingReason::WorksHere),
        Claim::NotTheirs => return Some(RemainingReason::HandedOver),
    }
    if world.fresh.contains(&secret.uid) {
        return Some(RemainingReason::FreshMark);
    }
    if reach::is_system(&secret.namespace, &world.own_namespaces) || secret.name.starts_with(reach::SYSTEM_NAME) {
        return Some(RemainingReason::SystemNamespace);
    }
    if secret.break_glass || protected.namespaces.contains(&secret.namespace) {
        return Some(RemainingReason::Protected);
    }
    if !protected.rotate || secret.token {
        return Some(RemainingReason::SecretContents);
    }
    if !world.consents.get(&secret.namespace).is_some_and(|consent| consent.rotate) {
        return Some(RemainingReason::NoConsentToRotate);
    }
    secret.way.is_none().then_some(RemainingReason::NothingRotates)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Consent, Plan, cut};
    use super::*;
    use crate::ownership::tests::person;

    fn secret(owner: &str) -> Secret {
        Secret {
            namespace: "team-a".into(),
            name: "db".into(),
            uid: "uid-db".into(),
            owner: owner.into(),
            next: Nominated::default(),
            marked: None,
            way: Some(Way::Certificate { name: "db".into() }),
            token: false,
            break_glass: false,
        }
    }

    fn drawn(secret: Secret, rotate: bool) -> Plan {
        let both = |mut one: PersonFacts| {
            one.aliases.push("email:shared@example.com".into());
            one
        };
        let eve = |id: &str| PersonFacts { address: Some("eve@example.com".into()), ..person(id) };
        let ada = PersonFacts { left: Some(jiff::Timestamp::UNIX_EPOCH), ..both(person("ada")) };
        let index = Index::new(vec![ada.clone(), both(person("ben")), eve("eve"), eve("eve-again")]);
        let consent = |rotate| Consent { accounts: true, rotate, ..Consent::default() };
        let world = ClusterInventory {
            fresh: fresh([&secret], "2026-03-31T00:00:00Z".parse().unwrap()).collect(),
            secrets: vec![secret],
            consents: BTreeMap::from([("team-a".into(), consent(true)), ("team-b".into(), consent(false))]),
            own_namespaces: vec!["rollcall".into()],
            ..ClusterInventory::default()
        };
        cut(&ada, "rule", &index, &world, &Protected { rotate, ..Protected::default() })
    }

    #[test]
    fn a_secret_of_the_leaver_alone_that_somebody_can_rotate_is_a_target_and_any_other_remains_with_its_reason() {
        use RemainingReason as R;
        let ada = || secret("ada@example.com");
        let of = |change: fn(&mut Secret)| {
            let mut one = ada();
            change(&mut one);
            one
        };
        let cases: Vec<(&str, Secret, bool, Option<R>)> = vec![
            ("hers", ada(), true, None),
            ("hers, and the policy only reports", ada(), false, Some(R::SecretContents)),
            ("of two people", secret("shared@example.com"), true, Some(R::AmbiguousMark)),
            ("without consent", of(|one| one.namespace = "team-b".into()), true, Some(R::NoConsentToRotate)),
            ("where nobody was asked", of(|one| one.namespace = "team-c".into()), true, Some(R::NoConsentToRotate)),
            (
                "marked ten days before",
                of(|one| one.marked = "2026-03-21T00:00:00Z".parse().ok()),
                true,
                Some(R::FreshMark),
            ),
            ("marked long before", of(|one| one.marked = "2026-01-21T00:00:00Z".parse().ok()), true, None),
            ("nobody manages it", of(|one| one.way = None), true, Some(R::NothingRotates)),
            ("break-glass", of(|one| one.break_glass = true), true, Some(R::Protected)),
            ("the system's", of(|one| one.namespace = "kube-system".into()), true, Some(R::SystemNamespace)),
            ("Rollcall's", of(|one| one.namespace = "rollcall".into()), true, Some(R::SystemNamespace)),
        ];
        for (what, secret, rotate, expected) in cases {
            let plan = drawn(secret, rotate);
            let acts: Vec<_> = plan.targets.iter().map(|target| (target.action, target.kind)).collect();
            assert_eq!(plan.remaining.first().map(|left| left.why), expected, "{what}");
            let rotates = if expected.is_none() { vec![(Action::Rotate, Kind::Secret)] } else { vec![] };
            assert_eq!(acts, rotates, "{what}");
        }
    }

    #[test]
    fn what_holds_the_token_of_an_account_or_is_somebody_elses_is_not_in_the_plan() {
        for (what, secret) in [
            ("a token", Secret { token: true, ..secret("ada@example.com") }),
            ("Ben's", secret("ben@example.com")),
            ("nobody's who is known", secret("eve-of-old@example.com")),
        ] {
            let plan = drawn(secret, true);
            assert!(plan.targets.is_empty() && plan.remaining.is_empty(), "{what}");
        }
    }
}
