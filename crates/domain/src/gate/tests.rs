//! Which gate stops a plan, and which plan is released.

use super::*;
use crate::plan::{Action, Kind, Target};
use jiff::SignedDuration;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn plan() -> Plan {
    let target = Target {
        action: Action::Recreate,
        kind: Kind::ServiceAccount,
        namespace: "apps".into(),
        name: "ada".into(),
        uid: "u".into(),
        why: String::new(),
    };
    Plan { hash: "h".into(), targets: vec![target], remaining: vec![] }
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
    }
}

fn held(baseline: bool) -> Allowance {
    Allowance::Held { batch: "b-1".into(), baseline }
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
            Facts {
                leaver_status: LeaverStatus::OutOfScope,
                allowance: approved(),
                approved: Some("h".into()),
                ..open()
            },
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
            Facts { allowance: approved(), approved: Some("g".into()), ..open() },
            Some("OverLimit"),
        ),
        ("released by an approval", Facts { allowance: approved(), approved: Some("h".into()), ..open() }, None),
        ("stopped", Facts { stopped: Some("x".into()), enforce: false, ..open() }, Some("GlobalStop")),
        ("held by a human", Facts { hold: hold(later), protected: true, ..open() }, Some("Hold")),
        ("a hold that has ended", Facts { hold: hold(NOW), ..open() }, None),
        ("protected", Facts { protected: true, enforce: false, ..open() }, Some("Protected")),
        (
            "rejected, whatever was approved before",
            Facts { rejected: true, enforce: false, approved: Some("h".into()), ..open() },
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
            Facts { baseline: true, leaves_scope: true, approved: Some("h".into()), ..open() },
            None,
        ),
        ("one too many", Facts { allowance: held(false), ..open() }, Some("OverLimit")),
        ("not counted", Facts { allowance: Allowance::Uncounted, ..open() }, Some("Uncounted")),
        ("counted, and grown since", Facts { counted: "g".into(), ..open() }, Some("Uncounted")),
        (
            "approved, and counted as another plan",
            Facts { counted: "g".into(), approved: Some("h".into()), ..open() },
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
        ("late and approved", Facts { late: true, approved: Some("h".into()), ..open() }, None),
        ("late, another plan approved", Facts { late: true, approved: Some("g".into()), ..open() }, Some("Late")),
        ("approved while observing", Facts { enforce: false, approved: Some("h".into()), ..open() }, Some("Observe")),
    ];
    for (what, facts, expected) in cases {
        assert_eq!(gate(&plan(), &facts, NOW).err().map(|stop| stop.reason()), expected, "{what}");
    }
}
