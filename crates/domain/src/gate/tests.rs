//! Which gate stops a plan, and which plan is released.

use super::*;
use crate::ledger::What;
use crate::plan::{Action, Kind, Target};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An approval of the plan of this hash, given now.
fn of(plan: &str) -> Option<Approval> {
    Some(Approval { plan: plan.into(), at: NOW, whole: true })
}

fn plan() -> Plan {
    let target = Target {
        action: Action::Recreate,
        kind: Kind::ServiceAccount,
        namespace: "apps".into(),
        name: "ada".into(),
        uid: "u".into(),
        heir: None,
        why: String::new(),
    };
    Plan { hash: "h".into(), targets: vec![target], ..Plan::default() }
}

fn open() -> Facts {
    Facts {
        stopped: None,
        leaver_status: LeaverStatus::Ended,
        hold: None,
        protected: false,
        rejected: false,
        enforce: true,
        settled: true,
        due: NOW,
        trusted: true,
        removal: false,
        begun: false,
        baseline: false,
        leaves_scope: false,
        late: false,
        allowance: Allowance::Released { batch: None },
        counted: "h".into(),
        approved: None,
        approvals_last: DAY,
        claimed: false,
    }
}

fn held(baseline: bool) -> Allowance {
    Allowance::Held { batch: "b-1".into(), baseline, over: None }
}

fn over_all() -> Allowance {
    let over = Over { scope: Scope::Cluster, what: What::People, hours: 24, would: 3, most: 2 };
    Allowance::Held { batch: "b-1".into(), baseline: false, over: Some(over) }
}

fn approved() -> Allowance {
    Allowance::Released { batch: Some("b-1".into()) }
}

#[test]
fn who_is_back_or_out_of_scope_in_the_midst_of_a_cut_gets_back_what_is_deleted_and_loses_nothing_more() {
    for leaver_status in [LeaverStatus::Employed, LeaverStatus::OutOfScope] {
        let back = Facts { leaver_status, begun: true, enforce: false, ..open() };
        assert!(gate(&plan(), &back, NOW).unwrap().only_finish(), "{leaver_status:?}");
    }
    assert!(!gate(&plan(), &Facts { begun: true, ..open() }, NOW).unwrap().only_finish());
}

#[test]
fn who_owns_nothing_waits_for_no_count_and_no_approval_but_for_everything_else() {
    let nothing = Plan { targets: vec![], ..plan() };
    let uncounted = Facts { allowance: Allowance::Uncounted, baseline: true, ..open() };
    assert!(gate(&nothing, &uncounted, NOW).is_ok());
    let stopped = Facts { stopped: Some("x".into()), ..uncounted };
    assert_eq!(gate(&nothing, &stopped, NOW).err(), Some(Stop::GlobalStop("x".into())));
}

#[test]
fn the_first_gate_that_stops_is_shown() {
    let later = NOW + SignedDuration::from_secs(1);
    let hold = |until| Some(Hold { reason: "audit".into(), until });
    let cases: Vec<(&str, Facts, Option<&str>)> = vec![
        ("everything open", open(), None),
        (
            "back at work",
            Facts { leaver_status: LeaverStatus::Employed, stopped: Some("x".into()), ..open() },
            Some("Withdrawn"),
        ),
        ("back in the middle of a cut", Facts { leaver_status: LeaverStatus::Employed, begun: true, ..open() }, None),
        (
            "back in the middle of a removal",
            Facts { leaver_status: LeaverStatus::Employed, begun: true, removal: true, ..open() },
            Some("Withdrawn"),
        ),
        ("cannot be told", Facts { leaver_status: LeaverStatus::Unknown, ..open() }, Some("Unknown")),
        (
            "out of scope, whatever was approved",
            Facts { leaver_status: LeaverStatus::OutOfScope, allowance: approved(), approved: of("h"), ..open() },
            Some("OutOfScope"),
        ),
        (
            "out of scope in the middle of a cut",
            Facts { leaver_status: LeaverStatus::OutOfScope, begun: true, ..open() },
            None,
        ),
        (
            "out of scope in the middle of a removal",
            Facts { leaver_status: LeaverStatus::OutOfScope, begun: true, removal: true, ..open() },
            Some("OutOfScope"),
        ),
        (
            "released, but the approved plan is another",
            Facts { allowance: approved(), approved: of("g"), ..open() },
            Some("OverLimit"),
        ),
        ("released by an approval", Facts { allowance: approved(), approved: of("h"), ..open() }, None),
        ("stopped", Facts { stopped: Some("x".into()), enforce: false, ..open() }, Some("GlobalStop")),
        ("held by a human", Facts { hold: hold(later), protected: true, ..open() }, Some("Hold")),
        ("a hold that has ended", Facts { hold: hold(NOW), ..open() }, None),
        ("protected", Facts { protected: true, enforce: false, ..open() }, Some("Protected")),
        (
            "rejected, whatever was approved before",
            Facts { rejected: true, enforce: false, approved: of("h"), ..open() },
            Some("Rejected"),
        ),
        ("rejected in the middle of it", Facts { rejected: true, begun: true, ..open() }, Some("Rejected")),
        (
            "rejected, and back at work",
            Facts { rejected: true, leaver_status: LeaverStatus::Employed, ..open() },
            Some("Withdrawn"),
        ),
        ("observing", Facts { enforce: false, due: later, ..open() }, Some("Observe")),
        ("just switched to enforcing", Facts { settled: false, due: later, ..open() }, Some("Unsettled")),
        ("too early", Facts { due: later, allowance: held(true), ..open() }, Some("NotDue")),
        ("a cut without trust", Facts { trusted: false, ..open() }, None),
        ("a removal without trust", Facts { trusted: false, removal: true, ..open() }, Some("Untrusted")),
        ("a leaver of the baseline", Facts { allowance: held(true), ..open() }, Some("Baseline")),
        ("counted before it became a baseline's", Facts { baseline: true, ..open() }, Some("Baseline")),
        (
            "a leaver who falls out of scope with the same response",
            Facts { allowance: held(true), leaves_scope: true, ..open() },
            Some("LeavesScope"),
        ),
        ("counted before they did", Facts { baseline: true, leaves_scope: true, ..open() }, Some("LeavesScope")),
        (
            "approved, though they fell out of scope",
            Facts { baseline: true, leaves_scope: true, approved: of("h"), ..open() },
            None,
        ),
        ("one too many", Facts { allowance: held(false), ..open() }, Some("OverLimit")),
        ("one too many of all policies", Facts { allowance: over_all(), ..open() }, Some("OverClusterLimit")),
        (
            "approved, and not debited yet",
            Facts { allowance: held(false), approved: of("h"), ..open() },
            Some("OverLimit"),
        ),
        ("no room to count it", Facts { allowance: Allowance::NoRoom, ..open() }, Some("LedgerFull")),
        ("not counted", Facts { allowance: Allowance::Uncounted, ..open() }, Some("Uncounted")),
        ("counted, and grown since", Facts { counted: "g".into(), ..open() }, Some("Uncounted")),
        (
            "approved, and counted as another plan",
            Facts { counted: "g".into(), approved: of("h"), ..open() },
            Some("Uncounted"),
        ),
        (
            "a removal that was not counted",
            Facts { removal: true, allowance: Allowance::Uncounted, ..open() },
            Some("Uncounted"),
        ),
        ("a removal over the limit", Facts { removal: true, allowance: held(false), ..open() }, Some("OverLimit")),
        ("a removal of a baseline's leaver", Facts { removal: true, baseline: true, ..open() }, None),
        ("late", Facts { late: true, ..open() }, Some("Late")),
        ("late and approved", Facts { late: true, approved: of("h"), ..open() }, None),
        ("late, another plan approved", Facts { late: true, approved: of("g"), ..open() }, Some("Late")),
        ("approved while observing", Facts { enforce: false, approved: of("h"), ..open() }, Some("Observe")),
    ];
    for (what, facts, expected) in cases {
        assert_eq!(gate(&plan(), &facts, NOW).err().map(|stop| stop.reason()), expected, "{what}");
    }
}

#[test]
fn an_approval_that_was_not_acted_on_in_time_is_void() {
    let shut = [
        ("over a limit", Facts { allowance: approved(), ..open() }),
        ("over a limit, and taken back", Facts { allowance: held(false), ..open() }),
        ("of a baseline", Facts { allowance: approved(), baseline: true, ..open() }),
        ("found late", Facts { late: true, ..open() }),
    ];
    let second = SignedDuration::from_secs(1);
    let ages = [
        ("given now", SignedDuration::ZERO, false),
        ("a day ago", DAY, true),
        ("a second less", DAY - second, false),
        ("a little ahead", -AHEAD, false),
        ("in the future", -AHEAD - second, true),
    ];
    for (what, facts) in shut {
        for (when, age, expired) in ages {
            let facts =
                Facts { approved: Some(Approval { plan: "h".into(), at: NOW - age, whole: true }), ..facts.clone() };
            let stop = gate(&plan(), &facts, NOW).err().map(|stop| stop.reason());
            assert_eq!(stop == Some("ApprovalExpired"), expired, "{what}, {when}: {stop:?}");
            let begun = gate(&plan(), &Facts { claimed: true, ..facts }, NOW).err().map(|stop| stop.reason());
            assert_ne!(begun, Some("ApprovalExpired"), "{what}, {when}: the revoker has begun");
        }
    }
    let by_itself = Facts { approved: Some(Approval { plan: "h".into(), at: NOW - DAY * 9, whole: true }), ..open() };
    assert!(gate(&plan(), &by_itself, NOW).is_ok(), "what needs no approval does not wait for one");
}

#[test]
fn one_of_two_approvals_opens_nothing_and_expires_as_both_do() {
    let one = |age| Some(Approval { plan: "h".into(), at: NOW - age, whole: false });
    let facts = |approved, claimed| Facts { allowance: approved_allowance(), approved, claimed, ..open() };
    let stop = |facts: &Facts| gate(&plan(), facts, NOW).err().map(|stop| stop.reason());
    let hour = SignedDuration::from_hours(1);
    assert_eq!(stop(&facts(one(hour), false)), Some("OverLimit"), "the second is missing");
    assert_eq!(stop(&facts(one(DAY), false)), Some("ApprovalExpired"), "the first has to be given again");
    assert_eq!(stop(&facts(one(DAY), true)), None, "what has begun goes on, whatever the policy asks for since");
    assert_eq!(stop(&facts(of("h"), false)), None, "both");
    assert_eq!(stop(&facts(of("another"), false)), Some("OverLimit"), "both, of a plan that changed since");
}

fn approved_allowance() -> Allowance {
    Allowance::Released { batch: Some("b-1".into()) }
}
