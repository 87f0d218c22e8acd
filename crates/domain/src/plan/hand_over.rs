//! Accounts of a leaver that workloads run as: which are handed over to their next owner, and which remain.
//!
//! A hand-over is a new account of the same name: every token issued before is refused, also those that the leaver copied out of a pod,
//! and what runs is replaced. It acts only once approved, and what is approved is the next owner too.

use super::{Account, Action, ClusterInventory, Draft, Kind, Remaining, RemainingReason, Target, of_account};

/// Takes an account that workloads run as, and that is this person's alone and in reach, into the plan.
pub(super) fn draw(draft: &mut Draft, account: &Account, world: &ClusterInventory) {
    let what = of_account(account);
    let consents = world.consents.get(&account.namespace).is_some_and(|consent| consent.workloads);
    let acts = world.hands_over && consents && !world.fresh.contains(&account.uid);
    match world.heirs.get(&account.uid) {
        None => draft.leave(what, RemainingReason::WorkloadAccount),
        Some(None) if !consents => draft.leave(what, RemainingReason::WorkloadAccount),
        Some(None) => draft.leave(what, RemainingReason::OwnerVacant),
        Some(Some(heir)) if acts => draft.act(Target {
            action: Action::HandOver,
            kind: Kind::ServiceAccount,
            namespace: account.namespace.clone(),
            name: account.name.clone(),
            uid: account.uid.clone(),
            heir: Some(heir.owner.clone()),
            why: format!("workloads run as it, and its next owner is {}, by {}", heir.owner, heir.by.words()),
        }),
        Some(Some(heir)) => {
            let heir = Some(heir.clone());
            draft.remaining.insert(Remaining { what, why: RemainingReason::WorkloadAccount, heir });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::{Consent, Plan, Protected, cut};
    use super::*;
    use crate::handover::{Heir, Nominated, Rule};
    use crate::ownership::tests::person;
    use crate::ownership::{Index, PersonFacts};

    fn drawn(heirs: Option<Option<Heir>>, consents: bool, hands_over: bool, fresh: bool) -> Plan {
        let ada = PersonFacts { left: Some(jiff::Timestamp::UNIX_EPOCH), ..person("ada") };
        let account = Account {
            namespace: "team-a".into(),
            name: "web".into(),
            uid: "uid-web".into(),
            owner: "id:hq/ada".into(),
            next: Nominated::default(),
            purpose: None,
            break_glass: false,
        };
        let consent = Consent { accounts: true, workloads: consents, ..Consent::default() };
        let world = ClusterInventory {
            accounts: vec![account],
            consumers: BTreeMap::from([("team-a".into(), BTreeSet::from(["web".into()]))]),
            consents: BTreeMap::from([("team-a".into(), consent)]),
            fresh: fresh.then(|| "uid-web".to_owned()).into_iter().collect(),
            heirs: heirs.map(|heir| ("uid-web".to_owned(), heir)).into_iter().collect(),
            hands_over,
            ..ClusterInventory::default()
        };
        cut(&ada, "rule", &Index::new(vec![ada.clone(), person("bea")]), &world, &Protected::default())
    }

    fn heir(owner: &str) -> Option<Option<Heir>> {
        Some(Some(Heir { owner: owner.into(), by: Rule::Manager }))
    }

    #[test]
    fn a_workload_account_is_handed_over_where_the_namespace_consents_and_somebody_comes_next() {
        use RemainingReason::{OwnerVacant, WorkloadAccount};
        for (what, heirs, consents, hands_over, fresh, expected) in [
            ("to be handed over", heir("id:hq/bea"), true, true, false, None),
            ("in a plan that may act unapproved", heir("id:hq/bea"), true, false, false, Some(WorkloadAccount)),
            ("without consent", heir("id:hq/bea"), false, true, false, Some(WorkloadAccount)),
            ("with a mark of lately", heir("id:hq/bea"), true, true, true, Some(WorkloadAccount)),
            ("nobody is left", Some(None), true, true, false, Some(OwnerVacant)),
            ("nobody is left, and nobody consented", Some(None), false, true, false, Some(WorkloadAccount)),
            ("nobody was asked", None, true, true, false, Some(WorkloadAccount)),
        ] {
            let plan = drawn(heirs, consents, hands_over, fresh);
            let acts: Vec<_> = plan.targets.iter().map(|one| (one.action, one.heir.as_deref())).collect();
            let handed: Vec<_> =
                expected.is_none().then_some((Action::HandOver, Some("id:hq/bea"))).into_iter().collect();
            assert_eq!(acts, handed, "{what}");
            assert_eq!(plan.remaining.first().map(|left| left.why), expected, "{what}");
            assert_eq!(plan.workloads > 0, expected.is_none(), "{what}: it counts as a workload");
        }
    }

    #[test]
    fn whom_it_goes_to_is_approved_with_it_and_what_remains_says_who_would_be_next() {
        let hash = |owner: &str| drawn(heir(owner), true, true, false).hash;
        assert_ne!(hash("id:hq/bea"), hash("id:hq/cem"));
        assert_eq!(hash("id:hq/bea"), hash("id:hq/bea"));
        let left = drawn(heir("id:hq/bea"), false, true, false).remaining.remove(0).advice();
        assert!(left.contains("kubectl rollcall own team-a/web --owner id:hq/bea"), "{left}");
        assert!(left.chars().count() <= 512);
        let heir = Some(Heir { owner: "id:hq/bea".into(), by: Rule::Backup });
        let secret = Remaining { what: "Secret team-a/db".into(), why: RemainingReason::NothingRotates, heir };
        let said = "kubectl annotate secret -n team-a db --overwrite rollcall.dev/owner=id:hq/bea";
        assert!(secret.advice().ends_with(said), "{}", secret.advice());
    }
}
