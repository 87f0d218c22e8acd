//! Several policies over one connection: who has whom, as a table.

use super::records::answer;
use super::*;

/// What stands of somebody: the policy that has them, their scope there, and why.
#[derive(Clone, Copy)]
enum Stands {
    Nothing,
    In(&'static str),
    OutOf(&'static str),
    Held(&'static str),
}

fn person(stands: Stands) -> Option<RosterEntry> {
    let (policy, out, why) = match stands {
        Stands::Nothing => return None,
        Stands::In(policy) => (policy, None, Why::Active),
        Stands::OutOf(policy) => (policy, Some(Out::NotSelected), Why::Active),
        Stands::Held(policy) => (policy, None, Why::PolicyConflict),
    };
    let mut world = ClusterInventory::with(&[employee("7").start("2020-01-01")]);
    let mut entry = world.known.remove(&HrId("7".into())).and_then(|known| known.entry).unwrap();
    policy.clone_into(&mut entry.policy);
    (entry.employment.out, entry.employment.why) = (out, why);
    entry.employments[0].state.out = out;
    Some(*entry)
}

fn scope_of(departments: &[&str]) -> Scope {
    Scope::new(Lists::default().of(Kind::Department, departments.iter().copied()), Lists::default(), None).unwrap()
}

/// Who decides, of policies `a`, `b` and `c` that are for departments of these names; `c` has all of `b` too.
fn decides(stands: Stands, said: Option<Employee>, follows: &[&str]) -> (Option<String>, String) {
    decides_of(person(stands).as_ref(), Role::Employment, said, follows)
}

/// The same for a person with this entry, who has an account in `okta` too, where the policies give `hq` this role.
fn decides_of(
    entry: Option<&RosterEntry>,
    hq: Role,
    said: Option<Employee>,
    follows: &[&str],
) -> (Option<String>, String) {
    let (zones, fields) = (Zones::new("Europe/Madrid", &BTreeMap::new()).unwrap(), Modes::default());
    let scopes = [("a", scope_of(&["a"])), ("b", scope_of(&["b", "both"])), ("c", scope_of(&["c", "both"]))];
    let readers: Vec<_> = scopes
        .iter()
        .map(|(policy, scope)| Reader {
            policy,
            scope,
            zones: &zones,
            day_end: DayEnd::default(),
            fields: &fields,
            terms: Box::new(|_| Terms::default()),
            role: Box::new(move |connection| match connection {
                "hq" | "shop" => hq,
                "okta" => Role::Corroborating,
                "old" => Role::Replaced,
                _ => Role::Unread,
            }),
            follows: Box::new(|_| follows.contains(policy)),
        })
        .collect();
    let records = ["hq", "shop", "okta", "old"]
        .map(|connection| RecordKey { connection: connection.into(), id: HrId("7".into()) });
    let said: Vec<_> = said.into_iter().collect();
    let named = said.iter().map(|employee| ("hq", employee, noon())).collect();
    let human = Candidate { name: "p-7", records: &records, entry, named };
    let Decides { policy, contested, .. } = owner(&human, &readers, noon());
    (policy.map(str::to_owned), contested.join(" "))
}

#[test]
fn each_human_has_one_policy_and_a_leaver_stays_with_the_one_that_had_them() {
    use Stands::{Held, In, Nothing, OutOf};
    let of = |department: &str| Some(employee("7").department(department));
    let left = |department: &str| Some(employee("7").department(department).terminated());
    let eve = |department: &str| {
        let status = ReportedStatus::Mapped(Status::Active);
        let eve = Employee::new(HrId("7".into()), "Eve Other".into(), "eve@example.com".into(), status);
        Some(eve.start("2026-03-01").department(department))
    };
    let leaves = |department: &str| left(department).map(|one| one.last_day("2026-04-01"));
    let cases = [
        ("new, in one scope", Nothing, of("b"), "b", ""),
        ("new, in no scope", Nothing, of("x"), "a", ""),
        ("new, in two scopes", Nothing, of("both"), "b", "b c"),
        ("works on", In("b"), of("b"), "b", ""),
        ("goes over", In("a"), of("b"), "b", ""),
        ("comes out of nobody's scope", OutOf("a"), of("c"), "c", ""),
        ("goes out of every scope", In("b"), of("x"), "b", ""),
        ("comes into two scopes", In("a"), of("both"), "a", "b c"),
        ("is in another scope too", In("c"), of("both"), "c", "b c"),
        ("the scopes are separate again", Held("c"), of("b"), "b", ""),
        ("leaves", In("a"), left("a"), "a", ""),
        ("leaves, and goes over in the same answer", In("a"), left("b"), "a", ""),
        ("leaves later, and goes over", In("a"), leaves("b"), "a", ""),
        ("leaves, and comes into two scopes", In("a"), left("both"), "a", "b c"),
        ("leaves out of nobody's scope into one", OutOf("a"), left("b"), "b", ""),
        ("another human has their id, in another scope", In("a"), eve("b"), "a", ""),
        ("another human has their id, in two scopes", In("a"), eve("both"), "a", ""),
        ("left before anybody looked", Nothing, left("c"), "c", ""),
        ("of a policy that is gone", In("gone"), of("c"), "c", ""),
        ("of a policy that is gone, in no scope", In("gone"), of("x"), "a", ""),
        ("of a policy that is gone, and leaves", In("gone"), left("b"), "b", ""),
        ("nothing is said", In("c"), None, "c", ""),
        ("nothing is said of somebody held", Held("c"), None, "c", "a b c"),
    ];
    for (what, stands, said, policy, contested) in cases {
        let all = ["a", "b", "c"];
        assert_eq!(decides(stands, said, &all), (Some(policy.to_owned()), contested.to_owned()), "{what}");
    }
}

#[test]
fn a_policy_that_cannot_be_followed_takes_nobody_over_and_lets_nobody_go() {
    let moved = || Some(employee("7").department("b"));
    assert_eq!(decides(Stands::In("a"), moved(), &["a", "c"]).0.as_deref(), Some("a"));
    assert_eq!(decides(Stands::In("b"), moved(), &["a", "c"]).0.as_deref(), Some("b"));
    let in_both = Some(employee("7").department("both"));
    assert_eq!(decides(Stands::In("b"), in_both, &["a", "c"]), (Some("b".to_owned()), String::new()));
}

#[test]
fn who_is_held_by_two_scopes_is_held_no_longer_by_them_once_their_hr_system_is_replaced_and_nothing_more_is_said() {
    let of = |hq| decides_of(person(Stands::Held("c")).as_ref(), hq, None, &["a", "b", "c"]);
    assert_eq!(of(Role::Employment), (Some("c".to_owned()), "a b c".to_owned()), "an answer may tell");
    assert_eq!(of(Role::Replaced), (Some("c".to_owned()), String::new()), "no answer will");
    let mut world = ClusterInventory::with(&[employee("7"), employee("8")]);
    world.contested = ["7", "8"].map(|id| HrId(id.into())).into();
    world.poll(&[employee("7"), employee("8").terminated()], noon());
    world.contested.clear();
    world.roles.insert("hq", Role::Replaced);
    world.midnight(noon());
    assert_eq!(
        (world.state("7"), world.entry("7").employment.why),
        (State::Unknown, Why::NotMigrated),
        "ended by nothing"
    );
    assert!(world.left("8").baseline, "who left while two had them in scope does not escape, and needs approval");
}

#[test]
fn who_is_held_by_two_scopes_stays_so_while_nothing_is_said_of_the_employment_that_goes_on() {
    let mut entry = person(Stands::Held("c")).unwrap();
    let mut shop = entry.employments[0].clone();
    shop.record.connection = "shop".into();
    entry.employments.push(shop);
    let all = ["a", "b", "c"];
    let ended = Some(employee("7").department("both").terminated());
    let (policy, contested) = decides_of(Some(&entry), Role::Employment, ended, &all);
    assert_eq!((policy.as_deref(), contested.as_str()), (Some("c"), "a b c"), "another employment of theirs has ended");
    let works = Some(employee("7").department("b"));
    let (policy, contested) = decides_of(Some(&entry), Role::Employment, works, &all);
    assert_eq!(
        (policy.as_deref(), contested.as_str()),
        (Some("c"), "b c"),
        "it goes on in one scope, and shop as it was"
    );
}

#[test]
fn an_account_that_is_on_still_keeps_nobody_out_of_two_scopes_who_leaves() {
    let mut entry = person(Stands::In("c")).unwrap();
    let account = Employment {
        record: RecordKey { connection: "okta".into(), id: HrId("7".into()) },
        ..entry.employments[0].clone()
    };
    entry.employments.push(account);
    let all = ["a", "b", "c"];
    let leaves = |department: &str| {
        decides_of(Some(&entry), Role::Employment, Some(employee("7").department(department).terminated()), &all)
    };
    assert_eq!(leaves("both"), (Some("c".to_owned()), "b c".to_owned()));
    assert_eq!(leaves("b"), (Some("c".to_owned()), String::new()), "stays with the policy that had them");
}

#[test]
fn what_a_replaced_hr_system_said_claims_nobody_for_a_policy() {
    let mut entry = person(Stands::In("c")).unwrap();
    let old = RecordKey { connection: "old".into(), id: HrId("7".into()) };
    entry.employments.push(Employment { record: old, ..entry.employments[0].clone() });
    let said = employee("7").department("b").terminated();
    let of = |entry: &RosterEntry| decides_of(Some(entry), Role::Employment, Some(said.clone()), &["a", "b", "c"]);
    assert_eq!(of(&entry), (Some("c".to_owned()), String::new()), "who leaves stays with c, and b does not contest it");
    entry.employments[1].state.out = Some(Out::NotSelected);
    assert_eq!(of(&entry), (Some("c".to_owned()), String::new()), "whatever the old one said");
}

#[test]
fn a_leaver_whom_another_policy_had_needs_approval() {
    for (policy, baseline) in [("everyone", false), ("another", true)] {
        let mut world = ClusterInventory::with(&[employee("7")]);
        world.policy = policy;
        world.poll(&[employee("7").terminated()], noon());
        assert_eq!(world.left("7").baseline, baseline, "{policy}");
        let mut stands = ClusterInventory::with(&[employee("7")]);
        stands.poll(&[employee("7").terminated()], noon());
        stands.policy = policy;
        stands.poll(&[employee("7").terminated()], noon() + SignedDuration::from_hours(1));
        assert_eq!(stands.left("7").baseline, baseline, "{policy}, of one whose access stands");
    }
}

#[test]
fn of_somebody_in_two_scopes_nothing_new_is_decided_and_what_stands_stands() {
    let mut world = ClusterInventory::with(&[employee("7"), employee("8").terminated()]);
    world.contested = ["7", "8"].map(|id| HrId(id.into())).into();
    let left = world.left("8");
    let both_gone = [employee("7").terminated(), employee("8").terminated()];
    world.poll(&both_gone, noon());
    assert_eq!((world.state("7"), world.entry("7").employment.why), (State::Unknown, Why::PolicyConflict));
    assert_eq!(world.left("8"), left, "who had left");
    assert!(world.plan(Some(&both_gone), noon()).changes.is_empty());
    world.contested.clear();
    world.poll(&both_gone, noon());
    assert!(world.left("7").baseline, "nobody saw it happen in one scope");
    world.contested = [HrId("8".into())].into();
    world.poll(&[employee("8")], noon());
    assert_eq!(world.state("8"), State::Unknown, "who works here again is no leaver");
}

#[test]
fn somebody_new_in_two_scopes_is_held_from_the_start() {
    let mut world = ClusterInventory::settled();
    world.contested = [HrId("7".into())].into();
    world.write(&world.planned_over(&[answer("hq", &[employee("7")], noon())], noon()), usize::MAX);
    assert_eq!(world.state("7"), State::Unknown);
    let mut world = ClusterInventory { owned: Some(["email:8@example.com"].into()), ..ClusterInventory::settled() };
    world.contested = ["7", "8"].map(|id| HrId(id.into())).into();
    let gone = [employee("7").terminated(), employee("8").terminated()];
    let plan = world.poll(&gone, noon());
    assert_eq!((plan.former, world.known.len()), (1, 1), "who had left before gets a Person only by what they own");
    assert_eq!(world.state("8"), State::Unknown);
}
